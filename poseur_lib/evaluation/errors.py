"""What kind of error each predicted keypoint makes: jitter, inversion, swap or miss.

The types are those of Ruggero Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation"
(ICCV 2017), in our own implementation. A prediction and a place are compared by the keypoint similarity of OKS,
exp(-d^2 / (2 area k^2)), with k and area of the keypoint and person that the place belongs to:

- good: at least 0.85 to the place itself; jitter: at least 0.5, but less.
- inversion: at least 0.5 to the mirrored keypoint of the same person.
- swap: at least 0.5 to this keypoint, or the mirrored one, of another person in the image.
- miss: none of these.

Whoever is near the own place is good or jitter whatever else is near; between inversion and swap the nearer place
decides. Here: poses predicted from people's own ground-truth boxes, one for one, so that nothing depends on scores or
on a matching, as it does in their analysis of detections.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int

from poseur_lib.evaluation.oks import keypoint_similarity
from poseur_lib.keypoints import KeypointSet

GOOD_FROM = 0.85
NEAR_FROM = 0.5
UNLABELLED = -1


class ErrorType(IntEnum):
    """Types of errors, and that there is none."""

    GOOD = 0
    JITTER = 1
    INVERSION = 2
    SWAP = 3
    MISS = 4

    @property
    def word(self) -> str:
        """In lower case."""
        return self.name.lower()


def error_types(
    keypoints_image: Float[np.ndarray, "P K 2"],
    truth_image: Float[np.ndarray, "P K 2"],
    labelled: Bool[np.ndarray, "P K"],
    area: Float[np.ndarray, "P"],
    keypoints: KeypointSet,
) -> Int[np.ndarray, "P K"]:
    """The `ErrorType` of every keypoint of all people of one image; `UNLABELLED` where there is no truth.

    Args:
        keypoints_image: predicted for person p, in row p.
        truth_image: where the keypoints are; all people who may be taken for another belong here.
    """
    mirror = np.array(keypoints.flip_index)
    straight = _between_people(keypoints_image, truth_image, labelled, area, keypoints.oks_sigmas)
    sigmas = tuple(keypoints.oks_sigmas[index] for index in keypoints.flip_index)
    mirrored = _between_people(keypoints_image, truth_image[:, mirror], labelled[:, mirror], area, sigmas)
    mirrored[..., mirror == np.arange(len(mirror))] = 0.0
    people = np.arange(len(area))
    own, inverted = straight[people, people], mirrored[people, people]
    others = np.maximum(straight, mirrored)
    others[people, people] = 0.0
    swapped = others.max(axis=1, initial=0.0)
    types = np.full(own.shape, int(ErrorType.MISS))
    types[(swapped >= NEAR_FROM) & (swapped > inverted)] = ErrorType.SWAP
    types[(inverted >= NEAR_FROM) & (inverted >= swapped)] = ErrorType.INVERSION
    types[own >= NEAR_FROM] = ErrorType.JITTER
    types[own >= GOOD_FROM] = ErrorType.GOOD
    return np.where(labelled, types, UNLABELLED)


def _between_people(
    predicted: Float[np.ndarray, "P K 2"],
    truth: Float[np.ndarray, "P K 2"],
    labelled: Bool[np.ndarray, "P K"],
    area: Float[np.ndarray, "P"],
    oks_sigmas: Sequence[float],
) -> Float[np.ndarray, "P P K"]:
    """Similarity of what is predicted for person p (first axis) to the places of person q (second); 0: no place."""
    pairs = (len(area), len(area))
    spread = np.broadcast_to(predicted[:, None], (*pairs, *predicted.shape[1:]))
    places = np.broadcast_to(truth[None], (*pairs, *truth.shape[1:]))
    return keypoint_similarity(spread, places, np.broadcast_to(area, pairs), oks_sigmas) * labelled[None]
