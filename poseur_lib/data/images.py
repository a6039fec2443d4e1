"""Reading images."""

import io
import re
import sys
from functools import partial
from pathlib import Path
from typing import Literal, cast

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from poseur_lib.data.decoder_words import heard, note_damage
from poseur_lib.data.heif import decode_heif, is_avif, is_heif
from poseur_lib.data.image_format import TIFF_STARTS, TURNED, ImageHead, image_head
from poseur_lib.errors import UserError, first_line
from poseur_lib.files import read_regular

MAX_BYTES = 2**30
MAX_PIXELS = 2 * int(Image.MAX_IMAGE_PIXELS or 89_478_485)
"""Where Pillow sees a decompression bomb."""
DEPTHS = (8, 10, 12, 14, 16)
"""Bits that the values of a 16-bit image may have."""
_PNM = re.compile(rb"P([2356])" + 3 * rb"(?:\s|#[^\r\n]*[\r\n])+(\d+)")
"""Kind, sides and white of PGM and PPM."""
_said = {16}
_animated: set[str] = set()
BITS_PER_SAMPLE = 258
"""TIFF's tag."""
TURNS = dict(
    enumerate(
        ("mirrored", "turned by 180 degrees", "mirrored upside down", "mirrored and turned", "turned by 90 degrees",
         "mirrored and turned", "turned by 270 degrees"), start=2,
    )
)  # fmt: skip
"""What an EXIF orientation does to the stored pixels."""
LabelFrame = Literal["unsaid", "applied", "ignored"]
"""Whether labels are of the image as its EXIF orientation turns it, or of the stored pixels."""


def read_image(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """An image file as RGB, upright.

    Raises:
        UserError: the file is missing, is no image, or is cut off (decoders fill what is missing with grey and go on).
    """
    return decode_image(_content(path), str(path))


def read_labelled_image(path: Path, frame: LabelFrame = "unsaid") -> UInt8[np.ndarray, "height width 3"]:
    """An image file as RGB, in the frame of its labels.

    Raises:
        UserError: as `read_image`; or the file has an EXIF orientation, and neither `frame` nor the sides tell which
            frame its labels are of.
    """
    content = _content(path)
    if frame == "unsaid" and (head := _head(content, str(path))) is not None and is_ambiguous(head):
        raise UserError(f"{path}: {orientation_message(head.orientation)}")
    return decode_image(content, str(path), turn=frame != "ignored")


def is_ambiguous(head: ImageHead) -> bool:
    """Whether the sides are the same with and without EXIF orientation."""
    return head.orientation != 1 and (head.orientation not in TURNED or head.width == head.height)


def orientation_message(orientation: int) -> str:
    """Why an image cannot be used whose labels may be of either frame, and how to choose."""
    return (
        f"image has EXIF orientation {orientation} ({TURNS[orientation]}), and the annotation file does not say whether"
        ' its labels are of the turned image or of the stored pixels: write "exif_orientation": "applied" or "ignored"'
        ' into the "info" of the file'
    )


def decode_image(content: bytes, name: str, *, turn: bool = True) -> UInt8[np.ndarray, "height width 3"]:
    """The content of an image file as RGB; `name` is what errors call it.

    Values of 16 bits are scaled by the bits that they have (`as_8_bits`), those of PGM and PPM by their white.

    Args:
        turn: as the EXIF orientation says; False gives the stored pixels.

    Raises:
        UserError: it is no image, is cut off, or has more than MAX_PIXELS pixels.
    """
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | (0 if turn else cv2.IMREAD_IGNORE_ORIENTATION)
    image = as_8_bits(_decoded(content, name, flags), name, _white_of(content))
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)
    if turn and is_avif(content):  # OpenCV leaves these as they are stored
        head = _head(content, name)
        return np.ascontiguousarray(turned(image, head.orientation if head else 1))
    return image


def turned(image: UInt8[np.ndarray, "height width 3"], orientation: int) -> UInt8[np.ndarray, "h w 3"]:
    """The stored pixels as an EXIF orientation says that they are to be seen."""
    if orientation in TURNED:
        image = image.transpose(1, 0, 2)
    mirror_x, mirror_y = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    return image[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1]


