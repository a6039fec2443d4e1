"""Which files make a data set, where they are published, and what has to be there when all are unpacked.

COCO's sizes and checksums are those of its files as several public scripts list them (one of them has those of train
and val the wrong way round). For COCO's image_info_test2017.zip, MPII and Leeds Sports Pose Extended no checksum is
published: what can be checked is what the server says of the size, and the numbers of files.
"""

import fcntl
import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from poseur_lib.data.annotations import listed_images
from poseur_lib.errors import UserError, require_known
from poseur_lib.fetch.download import RemoteFile, download
from poseur_lib.fetch.unpack import MOST_FILES, NoSuchArchive, unpack
from poseur_lib.files import read_regular, require_writable, write_atomically
from poseur_lib.progress import ProgressLine

ARCHIVES, DONE_FILE, MISSING_FILE, LOCK_FILE = "archives", "fetched.json", "missing_images.txt", ".fetching"
Done = dict[str, list[str] | dict[str, int]]
"""By URL, the files that came from an archive; earlier versions counted those of each folder."""
IMAGES_UNPACKED, TEXT_UNPACKED = 1.1, 12.0
"""How much larger than its archive the content may be: JPEG files hardly shrink, JSON files do."""
UNKNOWN_SIZE = 2 * 10**10
"""Bytes that the archives may unpack to whose size is not published."""
MOST_RECORD = 100 * MOST_FILES
"""Bytes of `fetched.json`, with a line for each file."""


@dataclass(frozen=True)
class Archive:
    """A file of a data set.

    Attributes:
        wanted: folders and files of it that are unpacked.
        grows: how much larger than itself its content may be.
    """

    remote: RemoteFile
    wanted: tuple[str, ...]
    grows: float = IMAGES_UNPACKED


@dataclass(frozen=True)
class FetchedSet:
    """A data set.

    Attributes:
        parts: by name, in the order in which they are fetched.
        default: those that are fetched if none is named.
        images: how many images a folder has when it is complete.
        listed: annotation files that list the images of a folder, by folder.
        then: what to do next, for a person.
    """

    parts: Mapping[str, tuple[Archive, ...]]
    default: tuple[str, ...]
    images: Mapping[str, int]
    listed: Mapping[str, str] = field(default_factory=dict)
    then: str = ""


_COCO = "http://images.cocodataset.org"
_MPII = "https://datasets.d2.mpi-inf.mpg.de/andriluka14cvpr"
_LABELS = "annotations/person_keypoints_{}2017.json"


def _images(name: str, size: int, md5: str) -> Archive:
    return Archive(RemoteFile(f"{_COCO}/zips/{name}.zip", size, md5), (name,))


def _text(url: str, wanted: str, size: int | None = None, md5: str | None = None) -> Archive:
    return Archive(RemoteFile(url, size, md5), (wanted,), TEXT_UNPACKED)


_COCO_LABELS = (f"{_COCO}/annotations/annotations_trainval2017.zip", "annotations", 252_907_541)
SETS: Mapping[str, FetchedSet] = {
    "coco": FetchedSet(
        {
            "annotations": (_text(*_COCO_LABELS, "f4bbac642086de4f52a3fdda2de5fa2c"),),
            "val": (_images("val2017", 815_585_330, "442b8da7639aecaf257c1dceb8ba8c80"),),
            "train": (_images("train2017", 19_336_861_798, "cced6f7f71b7629ddf16f17bbcfab6b2"),),
            "test": (
                _text(f"{_COCO}/annotations/image_info_test2017.zip", "annotations"),
                _images("test2017", 6_646_970_404, "77ad2c53ac5d0aea611d422c0938fb35"),
            ),
        },
        default=("annotations", "val", "train"),
        images={"train2017": 118_287, "val2017": 5_000, "test2017": 40_670},
        listed={
            "train2017": _LABELS.format("train"),
            "val2017": _LABELS.format("val"),
            "test2017": "annotations/image_info_test2017.json",
        },
        then="poseur data check DIR",
    ),
    "mpii": FetchedSet(
        {
            "annotations": (_text(f"{_MPII}/mpii_human_pose_v1_u12_2.zip", "mpii_human_pose_v1_u12_1.mat"),),
            "images": (Archive(RemoteFile(f"{_MPII}/mpii_human_pose_v1.tar.gz"), ("images",)),),
        },
        default=("annotations", "images"),
        images={"images": 24_984},
        then="poseur data convert mpii DIR DST",
    ),
    "lspet": FetchedSet(
        {"all": (Archive(RemoteFile("http://sam.johnson.io/research/lspet_dataset.zip"), ("images", "joints.mat")),)},
        default=("all",),
        images={"images": 10_000},
        then="poseur data convert lspet DIR DST",
    ),
}


