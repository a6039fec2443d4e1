"""HEIC, which phones take, by pillow-heif where it is installed: `pip install 'poseur_lib[heif]'`."""

import io
import re
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from poseur_lib.errors import UserError, first_line

if TYPE_CHECKING:
    from pillow_heif import HeifFile

BRANDS, OF_AVIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), (b"avif", b"avis")
_TURN = re.compile(rb"\0\0\0\x09(?:irot[^\0]|imir)")
"""The container's properties that turn, other than by 0 degrees, and mirror (ISO/IEC 23008-12)."""


def is_heif(content: bytes) -> bool:
    """Whether a file's content is HEIC's; AVIF, in the same container, is not."""
    return _brands(content)[:4] in BRANDS and not is_avif(content)


def is_avif(content: bytes) -> bool:
    """Whether a file's content is AVIF's, by whichever of its brands."""
    return any(one in _brands(content) for one in OF_AVIF)


def _brands(content: bytes) -> bytes:
    return content[8 : max(int.from_bytes(content[:4], "big"), 12)] if content[4:8] == b"ftyp" else b""


def heif_size(content: bytes) -> tuple[int, int, int] | None:
    """Width and height of the main image and the number of images; None where they cannot be read."""
    try:
        file = _open(content)
        return (*file.size, len(file))
    except Exception:  # whatever a decoder says: `decode_heif` names what is wrong
        return None


def decode_heif(content: bytes, name: str, *, turn: bool = True) -> UInt8[np.ndarray, "height width 3"]:
    """The main image as BGR, always upright: its container says how it is turned, and its EXIF orientation repeats it.

    Raises:
        UserError: it is damaged, pillow-heif is not installed, or the stored pixels (not `turn`) are other ones.
    """
    if not turn and _TURN.search(content):
        raise UserError(
            f"{name}: HEIC image that is turned: its decoder gives the turned image alone, so its labels cannot be of"
            ' the stored pixels ("exif_orientation": "ignored")'
        )
    try:
        image = _open(content).to_pillow().convert("RGB")
    except ImportError:
        raise UserError(f"{name}: HEIC images need pillow-heif: pip install 'poseur_lib[heif]'") from None
    except Exception as error:  # as above
        raise UserError(f"{name}: not a readable image: {first_line(error)}") from None
    return np.ascontiguousarray(np.asarray(image)[..., ::-1])


def _open(content: bytes) -> "HeifFile":
    from pillow_heif import open_heif

    return open_heif(io.BytesIO(content), convert_hdr_to_8bit=True)
