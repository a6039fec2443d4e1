"""Predicted skeletons over images: of whole images, and of people over what is labelled."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from jaxtyping import Float
from matplotlib.axes import Axes

from poseur_lib.data.coco import Person
from poseur_lib.data.images import read_image
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.oks import oks_of_people
from poseur_lib.keypoints import KeypointSet
from poseur_lib.predict.drawing import COLORBLIND
from poseur_lib.predict.people import KEYPOINT_THRESHOLD
from poseur_lib.predict.predictor import ImagePoses
from poseur_study.display.figure import as_html
from poseur_study.display.style import style

COLUMNS = 3
WIDTH, TITLE = 2.9, 0.25  # inches of a picture and of the line above it
OURS, TRUTH = COLORBLIND[1], "#ffffff"


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
    scores = [person.keypoint_scores for one in poses for person in one.people]
    unsure, total = sum(int((of < threshold).sum()) for of in scores), sum(map(len, scores))
    people, images = "person" if len(scores) == 1 else "people", "images" if len(poses) > 1 else "image"
    counted = f"{len(scores)} {people} on {len(poses)} {images}"
    caption = (
        f"{title} {counted}. Left limbs blue, right ones orange; the surer a keypoint, the more opaque; empty rings: "
        f"score below {threshold:g} ({unsure} of {total} keypoints). The number at a box is the person's score."
    )
    return as_html(figure, f"{counted}, with predicted skeletons.", caption, photo=True)


def examples_figure(
    predictions: PredictedPeople, people: Sequence[Person], keypoints: KeypointSet, title: str, n: int = 6
) -> HTML:
    """Predictions of n people, evenly spaced from the worst OKS to the best, over what is labelled.

    Args:
        predictions: for the people's own boxes, in their order.
    """
    similarity = oks_of_people(predictions, people, keypoints)
    order = np.argsort(similarity, kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(n, len(order))).round().astype(int)]
    poses = predictions.select(chosen).keypoints_image()
    with style():
        figure, axes = plt.subplots(1, len(chosen), figsize=(1.6 * len(chosen), 2.5), squeeze=False)
        for axis, index, pose in zip(axes[0], chosen, poses, strict=True):
            _draw(axis, people[index], pose, keypoints)
            axis.set_title(f"OKS {similarity[index]:.2f}", fontsize=8)
        figure.tight_layout(pad=0.3)
    alt = f"{len(chosen)} people with predicted and labelled skeletons, OKS from {similarity.min():.2f} to "
    caption = (
        f"{title}: prediction (orange) over label (white, labelled keypoints only) of {len(chosen)} of {len(people)} "
        "people, evenly spaced from the worst OKS to the best."
    )
    return as_html(figure, alt + f"{similarity.max():.2f}.", caption, photo=True)


def _draw(axis: Axes, person: Person, pose: Float[np.ndarray, "K 2"], keypoints: KeypointSet) -> None:
    x, y, width, height = person.box
    pad = 0.15 * max(width, height)
    axis.imshow(read_image(person.image_path))
    draw_pose_over_label(axis, person, pose, keypoints, OURS)
    axis.set(xlim=(x - pad, x + width + pad), ylim=(y + height + pad, y - pad))
    axis.set_aspect("equal")
    axis.axis("off")


def draw_pose_over_label(
    axis: Axes, person: Person, pose: Float[np.ndarray, "K 2"], keypoints: KeypointSet, colour: str
) -> None:
    """A predicted skeleton over the labelled one (white, labelled keypoints only), in image pixels."""
    labelled = person.visibility > 0
    for a, b in keypoints.skeleton:
        if labelled[a] and labelled[b]:
            axis.plot(*person.keypoints_image[[a, b]].T, color=TRUTH, linewidth=2.3, alpha=0.9)
        axis.plot(*pose[[a, b]].T, color=colour, linewidth=1.3)
