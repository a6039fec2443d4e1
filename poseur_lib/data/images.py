"""Reading images."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from poseur_lib.errors import UserError

JPEG_START, JPEG_SCAN, JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
ORIENTATION = 0x0112  # EXIF's tag
PNG_START, PNG_END = b"\x89PNG", b"IEND"


def read_image(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """An image file as RGB.

    Raises:
        UserError: the file is missing, is no image, or is cut off (decoders fill what is missing with grey and go on).
    """
    return decode_image(_content(path), str(path))


def decode_image(content: bytes, name: str) -> UInt8[np.ndarray, "height width 3"]:
    """The content of an image file as RGB; `name` is what errors call it.

    Raises:
        UserError: it is no image, or is cut off.
    """
    return cv2.cvtColor(_decoded(content, name, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read_labels(path: Path) -> UInt8[np.ndarray, "height width"]:
    """A label map: the values of a one-channel image file as they are.

    Raises:
        UserError: as `read_image`; or the file has several channels.
    """
    labels = _decoded(_content(path), str(path), cv2.IMREAD_UNCHANGED)
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise UserError(f"{path}: a label map must have one 8-bit channel, got {labels.dtype} {labels.shape}")
    return labels


def upright_size(path: Path) -> tuple[int, int] | None:
    """(height, width) of an image as `read_image` gives it, from its head alone; None where that cannot be read."""
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
            width, height = image.size
    except Exception:  # whatever a decoder says: who decodes the image names what is wrong with it
        return None
    return (width, height) if turned else (height, width)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: image cannot be read: {error.strerror}") from None


def _decoded(content: bytes, name: str, flags: int) -> np.ndarray:
    if is_truncated(content):
        raise UserError(f"{name}: image file is truncated ({len(content)} bytes, no end marker)")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    except cv2.error:
        image = None
    if image is None:
        raise UserError(f"{name}: not a readable image ({len(content)} bytes)")
    return image


def is_truncated(content: bytes) -> bool:
    """Whether a JPEG or PNG file ends before its end marker; other formats are left to their decoders.

    In a JPEG an embedded thumbnail has an end marker of its own, so what counts is one after the last scan's start.
    """
    if content.startswith(JPEG_START):
        end = content.rfind(JPEG_END)
        return end < 0 or content.find(JPEG_SCAN, end) >= 0
    return content.startswith(PNG_START) and PNG_END not in content[-64:]
