"""The same cut person and the poses that several models predict, drawn beyond the border of the crop."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from poseur_lib.data.coco import Person
from poseur_lib.data.images import read_image
from poseur_lib.evaluation.truncation import Cut
from poseur_lib.keypoints import KeypointSet
from poseur_study.display.style import DARK, as_html, style
from poseur_study.display.truncation import ROW_COLOURS
from poseur_study.display.truncation_findings import nothing_to_show
from poseur_study.measurements.truncation import EXAMPLE_CUT, LEAST_OUTSIDE, ExamplePose
from poseur_study.measurements.truncation_curves import Truncation
from poseur_study.table_study import TableStudy

TRUTH = "#ffffff"
FADED = 0.45
"""How much is left of what the model does not see."""
MARGIN = 0.12
WIDTH, HEIGHT = 2.1, 2.6
"""Inches of a picture."""


def truncation_examples(study: TableStudy, of: Truncation) -> HTML:
    """A line a person, a column a row of the table, of the first seed that was measured of all rows."""
    if not of.rows:
        return nothing_to_show(of)
    seeds = of.measured.seeds(*(row.row for row in of.rows))
    if not seeds:
        return HTML("<p>No seed was measured of all rows: there are no poses to draw side by side.</p>")
    poses = {row.row: _poses(of, row.row, seeds[0]) for row in of.rows}
    val = study.data.val
    drawn = next(iter(poses.values()))
    people = [person for person in val.people() if person.annotation_id in drawn]
    if not people:
        return HTML("<p>Nobody of the val split has enough labelled keypoints outside the crop to be drawn.</p>")
    with style():
        figure, axes = plt.subplots(
            len(people), len(of.rows), figsize=(WIDTH * len(of.rows), HEIGHT * len(people)), squeeze=False
        )
        for line, person in zip(axes, people, strict=True):
            of_person = [poses[row.row][person.annotation_id] for row in of.rows]
            for axis, row, pose in zip(line, of.rows, of_person, strict=True):
                _draw(axis, person, pose, val.keypoints, ROW_COLOURS[row.row])
                _frame(axis, person, of_person)
        for axis, row in zip(axes[0], of.rows, strict=True):
            axis.set_title(row.label, color=ROW_COLOURS[row.row], fontsize=9)
        figure.tight_layout(pad=0.4)
    names = ", ".join(row.label for row in of.rows)
    cut = f"cut by {EXAMPLE_CUT.share:.0%} from the {EXAMPLE_CUT.side}"
    alt = f"{len(people)} people {cut}, with the poses of {names}."
    return as_html(figure, alt, _caption(len(people), study, seeds[0]), photo=True)


def faded(
    image: UInt8[np.ndarray, "height width 3"], cut: Cut, box: tuple[float, float, float, float]
) -> UInt8[np.ndarray, "height width 3"]:
    """The image with what is beyond the cut shown weakly."""
    left = cut.image(image, box)
    return (left + FADED * (image.astype(np.float32) - left)).astype(np.uint8)


def frame(points_image: Float[np.ndarray, "N 2"]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits of x and y that hold some points, with a margin; y goes down."""
    low, high = points_image.min(0), points_image.max(0)
    pad = MARGIN * float((high - low).max())
    return (float(low[0] - pad), float(high[0] + pad)), (float(high[1] + pad), float(low[1] - pad))


def _poses(of: Truncation, row: str, seed: int) -> Mapping[int, ExamplePose]:
    return {example.annotation_id: example for example in of.measured.of[row, seed].examples}


def _draw(axis: Axes, person: Person, example: ExamplePose, keypoints: KeypointSet, colour: str) -> None:
    pose = np.array(example.keypoints)
    labelled = person.visibility > 0
    axis.set_facecolor(DARK)
    axis.imshow(faded(read_image(person.image_path), EXAMPLE_CUT, person.box))
    for a, b in keypoints.skeleton:
        if labelled[a] and labelled[b]:
            axis.plot(*person.keypoints_image[[a, b]].T, color=TRUTH, linewidth=2.4, alpha=0.85)
        axis.plot(*pose[[a, b]].T, color=colour, linewidth=1.3)
    axis.plot(*pose.T, "o", color=colour, markersize=2.4)
    x0, y0, x1, y1 = example.crop
    axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=TRUTH, linewidth=1.0, linestyle="--"))


def _frame(axis: Axes, person: Person, of_person: Sequence[ExamplePose]) -> None:
    """All that is drawn of a person in any column, so that the columns are of one size."""
    points = [np.reshape(one.crop, (2, 2)) for one in of_person] + [np.array(one.keypoints) for one in of_person]
    xlim, ylim = frame(np.concatenate([*points, person.keypoints_image[person.visibility > 0]]))
    axis.set(xlim=xlim, ylim=ylim, xticks=[], yticks=[])
    axis.set_aspect("equal")
    for spine in axis.spines.values():
        spine.set_visible(False)


def _caption(people: int, study: TableStudy, seed: int) -> str:
    return (
        f"{people} people of the val split of {study.data.root.name}, drawn by lot among those with at least "
        f"{LEAST_OUTSIDE} labelled keypoints outside the crop after a cut of {EXAMPLE_CUT.share:.0%} from the "
        f"{EXAMPLE_CUT.side}; seed {seed}, the first that was measured of all rows. Coloured: predicted; white: "
        "labelled; dashed: the crop. What is shown weakly was black for the models; beyond the image there is nothing."
    )
