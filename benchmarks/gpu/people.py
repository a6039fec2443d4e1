"""`python -m benchmarks.gpu.people FOLDER REHEARSAL`: what the sections that train are trained on, generated once.

torch is not imported here: each process that generates would do so, too.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from poseur_study.runs.heartbeat import die_with_parent
from poseur_study.runs.provenance import cpu_count
from synthetic_people.generate import generate
from synthetic_people.settings import PeopleSettings

SMALL = (256, 192)
"""Height and width of the images of the small runs."""


@dataclass(frozen=True)
class Length:
    """How long the trainings are: two epochs of this many people each. All is set up in the first, the second counts.

    Attributes:
        images, people: of the small runs; `large_images`, `large_people` of an epoch of images; `size` (height, width)
            of these, as photographs have it. People come again, augmented otherwise, until an epoch is full.
        together: numbers of runs at a time; that of the goal first.
    """

    images: int = 600
    people: int = 12_288
    large_images: int = 400
    large_people: int = 76_800
    size: tuple[int, int] = (480, 640)
    together: tuple[int, ...] = (16, 4, 1)

    @classmethod
    def of(cls, rehearsal: bool) -> "Length":
        """Seconds, for a rehearsal."""
        return cls(16, 16, 16, 16, (96, 128), (2, 1)) if rehearsal else cls()


def photographs(length: Length, folder: Path) -> Path:
    """Those of an epoch of images."""
    return generated(folder / "photographs", length.large_images, length.size)


def small_images(length: Length, folder: Path) -> Path:
    """Those of the small runs."""
    return generated(folder / "small", length.images, SMALL)


def generated(folder: Path, images: int, size: tuple[int, int]) -> Path:
    """A data set of generated people; one that is there stays as it is."""
    settings = PeopleSettings(train_images=images, val_images=4, image_size=size, parts=False)
    generate(folder, settings, workers=max(0, cpu_count() - 1), progress=False)
    return folder


def main(folder: str, rehearsal: str) -> None:
    """Generate all of it."""
    length = Length.of(rehearsal == "yes")
    photographs(length, Path(folder))
    small_images(length, Path(folder))


if __name__ == "__main__":
    die_with_parent()
    main(*sys.argv[1:])