class FolderState(NamedTuple):
    """A folder of images: how many it has and should have, and which ones the annotation file names in vain."""

    folder: str
    images: int
    expected: int
    missing: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing and self.images >= self.expected

    @property
    def text(self) -> str:
        """A line for a person."""
        first = f", first {', '.join(self.missing[:3])}" if self.missing else ""
        lacking = f"; {len(self.missing):,} that are listed are missing{first}" if self.missing else ""
        return f"{self.folder}: {self.images:,} images, {self.expected:,} expected{lacking}"


def fetch(
    of: FetchedSet, folder: Path, only: Sequence[str] = (), keep: bool = False, progress: ProgressLine | None = None
) -> list[FolderState]:
    """Download and unpack what is not there yet; the state of every folder of images that was asked for.

    An archive of which files were removed since is fetched again.

    Args:
        only: names of parts; none: the default ones.
        keep: leave the archives in `folder/archives`; they are deleted once they are unpacked.

    Raises:
        UserError: there is no such part, one cannot be fetched or unpacked, or another process is at it.
    """
    require_known("part", only, of.parts)
    require_writable(folder, "data cannot be written to")
    with only_fetcher(folder):
        _bring(of, folder, only or of.default, keep, progress or ProgressLine())
        states = list(_states(of, folder, only or of.default))
        missing = [f"{state.folder}/{name}\n" for state in states for name in state.missing]
        (folder / MISSING_FILE).unlink(missing_ok=True)
        if missing:
            write_atomically(folder / MISSING_FILE, "".join(missing).encode())
    return states


@contextmanager
def only_fetcher(folder: Path) -> Iterator[None]:
    """Hold a folder against other processes, as far as its file system has locks.

    Raises:
        UserError: another process holds it.
    """
    with open(folder / LOCK_FILE, "a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise UserError(f"{folder}: {lock.read(100).strip() or 'another process'} is fetching into it") from None
        except OSError:  # a file system without locks
            pass
        lock.truncate(0)
        print(f"process {os.getpid()} on {socket.gethostname()}", file=lock, flush=True)
        yield


def _bring(of: FetchedSet, folder: Path, parts: Sequence[str], keep: bool, progress: ProgressLine) -> None:
    """Download and unpack the archives whose files are not all there."""
    done = _done(folder)
    for part in parts:
        for archive in of.parts[part]:
            if _all_there(folder, archive, done.get(archive.remote.url)):
                continue
            path = folder / ARCHIVES / archive.remote.name
            download(archive.remote, path, progress)
            most = int(archive.grows * path.stat().st_size) + 2**20
            most = min(most, UNKNOWN_SIZE) if archive.remote.size is None else most
            try:
                names = unpack(path, folder, archive.wanted, most, progress).names
            except NoSuchArchive as error:
                path.unlink()
                raise UserError(
                    f"{archive.remote.url}: {error}; removed, the same command downloads it again"
                ) from None
            done[archive.remote.url] = names
            write_atomically(folder / DONE_FILE, json.dumps(done, indent=1).encode())
            if not keep:
                path.unlink()
    progress.close()


def _done(folder: Path) -> Done:
    """What was unpacked before; a file that is cut off says nothing."""
    try:
        return TypeAdapter(Done).validate_json(read_regular(folder / DONE_FILE, MOST_RECORD))
    except (OSError, ValueError):
        return {}


def _all_there(folder: Path, archive: Archive, before: list[str] | dict[str, int] | None) -> bool:
    """Whether all is there that came from an archive."""
    if not before:
        return False
    if isinstance(before, dict):
        return all(len(_files(folder, one)) >= number for one, number in before.items())
    return _files(folder, *archive.wanted).issuperset(before)


def _files(folder: Path, *names: str) -> set[str]:
    """The files in some folders of `folder` and below, and those of these names, by their paths in `folder`."""
    below = {Path(at, name) for one in names for at, _, files in os.walk(folder / one) for name in files}
    found = below | {folder / one for one in names if (folder / one).is_file()}
    return {path.relative_to(folder).as_posix() for path in found}


def _states(of: FetchedSet, folder: Path, parts: Sequence[str]) -> Iterator[FolderState]:
    """Of the folders of images that come with some parts and are there."""
    asked = {name for part in parts for archive in of.parts[part] for name in archive.wanted}
    for name, expected in of.images.items():
        if name not in asked or not (folder / name).is_dir():
            continue
        there = {path.name for path in (folder / name).iterdir() if path.is_file() and not path.name.startswith(".")}
        listed = of.listed.get(name)
        missing: tuple[str, ...] = ()
        if listed is not None and (folder / listed).is_file():
            names = (str(image.get("file_name")) for image in listed_images(folder / listed))
            missing = tuple(sorted(image for image in names if image not in there))
        yield FolderState(name, len(there), expected, missing)
