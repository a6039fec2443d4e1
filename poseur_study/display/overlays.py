"""Predicted skeletons over their images."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from IPython.display import HTML

from poseur_lib.predict.person_pose import KEYPOINT_THRESHOLD, ImagePoses
from poseur_study.display.style import as_html, style

COLUMNS = 3
WIDTH, TITLE = 2.9, 0.25  # inches of a picture and of the line above it


def overlays_figure(
    poses: Sequence[ImagePoses], names: Sequence[str], title: str, threshold: float = KEYPOINT_THRESHOLD
) -> HTML:
    """The images with their people's skeletons, a few a row.

    Args:
        names: of the images.
        title: of the caption, a sentence: whose poses these are.
    """
    columns = min(COLUMNS, len(poses))
    rows = -(-len(poses) // columns)
    aspects = [one.image.shape[0] / one.image.shape[1] for one in poses]
    heights = [WIDTH * max(aspects[row * columns : (row + 1) * columns]) + TITLE for row in range(rows)]
    with style():
        layout = {"figsize": (WIDTH * columns, sum(heights)), "gridspec_kw": {"height_ratios": heights}}
        figure, axes = plt.subplots(rows, columns, squeeze=False, **layout)
        for axis in axes.flat:
            axis.axis("off")
            axis.set_anchor("N")
        for axis, one, name in zip(axes.flat, poses, names, strict=False):
            axis.imshow(one.draw(threshold))
            axis.set_title(name, fontsize=8)
        figure.tight_layout(pad=0.3)
    people = [person for one in poses for person in one.people]
    counted = (
        f"{len(people)} {'person' if len(people) == 1 else 'people'} on {len(poses)} image{'s' * (len(poses) > 1)}"
    )
    unsure = sum(int((person.keypoint_scores < threshold).sum()) for person in people)
    total = sum(len(person.keypoint_scores) for person in people)
    caption = (
        f"{title} {counted}. Left limbs blue, right ones orange; the surer a keypoint, the more opaque; empty rings: "
        f"score below {threshold:g} ({unsure} of {total} keypoints). The number at a box is the person's score."
    )
    return as_html(figure, f"{counted}, with predicted skeletons.", caption, photo=True)
