"""Images to look at and the people in them: of a val set, or one's own; and the picture to choose a person in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from poseur_lib.data.coco import CocoPeople, Person
from poseur_lib.data.dataset import read_person_image
from poseur_lib.data.images import read_image
from poseur_lib.errors import UserError
from poseur_lib.predict.drawing import COLORBLIND
from poseur_lib.predict.people import as_boxes
from poseur_study.explorer.attention.canvas import OUTLINE, drawing
from poseur_study.explorer.attention.drawn import Drawn

Box = tuple[float, float, float, float]
WIDTH, HIGHEST = 3.3, 3.6
"""Inches of the picture to choose a person in, at most."""
CHOSEN, OTHERS = COLORBLIND[1], "white"


@dataclass(frozen=True, eq=False)
class ShownImage:
    """An image and the people that can be chosen in it; the whole image is always the last of them.

    Attributes:
        image: RGB.
        names: what each of the people is called.
        data: folder of the data set whose val set it is of; None for one's own.
    """

    name: str
    image: UInt8[np.ndarray, "height width 3"]
    people: tuple[Person, ...]
    names: tuple[str, ...]
    data: Path | None = None

    def person(self, number: int) -> Person:
        """A person by the number that the notebook gives, from 0 on.

        Raises:
            UserError: there is none of that number.
        """
        if not 0 <= number < len(self.people):
            raise UserError(f"person {number}: {self.name} has people 0 to {len(self.people) - 1} ({self.names[-1]})")
        return self.people[number]

    def person_at(self, across: float, down: float) -> int:
        """The smallest box around a fraction (x, y) of the image; the whole image where there is no other."""
        height, width = self.image.shape[:2]
        x, y = across * width, down * height
        holding = [
            (person.box[2] * person.box[3], number)
            for number, person in enumerate(self.people)
            if 0 <= x - person.box[0] <= person.box[2] and 0 <= y - person.box[1] <= person.box[3]
        ]
        return min(holding)[1] if holding else len(self.people) - 1


@dataclass(frozen=True, eq=False)
class ValImages:
    """The images of a val set that have labelled people."""

    people: CocoPeople

    @cached_property
    def by_image(self) -> tuple[tuple[Person, ...], ...]:
        """The people of each image, in the order of the file."""
        grouped: dict[int, list[Person]] = {}
        for person in self.people.people():
            grouped.setdefault(person.image_id, []).append(person)
        return tuple(map(tuple, grouped.values()))

    def image(self, number: int) -> ShownImage:
        """An image by its number, from 0 on.

        Raises:
            UserError: there is none of that number, or its file cannot be read or has not the labelled size.
        """
        count = len(self.by_image)
        if not 0 <= number < count:
            raise UserError(f"image {number}: the val set has images 0 to {count - 1} with labelled people")
        people, root = self.by_image[number], self.people.root
        shown = _with_whole(f"val image {number} ({root.name})", read_person_image(people[0]), people, "person")
        return replace(shown, data=root)


def own_image(path: Path, boxes: Sequence[Box] = ()) -> ShownImage:
    """An image file of one's own, with people as in `with_boxes`. Raises UserError where it cannot be read."""
    return with_boxes(path.name, read_image(path), boxes)


def with_boxes(name: str, image: UInt8[np.ndarray, "height width 3"], boxes: Sequence[Box] = ()) -> ShownImage:
    """An RGB image with people of whom nothing is known but their boxes, (x, y, w, h) in pixels.

    Raises:
        UserError: a box is empty, not finite, or outside the image.
    """
    checked = as_boxes(boxes, image.shape[:2]) if boxes else []
    return _with_whole(name, image, [Person(0, Path(name), each.box) for each in checked], "box")


def _with_whole(name: str, image: np.ndarray, people: Sequence[Person], kind: str) -> ShownImage:
    height, width = image.shape[:2]
    labels = people[0] if len(people) == 1 else Person(0, Path(name), (0.0, 0.0, 1.0, 1.0))
    whole = replace(labels, box=(0.0, 0.0, float(width), float(height)))
    names = (*(f"{kind} {number}" for number in range(len(people))), "the whole image")
    return ShownImage(name, image, (*people, whole), names)


def overview_figure(shown: ShownImage, person: int) -> Drawn:
    """The image with its boxes by number; the chosen one is orange."""
    height, width = shown.image.shape[:2]
    scale = min(WIDTH / width, HIGHEST / height)
    with drawing():
        figure = Figure(figsize=(width * scale, height * scale))
        axis = figure.add_axes((0, 0, 1, 1))
        axis.imshow(shown.image, interpolation="antialiased", aspect="auto")
        for number, one in enumerate(shown.people):
            colour = CHOSEN if number == person else OTHERS
            x, y, *size = one.box
            box = Rectangle((x, y), *size, fill=False, edgecolor=colour, linewidth=1.4, clip_on=False)
            axis.add_patch(box).set_path_effects(OUTLINE)
            if number < len(shown.people) - 1:
                axis.text(x, y, f" {number}", color=colour, va="top", fontsize=9, path_effects=OUTLINE)
        axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        axis.axis("off")
    sides = ", ".join(f"{side:.0f}" for side in shown.people[person].box)
    alt = (
        f"{shown.name} with {len(shown.people) - 1} boxes; chosen: {shown.names[person]} (x, y, width, height {sides})."
    )
    return Drawn(figure, alt, "", (axis,))