def _white_of(content: bytes) -> int | None:
    """The value that a PGM or PPM file says is white, unless OpenCV scales by it: of at most 8 bits, as text."""
    if (found := _PNM.match(content)) is None:
        return None
    white = int(found[4])
    return white if 255 < white < 2**16 or (0 < white < 255 and found[1] in b"56") else None


def as_8_bits(image: np.ndarray, name: str, white: int | None = None) -> UInt8[np.ndarray, "height width *channels"]:
    """Values of 8 or 16 bits as 8 bits; 16 bits hold 8, 10, 12, 14 or 16, the fewest that the largest value needs.

    Args:
        white: the largest value, where it is known.

    Raises:
        UserError: they are of another type.
    """
    if image.dtype not in (np.uint8, np.uint16):
        raise UserError(f"{name}: image has values of type {image.dtype}: give 8 or 16 bits a channel")
    if white is not None:
        return np.rint(np.minimum(image, white) * np.float32(255 / white)).astype(np.uint8)
    if image.dtype == np.uint8:
        return image
    bits = next(bits for bits in DEPTHS if int(image.max(initial=0)) < 2**bits)
    if bits not in _said:
        _said.add(bits)
        print(
            f"{name}: 16 bits of which the values need {bits}: scaled by those, as other such images", file=sys.stderr
        )
    return np.rint(image * np.float32(255 / (2**bits - 1))).astype(np.uint8)


def read_labels(path: Path) -> UInt8[np.ndarray, "height width"]:
    """A label map: the values of a one-channel image file as they are.

    Raises:
        UserError: as `read_image`; or the file has several channels.
    """
    labels = _decoded(_content(path), str(path), cv2.IMREAD_UNCHANGED)
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise UserError(f"{path}: a label map must have one 8-bit channel, got {labels.dtype} {labels.shape}")
    return labels


def head_of_file(path: Path) -> ImageHead | None:
    """The head of a file, without decoding it; None where that cannot be read."""
    try:
        return image_head(_content(path))
    except (UserError, Image.DecompressionBombError):
        return None


def _content(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_BYTES)
    except OSError as error:
        raise UserError(f"{path}: image cannot be read: {error.strerror}") from None


def _head(content: bytes, name: str) -> ImageHead | None:
    try:
        return image_head(content)
    except Image.DecompressionBombError:
        raise UserError(f"{name}: image has more than {MAX_PIXELS} pixels") from None


def _decoded(content: bytes, name: str, flags: int) -> np.ndarray:
    head = _head(content, name)
    if head is not None and head.width * head.height > MAX_PIXELS:
        raise UserError(f"{name}: image of {head.width} x {head.height} has more than {MAX_PIXELS} pixels")
    if head is not None and not head.whole:
        raise UserError(f"{name}: image file is truncated ({len(content)} bytes, no end marker)")
    if head is not None and head.several and name not in _animated:
        _animated.add(name)
        print(f"{name}: the file has several images, as an animation or pages: the first is taken", file=sys.stderr)
    if is_heif(content):
        return decode_heif(content, name, turn=not flags & cv2.IMREAD_IGNORE_ORIENTATION)
    image = None
    if head is not None:
        image, words = heard(partial(_imdecode, content, flags))
        if image is not None and content.startswith(TIFF_STARTS):
            straight, found = _by_pillow(content)
            image, words = image if straight is None else straight, words + found
        if image is not None:
            note_damage(name, words)
    if image is None:
        raise UserError(f"{name}: not a readable image ({len(content)} bytes)")
    return image


def _imdecode(content: bytes, flags: int) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        return None


def _by_pillow(content: bytes) -> tuple[UInt8[np.ndarray, "height width 3"] | None, list[str]]:
    """Of a TIFF, the colours where it has transparency, and what is damaged.

    OpenCV multiplies these colours by their opacity, and says of damage nothing but its log, on the error stream.
    """

    def decode() -> tuple[np.ndarray | None, list[str]]:
        try:
            with Image.open(io.BytesIO(content)) as image:
                image.load()
                is_clear = image.mode == "RGBA" and {*cast(TiffImageFile, image).tag_v2[BITS_PER_SAMPLE]} == {8}
                return np.asarray(image)[..., 2::-1] if is_clear else None, []
        except Exception as error:  # whatever a decoder says
            return None, [first_line(error)]

    (straight, failure), words = heard(decode)
    return None if straight is None else np.ascontiguousarray(straight), words or failure
