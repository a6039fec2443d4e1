"""Writing a data set: every image once, in parallel, so that a killed run continues and never looks complete.

Images are written in chunks to `.<name>.partial` beside the folder asked for, with a record of each finished chunk;
when all are there the records become the annotation files and the whole folder is renamed into place.
"""

import fcntl
import hashlib
import multiprocessing
import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
from tqdm import tqdm

from poseur_lib.data.image_digests import (
    Digests,
    FileDigest,
    changed_files,
    changed_sizes,
    digest_of_content,
    read_digests,
    write_digests,
)
from poseur_lib.errors import UserError
from poseur_lib.files import write_atomically
from synthetic_people.files import DESCRIPTION, UNSAID, atomic_json, describe, matches, merge, read_description
from synthetic_people.settings import SPLITS, PeopleSettings

if TYPE_CHECKING:  # numba takes a second to import
    from synthetic_people.sample import Sample

CHUNK = 64
CHECKED_FILE = ".images_checked"


class Chunk(NamedTuple):
    """Images [first, last) of a split, to be written under `folder`."""

    folder: Path
    settings: PeopleSettings
    split: str
    first: int
    last: int

    @property
    def record(self) -> Path:
        """What says that the chunk is complete; it holds its annotations."""
        return self.folder / "chunks" / f"{self.split}-{self.first:07d}.chunk.json"


def write_chunk(chunk: Chunk) -> int:
    """Write a chunk's images and, last, its record; the number of images."""
    from synthetic_people.sample import image_entry, image_id, make_sample  # numba: a second for whoever only looks

    cv2.setNumThreads(1)
    images, annotations, detections, digests = [], [], [], {}
    for index in range(chunk.first, chunk.last):
        sample = make_sample(chunk.settings, chunk.split, index)
        entry, number = image_entry(chunk.settings, chunk.split, index), image_id(chunk.split, index)
        for name, content in _files(chunk.split, number, sample):
            (chunk.folder / name).write_bytes(content)
            digests[name] = digest_of_content(content)
        images.append(entry)
        annotations += [
            label.to_coco(number, number * 10 + k, chunk.settings.pixel_centre) for k, label in enumerate(sample.labels)
        ]
        detections += [detection.to_coco(number) for detection in sample.detections]
    made = {"images": images, "annotations": annotations, "detections": detections, "digests": digests}
    atomic_json(chunk.record, made)
    return chunk.last - chunk.first


def _files(split: str, number: int, sample: "Sample") -> Iterator[tuple[str, bytes]]:
    """The files of an image, by their paths in the data set's folder."""
    yield f"{split}2017/{number:012d}.jpg", sample.jpeg
    if sample.parts is not None:
        yield f"parts_{split}2017/{number:012d}.png", sample.parts


