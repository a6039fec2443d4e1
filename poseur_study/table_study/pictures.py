"""People of the val split cut out, their labels in white and what rows of a table predict in colour."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from poseur_lib.data.coco import CocoPeople, Person
from poseur_lib.data.dataset import read_person_image
from poseur_lib.errors import UserError
from poseur_lib.keypoints import KeypointSet
from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.plotting.captioned import Captioned

TRUTH, LEGIBLE = "#ffffff", "#808080"
"""Of labels; of words, on a light and on a dark page."""
COLOURS = ("orange", "green", "vermilion", "pink")
"""By name, those of `COLORBLIND` after its first, in which rows are drawn."""
MOST_ROWS = len(COLOURS)
WIDTH, HEIGHT = 1.75, 2.5
"""Inches of a picture."""


def pictures(
    split: CocoPeople,
    ids: Sequence[int],
    poses: Mapping[str, Mapping[int, Float[np.ndarray, "K 2"]]],
    captions: Sequence[str],
    caption: str,
) -> Captioned:
    """Some people in a row, each with the poses that are known of it.

    Args:
        ids: of their annotations.
        poses: by row label and annotation id, in image pixels; a row may have none.
        captions: a line above each picture.

    Raises:
        UserError: the split has no such person, nobody is asked for, or there is not a line for each.
    """
    of = {person.annotation_id: person for person in split.people()}
    for person_id in ids:
        if person_id not in of:
            raise UserError(f"no labelled person of split {split.split} has the annotation {person_id}")
    if not len(ids) or len(ids) != len(captions):
        raise UserError(f"pictures of {len(ids)} people with {len(captions)} lines above them: give a line a person")
    figure, axes = plt.subplots(1, len(ids), figsize=(WIDTH * len(ids), HEIGHT), squeeze=False, layout="constrained")
    for axis, person_id, above in zip(axes[0], ids, captions, strict=True):
        person = of[person_id]
        draw_label(axis, person, split.keypoints)
        for colour, of_row in zip(COLORBLIND[1:], poses.values(), strict=False):
            if person_id in of_row:
                draw_pose(axis, of_row[person_id], split.keypoints, colour)
        axis.set_title(above, fontsize=8, color=LEGIBLE)
    drawn = [label for label, of_row in poses.items() if of_row]
    absent = [label for label, of_row in poses.items() if not of_row]
    names = dict(zip(poses, COLOURS, strict=False))
    colours = ", ".join(f"{names[label]}: {label}" for label in drawn)
    told = f"; {colours}" if drawn else ""
    told += f"; not drawn, as their poses are not here: {', '.join(absent)}" if absent else ""
    return Captioned(figure, f"{caption} White: labelled{told}.", photo=True,
                     values=f"{len(ids)} people with labelled skeletons: {'; '.join(captions)}.")  # fmt: skip


def draw_label(axis: Axes, person: Person, keypoints: KeypointSet) -> None:
    """A person cut out of its image, with the labelled skeleton."""
    x, y, width, height = person.box
    pad = 0.15 * max(width, height)
    axis.imshow(read_person_image(person))
    labelled = person.visibility > 0
    for a, b in keypoints.skeleton:
        if labelled[a] and labelled[b]:
            axis.plot(*person.keypoints_image[[a, b]].T, color=TRUTH, linewidth=2.3, alpha=0.9)
    axis.set(xlim=(x - pad, x + width + pad), ylim=(y + height + pad, y - pad), aspect="equal")
    axis.axis("off")


def draw_pose(axis: Axes, pose: Float[np.ndarray, "K 2"], keypoints: KeypointSet, colour: str) -> None:
    """A predicted skeleton, in image pixels."""
    for a, b in keypoints.skeleton:
        axis.plot(*pose[[a, b]].T, color=colour, linewidth=1.3)
