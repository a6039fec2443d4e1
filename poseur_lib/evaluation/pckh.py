"""PCKh: the share of joints that lie within a part of a head's length of their labels, as MPII's users count it.

- A head's length is `HEAD_SHARE` of the diagonal of the person's head box (MPII's `SC_BIAS`).
- A joint is hit at a distance of at most the threshold; pelvis and thorax are left out of every mean.
- **Two means** are in use, and they differ by half a point on one file: hits over joints of all kinds together (HRNet's
  code and mmpose, so Table 4's HRNet: joints weigh by their number), and the plain mean over the kinds of joints.
- **"PCKh@0.1"** is index 11 of thresholds 0, 0.01, ... in HRNet's code, which is 0.11, and 0.10 in mmpose.
- MPII's files count pixels from 1, and so do HRNet's labels of val; its predictions get 1 added before they are
  compared. Here everything counts from 0, which is the same difference.

Poses are compared one for one with the people in whose given place they were found: nothing is matched or ranked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer, Num

from poseur_lib.data.coco import Person, labels_of
from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.keypoints import KeypointSet

HEAD_SHARE = 0.6
THRESHOLDS = (0.5, 0.10, 0.11)
LEFT_OUT = ("pelvis", "thorax")
GROUPS = {
    "Head": ("head_top",),
    **{part.capitalize(): (f"left_{part}", f"right_{part}")
       for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")},
}  # fmt: skip
"""Columns of MPII's tables in HRNet's code; upper neck counts in the mean alone."""


class PckhMetrics(NamedTuple):
    """Both means (x 100) at each of `THRESHOLDS`; NaN without a labelled joint.

    Attributes:
        weighted: joints weigh by their number (HRNet's code, mmpose).
        unweighted: kinds of joints weigh alike.
        of_groups: at 0.5, by `GROUPS`: the mean of the left and the right joint.
    """

    weighted: tuple[float, ...]
    unweighted: tuple[float, ...]
    of_groups: dict[str, float]

    def text(self) -> str:
        """Two lines for a person."""
        said = [
            f"PCKh@{threshold:.2f} {all_joints:.2f} (mean over kinds of joints {kinds:.2f})"
            for threshold, all_joints, kinds in zip(THRESHOLDS, self.weighted, self.unweighted, strict=True)
        ]
        groups = "  ".join(f"{name} {value:.1f}" for name, value in self.of_groups.items())
        return f"{said[0]}  {groups}\n{', '.join(said[1:])}: both are printed as PCKh@0.1"


@dataclass(frozen=True, eq=False)
class JointHits:
    """Hits by threshold, joint and image: what PCKh of any resample of the images follows from.

    Attributes:
        hits: joints within each of `THRESHOLDS`.
        labelled: joints that count.
    """

    hits: Integer[np.ndarray, "T K I"]
    labelled: Integer[np.ndarray, "K I"]

    def weighted(self, weights: Num[np.ndarray, "n I"] | None = None, threshold: int = 0) -> Float[np.ndarray, " n"]:
        """The mean over all joints (x 100) where image i is there `weights[:, i]` times; once, if None."""
        weights = np.ones((1, self.labelled.shape[-1])) if weights is None else weights
        with np.errstate(invalid="ignore"):
            return 100 * (weights @ self.hits[threshold].sum(0)) / (weights @ self.labelled.sum(0))

    def metrics(self, names: Sequence[str]) -> PckhMetrics:
        """Of the images as they are; `names` are those of the K joints."""
        of_joints = self.hits.sum(-1) / np.maximum(self.labelled.sum(-1), 1)
        counted = self.labelled.sum(-1) > 0
        groups = {
            group: _mean(of_joints[0, chosen], counted[chosen])
            for group, members in GROUPS.items()
            for chosen in [[names.index(name) for name in members if name in names]]
        }
        return PckhMetrics(
            tuple(float(self.weighted(threshold=index)[0]) for index in range(len(THRESHOLDS))),
            tuple(_mean(one, counted) for one in of_joints),
            groups,
        )


def _mean(shares: Float[np.ndarray, " K"], counted: Bool[np.ndarray, " K"]) -> float:
    return 100 * float(shares[counted].mean()) if counted.any() else float("nan")


def head_sizes(head_boxes: Float[np.ndarray, "N 4"]) -> Float[np.ndarray, " N"]:
    """Heads' lengths in pixels from their boxes (left, top, right, bottom)."""
    return HEAD_SHARE * np.linalg.norm(head_boxes[:, 2:] - head_boxes[:, :2], axis=1)


def joint_hits(
    keypoints_image: Float[np.ndarray, "N K 2"],
    truth_image: Float[np.ndarray, "N K 2"],
    labelled: Bool[np.ndarray, "N K"],
    head_boxes: Float[np.ndarray, "N 4"],
    names: Sequence[str],
    of_image: Integer[np.ndarray, " N"] | None = None,
    images: int = 0,
) -> JointHits:
    """Hits of N people's poses, all in one frame of pixels.

    Args:
        head_boxes: (left, top, right, bottom).
        names: of the K joints; those of `LEFT_OUT` count for nothing.
        of_image: place of each person's image, of `images` there are; None: each person is an image.

    Raises:
        ValueError: a head box is empty; the message names the person.
    """
    sizes = head_sizes(head_boxes)
    if (sizes <= 0).any():
        bad = int(np.argmax(sizes <= 0))
        raise ValueError(f"person {bad}: head box {head_boxes[bad].tolist()} is empty, so PCKh has no length")
    counts = labelled & ~np.isin(np.asarray(names), LEFT_OUT)
    distance = np.linalg.norm(keypoints_image.astype(np.float64) - truth_image, axis=-1) / sizes[:, None]
    of_image = np.arange(len(sizes)) if of_image is None else of_image
    each = np.stack([counts, *(counts & (distance <= threshold) for threshold in THRESHOLDS)])
    total = np.zeros((images or len(sizes), len(each), len(names)), np.int64)
    np.add.at(total, of_image, each.transpose(1, 0, 2))
    total = total.transpose(1, 2, 0)
    return JointHits(total[1:], total[0])


def hits_of_people(
    predictions: PredictedPeople, people: Sequence[Person], keypoints: KeypointSet, images: Sequence[int]
) -> JointHits:
    """Hits of the poses that were found at the people's own boxes, in their order.

    Args:
        images: ids of all images, in ascending order.

    Raises:
        UserError: somebody has no head box.
    """
    boxes = [person.head_box for person in people if person.head_box is not None]
    if len(boxes) < len(people):
        without = next(person.annotation_id for person in people if person.head_box is None)
        raise UserError(f"annotation {without}: no head_box, which PCKh needs; {len(boxes)} of {len(people)} have one")
    truth, visibility, _ = labels_of(people)
    of_image = np.searchsorted(np.asarray(images), predictions.image_id)
    return joint_hits(
        predictions.keypoints_image(), truth, visibility > 0, np.array(boxes), keypoints.names, of_image, len(images)
    )