def _chunks(folder: Path, settings: PeopleSettings) -> list[Chunk]:
    return [
        Chunk(folder, settings, split, first, min(first + CHUNK, settings.images(split)))
        for split in SPLITS
        for first in range(0, settings.images(split), CHUNK)
    ]


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """Hold the partial folder.

    Raises:
        UserError: another process is writing it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder}: another process is generating this data set") from None
        except OSError as error:  # a disk that knows no such locks
            print(f"{folder}: not locked ({error.strerror}): generate it by one process at a time", file=sys.stderr)
        yield


def _start(folder: Path, settings: PeopleSettings) -> None:
    """An empty partial folder, or the one an earlier run with the same settings left."""
    if not matches(folder, settings):
        for entry in folder.iterdir():
            if entry.name != "lock":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for split in SPLITS:
        (folder / f"{split}2017").mkdir(exist_ok=True)
        if settings.parts:
            (folder / f"parts_{split}2017").mkdir(exist_ok=True)
    (folder / "chunks").mkdir(exist_ok=True)
    (folder / "annotations").mkdir(exist_ok=True)
    atomic_json(folder / DESCRIPTION, describe(settings))


def _run(chunks: list[Chunk], workers: int) -> Iterator[int]:
    """Write chunks here (workers 0) or in `workers` processes; yields the number of images as they are done."""
    if workers == 0:
        yield from map(write_chunk, chunks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            for future in as_completed([pool.submit(write_chunk, chunk) for chunk in chunks]):
                yield future.result()
        except BaseException:
            for process in list((pool._processes or {}).values()):  # by 64 images each, they end too late by themselves
                process.terminate()
            pool.shutdown(cancel_futures=True)
            raise


def _already_there(root: Path, settings: PeopleSettings) -> bool:
    """Whether `root` is this very data set.

    Raises:
        UserError: `root` holds something else.
    """
    if (root.is_dir() and not any(root.iterdir())) or not root.exists():
        return False
    if not root.is_dir():
        raise UserError(f"{root} is a file, not a folder for generated people")
    found = read_description(root)
    if found is None:
        raise UserError(f"{root} is not empty and holds no generated people; choose another folder")
    if matches(root, settings):
        digests = read_digests(root)
        _mend(root, settings, {} if digests is None else dict(changed_sizes(root, digests)))
        return True
    wanted = describe(settings)
    flat, flat_wanted = (
        {**UNSAID, **tree.get("settings", {}), "version": tree.get("version")} for tree in (found, wanted)
    )
    name = next(name for name in flat_wanted if flat.get(name) != flat_wanted[name])
    raise UserError(
        f"{root} holds generated people with {name} = {flat.get(name)}, not {flat_wanted[name]}; delete it, or choose "
        "another folder"
    )


def is_whole(root: Path, settings: PeopleSettings) -> bool:
    """Whether `root` is this very data set, and every image as it was made."""
    return matches(root, settings) and not _altered(root)


def mend(root: Path, settings: PeopleSettings) -> None:
    """Make again the images of a finished set that are not as they were made.

    Raises:
        UserError: an image cannot be made as it was.
    """
    _mend(root, settings, _altered(root))


def _altered(root: Path) -> dict[str, str]:
    """Images that are not as they were made, and how; a set made before there were digests is taken as it is.

    All are read where one was written to since they last were: their lengths, times and inodes are noted then.
    """
    digests = read_digests(root)
    if digests is None:
        return {}
    stamps, note = _stamps(root, digests), root / CHECKED_FILE
    if note.is_file() and note.read_text(encoding="utf-8") == stamps:
        return {}
    print(f"{root.name}: reading {len(digests)} images, to see that they are as they were made", file=sys.stderr)
    altered = dict(changed_files(root, digests))
    if not altered:
        with suppress(OSError):  # of a disk that cannot be written to, they are read again
            write_atomically(note, stamps.encode())
    return altered


def _stamps(root: Path, digests: Digests) -> str:
    """A digest of what a change of any of these files changes, and of what they should be."""
    found = hashlib.sha256()
    for name, known in digests.items():
        try:
            stat = os.stat(root / name)
        except OSError:
            continue
        found.update(f"{name} {known} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return found.hexdigest()


def _mend(root: Path, settings: PeopleSettings, damaged: dict[str, str]) -> None:
    if not damaged:
        return
    digests = read_digests(root) or {}
    from synthetic_people.sample import image_id, make_sample

    print(f"{root}: making {len(damaged)} images again, first {next(' ('.join(one) for one in damaged.items())})",
          file=sys.stderr)  # fmt: skip
    for split in SPLITS:
        for index in range(settings.images(split)):
            number = image_id(split, index)
            if damaged.keys().isdisjoint((f"{split}2017/{number:012d}.jpg", f"parts_{split}2017/{number:012d}.png")):
                continue
            for name, content in _files(split, number, make_sample(settings, split, index)):
                if digest_of_content(content) != digests[name]:
                    what = damaged.get(name, "or its other file is")
                    anew = "cannot be made as it was here: remove the folder to make the set anew"
                    raise UserError(f"{root / name} is damaged ({what}) and {anew}")
                write_atomically(root / name, content)


def generate(root: Path, settings: PeopleSettings, workers: int = 0, progress: bool = True) -> None:
    """Write the data set that `settings` describe to the folder `root`; one that is there has damaged images mended.

    The bytes do not depend on `workers`. A killed run leaves `.<name>.partial` beside `root`, from which the next run
    with the same settings continues.

    Args:
        root: folder to make; it may exist if it is empty.
        settings: what to generate.
        workers: processes beside this one; 0 writes in this process.
        progress: show a progress bar on standard error.

    Raises:
        UserError: `root` holds something else, or another process is writing it; `workers` is negative; an image that
            was lost or cut off cannot be made as it was.
    """
    root = Path(root)
    if workers < 0:
        raise UserError(f"workers must be 0 or more, got {workers}")
    if _already_there(root, settings):
        return
    partial = root.parent / f".{root.name}.partial"
    with _only_writer(partial):
        _start(partial, settings)
        chunks = _chunks(partial, settings)
        missing = [chunk for chunk in chunks if not chunk.record.is_file()]
        total = sum(chunk.last - chunk.first for chunk in chunks)
        done = total - sum(chunk.last - chunk.first for chunk in missing)
        with tqdm(total=total, initial=done, unit="image", desc=root.name, disable=not progress) as bar:
            for count in _run(missing, workers):
                bar.update(count)
        digests: dict[str, FileDigest] = {}
        for split in SPLITS:
            digests |= merge(
                partial, split, [chunk.record for chunk in chunks if chunk.split == split], settings.keypoints
            )
        write_digests(partial, digests)
        shutil.rmtree(partial / "chunks")
        (partial / "lock").unlink()
        partial.rename(root)
