"""By what, on what and when something was computed, and which version of some source files that was."""

import hashlib
import json
import os
import platform
import re
import subprocess
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import poseur_lib
import poseur_study
from poseur_lib.config.base import Frozen
from poseur_lib.files import read_regular, write_atomically
from poseur_lib.training.curve import DEVICES, numbers_of

PACKAGES = ("poseur_lib", "torch", "torchvision", "lightning", "numpy", "pycocotools", "opencv-python-headless")
PACKAGE = Path(poseur_study.__file__).resolve().parent
SOURCES = (".py", ".json", ".toml")
"""Endings of the files that what is computed follows from."""
WRITTEN = ("runs", "reports")
"""Folders of a checkout that runs and reports write to."""
COMMIT_VARIABLE = "POSEUR_COMMIT"


class ReleasedFile(Frozen):
    """A file of weights that others released: its name, and the SHA-256 of its bytes."""

    name: str
    sha256: str


class Provenance(Frozen):
    """Where a record comes from.

    Attributes:
        commit: git commit of the checkout when the last attempt was opened, "" outside one; `dirty` tells of
            uncommitted changes to tracked files in any attempt, but for those that runs and reports write.
        earlier_commits: other ones, of the attempts before that it went on from; "" is one that nobody noted. Earlier
            versions have the commit at the end alone.
        device: name of the accelerator, or of the processor.
        wall_seconds: of the whole run over all its attempts, an interrupted one's to the minute; `train_seconds` of
            training alone, over all attempts too. Earlier versions counted wall time and energy of the last one only.
        data_name: the data folder's name (its path is nobody's business); `data_fingerprint` identifies its content.
        n_images: images of the split that was evaluated (for pretraining: 0).
        joules: of what could be read of the whole machine's processors and GPUs during `wall_seconds`, what else ran
            there included; None: nothing.
        machine: tells the machine from others of its kind, without its name; "" in older records.
        checkpoint: where the weights come from if they were not trained here.
        initial_weights: the file of ImageNet weights that the backbone started from, a hub's with its revision
            (`poseur_lib.models.backbones.imagenet_file`).
        computed: how epochs were trained that were not computed step by step of crops from files, in precision "32" on
            one device: "graph", "inductor", "data on the device", "bf16-mixed", "2 devices". The precision of the
            evaluation, too, where it is another one; all that it says of a released checkpoint. Earlier versions name
            neither precision nor devices.
    """

    commit: str
    dirty: bool
    python: str
    versions: dict[str, str]
    device: str
    cpu_count: int
    threads: int
    finished_at: str
    wall_seconds: float
    train_seconds: float
    profile: str
    data_name: str
    data_fingerprint: str
    generated_data: bool
    n_images: int
    checkpoint: ReleasedFile | None = None
    initial_weights: ReleasedFile | None = None
    joules: float | None = None
    machine: str = ""
    computed: str = ""
    earlier_commits: tuple[str, ...] = ()

    @property
    def device_words(self) -> str:
        """The device, and how it computed where that is said."""
        return ", ".join(filter(None, (self.device, self.computed)))

    @property
    def computed_on(self) -> str:
        """What results of two runs must share to be compared without remark.

        The device and the version of torch; where they are others than "32" and one, precision and number of devices.
        """
        return ", ".join([f"{self.device} with torch {self.versions.get('torch', '?')}", *numbers_of(self.computed)])

    @property
    def precision(self) -> str:
        """Of the evaluation of a released checkpoint."""
        return next((word for word in numbers_of(self.computed) if not word.endswith(DEVICES)), "32")

    @property
    def commit_words(self) -> str:
        """The commit's first ten digits, whether the tree had changes, and the commits that it was begun with."""
        begun = ", begun with " + " and ".join(one[:10] or "an unknown one" for one in self.earlier_commits)
        return (self.commit[:10] or "none") + " + changes" * self.dirty + begun * bool(self.earlier_commits)

    @property
    def began(self) -> datetime:
        """The wall time before it ended, as if there had been no pause between attempts."""
        return datetime.fromisoformat(self.finished_at) - timedelta(seconds=self.wall_seconds)


def git_state(folder: Path = PACKAGE) -> tuple[str, bool]:
    """(commit, dirty) of the checkout that `folder` lies in.

    A batch replaces committed records and pages while it runs: these are no changes of what its numbers come from.
    Outside a checkout, as in a container's image, the commit is what the environment names in POSEUR_COMMIT, or "".
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return os.environ.get(COMMIT_VARIABLE, ""), False
    sources = [".", *(f":(top,exclude){written}" for written in WRITTEN)]
    top = Path(_git(folder, "rev-parse", "--show-toplevel"))
    return commit, bool(_git(top, "status", "--porcelain", "--untracked-files=no", "--", *sources))


@cache
def commit_is_here(commit: str) -> bool | None:
    """True if the checkout knows a commit that a record names; None: it names none, or there is no checkout to ask.

    A commit that is here need not be the one that the record was made with: nothing can tell that.
    """
    if not commit or not _git(PACKAGE, "rev-parse", "HEAD"):
        return None
    return re.fullmatch("[0-9a-f]{40}", commit) is not None and _git(PACKAGE, "cat-file", "-t", commit) == "commit"


def package_versions() -> dict[str, str]:
    """Version of each package that can move a number."""
    return {name: _version(name) for name in PACKAGES}


def machine_digest() -> str:
    """Eight hexadecimal digits of this machine's name: they tell it from others and do not say what it is called."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def cpu_count() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


@cache
def source_digest(*places: str) -> str:
    """Sixteen hexadecimal digits of the source files at these places of the packages (files or folders)."""
    root = Path(poseur_lib.__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for place in places:
        path = root / place
        files = sorted(one for one in path.rglob("*") if one.suffix in SOURCES) if path.is_dir() else [path]
        for file in files:
            digest.update(f"{file.relative_to(root)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


class CodeCache(dict[str, Any]):
    """What some source files have computed, kept in a JSON file for the next process until one of them changes."""

    def __init__(self, file: Path, *places: str) -> None:
        super().__init__()
        self.file, self.code = file, source_digest(*places)
        with suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(read_regular(file))
            self.update(content["known"] if content["code"] == self.code else {})
        self.saved = dict(self)

    def save(self) -> None:
        """Keep what is known; a folder that cannot be written to goes without."""
        if self != self.saved:
            with suppress(OSError):
                write_atomically(self.file, json.dumps({"code": self.code, "known": self}).encode())
                self.saved = dict(self)
