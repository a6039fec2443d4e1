"""What an image file says of itself before its pixels are decoded: sides, EXIF orientation, whether its end is there.

JPEG and PNG are walked through part by part, so that neither a thumbnail's end marker nor what cameras append behind
the image (motion photos have a film there) is taken for something else. Other formats are left to Pillow.
"""

import io
import re
import warnings
from typing import NamedTuple

from PIL import Image

from poseur_lib.data.heif import heif_size, is_heif

ORIENTATION = 0x0112  # EXIF's tag
TURNED = (5, 6, 7, 8)
"""Orientations that swap width and height."""
JPEG_START, PNG_START = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
JPEG_END, JPEG_SCAN, JPEG_NUMBERING = 0xD9, 0xDA, (0xC4, 0xC8, 0xCC)
_MARKER = re.compile(rb"\xff([^\x00\xff])")
_OF_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""A marker that ends the data of a scan: no stuffed byte, no restart."""

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # larger ones are an error, here too
warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged files


class ImageHead(NamedTuple):
    """Of a file.

    Attributes:
        width, height: as stored.
        orientation: EXIF's, 1 to 8; 1 where there is none.
        whole: the end of the image is there, as far as its format has one.
        several: the file has more images than the first, as an animation or the pages of a document.
    """

    width: int
    height: int
    orientation: int = 1
    whole: bool = True
    several: bool = False

    @property
    def upright_size(self) -> tuple[int, int]:
        """(height, width) of the image as its orientation turns it."""
        return (self.width, self.height) if self.orientation in TURNED else (self.height, self.width)


def image_head(content: bytes) -> ImageHead | None:
    """The head of a file's content; None where it is of no format that Pillow knows.

    Raises:
        PIL.Image.DecompressionBombError: of another format than JPEG and PNG, and larger than Pillow opens.
    """
    for start, parse in ((JPEG_START, _jpeg), (PNG_START, _png)):
        if content.startswith(start) and (head := parse(content)) is not None:
            return head
    if is_heif(content):
        found = heif_size(content)
        return None if found is None else ImageHead(*found[:2], several=found[2] > 1)
    try:
        with Image.open(io.BytesIO(content)) as image:
            whole = image.format != "WEBP" or len(content) >= 8 + int.from_bytes(content[4:8], "little")
            # A TIFF's orientation is no EXIF: every decoder turns it, and Pillow gives the turned sides.
            orientation = 1 if image.format == "TIFF" else orientation_of(image)
            return ImageHead(*image.size, orientation, whole, getattr(image, "is_animated", False))
    except Image.DecompressionBombError:
        raise
    except Exception:  # whatever a decoder says: who decodes the image names what is wrong with it
        return None


def _jpeg(content: bytes) -> ImageHead | None:
    """From segment to segment; None where no frame says its sides."""
    at, sides, exif, whole = 2, None, b"", False
    while (found := _MARKER.search(content, at)) is not None:
        marker, at = found[1][0], found.end()
        if marker == JPEG_END:
            whole = True
            break
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # without a length
            continue
        length = int.from_bytes(content[at : at + 2], "big")
        if 0xC0 <= marker <= 0xCF and marker not in JPEG_NUMBERING and sides is None and len(content) >= at + 7:
            sides = int.from_bytes(content[at + 5 : at + 7], "big"), int.from_bytes(content[at + 3 : at + 5], "big")
        if marker == 0xE1 and content.startswith(b"Exif\0\0", at + 2):
            exif = exif or content[at + 2 : at + length]
        at += length
        if marker == JPEG_SCAN:
            end = _OF_SCAN.search(content, at)
            at = len(content) if end is None else end.start()
    return None if sides is None else ImageHead(*sides, _orientation(exif), whole)


def _png(content: bytes) -> ImageHead | None:
    """From chunk to chunk."""
    at, exif, whole, several = len(PNG_START), b"", False, False
    while at + 12 <= len(content) and not whole:
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        if kind == b"eXIf":
            exif = content[at + 8 : at + 8 + length]
        at += 12 + length
        several |= kind == b"acTL"
        whole = kind == b"IEND" and at <= len(content)
    if content[12:16] != b"IHDR" or len(content) < 24:
        return None
    width, height = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    return ImageHead(width, height, _orientation(exif), whole, several)


def orientation_of(image: Image.Image) -> int:
    """EXIF's alone, which every decoder follows: Pillow's `getexif` takes XMP's and ImageMagick's for it as well."""
    return _orientation(image.info.get("exif") or b"")


def _orientation(exif: bytes) -> int:
    try:
        read = Image.Exif()
        read.load(exif)
        orientation = read.get(ORIENTATION, 1)
    except Exception:  # as above
        return 1
    return orientation if orientation in range(1, 9) else 1
