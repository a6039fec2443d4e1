"""Which files are meant, and what the results of each are called."""

import glob
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from poseur_lib.errors import UserError

SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".jp2",
    ".avif", ".heic", ".heif",
)  # fmt: skip
"""What counts as an image in a folder; whether it can be read shows when it is."""
JPEG, PNG = (".jpg", ".jpeg", ".jpe", ".jfif"), (".png",)
NUMBER = re.compile(r"(?:.*_)?(\d+)")


def find_images(given: Sequence[str]) -> tuple[list[Path], int]:
    """The images that files, folders and glob patterns name, in their order, each once; and how often one came again.

    A folder stands for the images in it, by suffix, not for those in folders below it; "**" in a pattern does that.
    What a folder or a pattern gives is in the order of its names, with numbers by value: frame_2 before frame_10. A
    file that is not there is kept: it is an unreadable one.

    Raises:
        UserError: a folder without images, a pattern that fits no image, or an empty name.
    """
    found = [path for one in given for path in _expand(one)]
    by_place = {os.path.abspath(path): path for path in reversed(found)}
    once = [path for path in dict.fromkeys(by_place[os.path.abspath(path)] for path in found)]
    return once, len(found) - len(once)


def _expand(given: str) -> list[Path]:
    if not given:  # pathlib takes it for the current folder
        raise UserError("an image, a folder or a pattern must have a name, got ''")
    path = Path(given).expanduser()
    if path.is_dir():
        return _images_in(path, f"folder {given}")
    if path.exists() or not glob.has_magic(given):
        return [path]
    matches = sorted(map(Path, glob.glob(str(path), recursive=True)), key=_by_number)
    files = [match for match in matches if not match.is_dir() and not match.name.startswith(".")]
    if not files:
        raise UserError(f"pattern {given!r} fits no file")
    return [match for match in files if match.suffix.lower() in SUFFIXES] or files


def _images_in(folder: Path, name: str) -> list[Path]:
    visible = sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=_by_number)
    images = [path for path in visible if path.suffix.lower() in SUFFIXES]
    if not images:
        raise UserError(f"{name} holds no image (looked for {', '.join(SUFFIXES)})")
    return [path for path in images if not path.is_dir()]  # what cannot be read is said when it is read


def _by_number(path: Path) -> tuple[list[str | int], str]:
    """To sort by: names with their numbers by value, and as they are written where these are equal."""
    parts = re.split(r"(\d+)", str(path))
    return [int(part) if part.isdecimal() else part for part in parts], str(path)


def overlay_paths(images: Sequence[Path], folder: Path) -> list[Path]:
    """Where the pictures of images go: the image's name in `folder`, with -2, -3 … where that is taken.

    JPEG stays JPEG, everything else becomes PNG.

    Raises:
        UserError: a picture would overwrite one of the images.
    """
    sources = {os.path.realpath(image) for image in images}
    taken: set[str] = set()
    paths = []
    for image in images:
        name = _free_name(image.stem, image.suffix if image.suffix.lower() in (*JPEG, *PNG) else ".png", taken)
        if os.path.realpath(folder / name) in sources:
            raise UserError(f"the picture {folder / name} would overwrite an image that is given: choose another --out")
        taken.add(name.lower())
        paths.append(folder / name)
    return paths


def _free_name(stem: str, suffix: str, taken: set[str]) -> str:
    name, number = f"{stem}{suffix}", 2
    while name.lower() in taken:
        name, number = f"{stem}-{number}{suffix}", number + 1
    return name


def image_number(path: Path) -> int | None:
    """The number that is an image's name, as COCO names them (000000000785.jpg, COCO_val2014_000000000785.jpg)."""
    match = NUMBER.fullmatch(path.stem)
    return int(match[1]) if match else None


def image_ids(images: Sequence[Path], known: Mapping[Path, int]) -> list[int]:
    """The `image_id` of each image in the results.

    The known ones (of a COCO annotation file) if every image has one; else the numbers in COCO's file names, if every
    image has one and no two are equal; else 1, 2, … in the images' order.
    """
    for ids in ([known.get(image) for image in images], [image_number(image) for image in images]):
        if None not in ids and len(set(ids)) == len(ids):
            return [number for number in ids if number is not None]
    return list(range(1, len(images) + 1))


def chosen_ids(images: Sequence[Path], known: Mapping[Path, int], renumber: bool) -> tuple[list[int], str | None]:
    """The `image_ids`, and a line where some are others than the known ones.

    Args:
        renumber: they may be.

    Raises:
        UserError: they may not.
    """
    ids = image_ids(images, known)
    line = renumbered(images, ids, known)
    if line is None:
        return ids, None
    if not renumber:
        raise UserError(f"{line}: leave out what has none, or give --renumber for new ids")
    return ids, f"{line}: images.json has the ids of predictions.json"


def renumbered(images: Sequence[Path], ids: Sequence[int], known: Mapping[Path, int]) -> str | None:
    """A line where `image_ids` gave an image another id than a file of boxes tells, as others are not in it."""
    changed = [image for image, number in zip(images, ids, strict=True) if known.get(image, number) != number]
    strangers = [image for image in images if image not in known]
    if not changed:
        return None
    why = (
        f"{strangers[0]} is not in the file of boxes or names"
        if strangers
        else "two images have one id in the file of boxes or names"
    )
    return f"{why}, so its image ids cannot be kept"
