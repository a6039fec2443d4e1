"""Whatever holds an image, as the RGB array that crops are cut from."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFile

from poseur_lib.data.image_format import orientation_of
from poseur_lib.data.images import as_8_bits, read_image, turned
from poseur_lib.errors import UserError

ImageLike = np.ndarray | Image.Image | str | os.PathLike[str]

WIDE = ("I;16", "I;16B", "I;16L", "I;16N", "I")
"""Pillow's modes of 16 bits."""
BITS_16 = 2**14 >> 8
"""Where the higher 8 of 16 bits reach that, all 16 are used (`as_8_bits`)."""
CONVERTED = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV")
"""Pillow's modes that are taken; floats would be clipped, and its LAB becomes another RGB than the file's."""


def as_rgb(image: Any) -> UInt8[np.ndarray, "height width 3"]:
    """An image as RGB, upright.

    A file is read as the evaluation reads it. Files and Pillow images are turned as their EXIF orientation says, and
    both give the same pixels to one level, but for a Pillow image of a file of 16 bits a colour, of which Pillow keeps
    the higher 8. Transparency is dropped, grey becomes three equal channels.

    Args:
        image: a path; a Pillow image of 8 or 16 bits a channel; or a uint8 or uint16 array, H x W (grey), H x W x 1,
            H x W x 3 in the order RED, GREEN, BLUE, or H x W x 4 (RGBA). 16 bits are scaled by those that the values
            have (`as_8_bits`). What `cv2.imread` gives is in the order BGR: turn it first,
            `image[..., ::-1]`, or give the path.

    Raises:
        UserError: a file that cannot be read; another type, shape or mode, which is named; or a Pillow image of 16 bits
            a colour that does not use them all.
    """
    if isinstance(image, np.ndarray):
        return _array_as_rgb(image)
    if isinstance(image, Image.Image):
        if image.mode not in (*WIDE, *CONVERTED):
            raise UserError(f"image has Pillow's mode {image.mode!r}: give its path, or RGB of 8 bits a channel")
        cut = _load(image)
        white = 2**16 - 1 if image.format == "PPM" else None  # to which Pillow scales
        wide = image.mode in WIDE
        upright = _array_as_rgb(np.asarray(image), white) if wide else np.array(image.convert("RGB"))
        if cut and upright.max() < BITS_16:
            raise UserError(
                "image has 16 bits a colour and does not use them all, and Pillow keeps the higher 8: give its path"
            )
        return np.ascontiguousarray(turned(upright, orientation_of(image)))
    if isinstance(image, str | os.PathLike):
        return read_image(Path(image))
    raise UserError(f"image is a {type(image).__name__}: give a path, a Pillow image, or a uint8 array H x W x 3 (RGB)")


def _load(image: Image.Image) -> bool:
    """Loads the pixels of a file that is still to be read; whether its colours have 16 bits, of which 8 are dropped.

    Pillow maps a turned TIFF of some modes into memory, where it has a name, with its sides mistaken.
    """
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:
        return False
    raw = image.tile[0].args
    name, image.filename = image.filename, "" if image.format == "TIFF" else image.filename
    try:
        image.load()
    finally:
        image.filename = name
    return image.mode in ("RGB", "RGBA", "LA") and ";16" in str(raw)


def _array_as_rgb(image: np.ndarray, white: int | None = None) -> UInt8[np.ndarray, "height width 3"]:
    if image.dtype == np.int32 and 0 <= image.min(initial=0) <= image.max(initial=0) < 2**16:  # Pillow's mode "I"
        image = image.astype(np.uint16)
    if image.dtype not in (np.uint8, np.uint16):
        raise UserError(
            f"image array has dtype {image.dtype}: give uint8 from 0 to 255, or uint16 (of values in [0, 1]: "
            "(255 * image).round().astype('uint8'))"
        )
    image = as_8_bits(image, "image array", white)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        raise UserError(f"image array has shape {image.shape}: give H x W x 3 in the order RGB, H x W, or H x W x 4")
    channels = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[..., :3]
    return np.ascontiguousarray(channels)
