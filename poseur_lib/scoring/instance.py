"""The score of a person from its box and its keypoints."""

from enum import StrEnum
from typing import get_args

import numpy as np
from jaxtyping import Float

from poseur_lib.config.evaluation import InstanceRule
from poseur_lib.errors import UserError

CLASSIC_THRESHOLD = 0.2
MULTIPLYING: tuple[InstanceRule, ...] = ("paper", "classic")


class Scoring(StrEnum):
    """What the instance score of a person is made of (Table 1c)."""

    BOX = "box score alone"
    RLE = "RLE score"
    EQ8_SIGMA = "Laplace score (Eq. 8)"
    FLOW = "flow's density (Eq. 6)"


def instance_scores(
    bbox_scores: Float[np.ndarray, " B"], keypoint_scores: Float[np.ndarray, "B K"], rule: InstanceRule
) -> Float[np.ndarray, " B"]:
    """Scores by which people are ranked in AP.

    Args:
        bbox_scores: confidence of the detector; not negative where the rule multiplies by it.
        keypoint_scores: any keypoint score.
        rule: "paper": box x mean (Eq. 5). "released": box + mean + max, as all released Poseur configurations.
            "classic": box x mean of the keypoint scores above 0.2, 0 where none is. "box": box alone.

    Raises:
        ValueError: another rule.
        UserError: as `require_factors`.
    """
    require_factors(bbox_scores, rule)
    if rule == "box":
        return bbox_scores
    if rule == "paper":
        return bbox_scores * keypoint_scores.mean(axis=1)
    if rule == "released":
        return bbox_scores + keypoint_scores.mean(axis=1) + keypoint_scores.max(axis=1)
    if rule != "classic":
        raise ValueError(f"instance score {rule!r}, expected one of {', '.join(get_args(InstanceRule))}")
    counted = keypoint_scores > CLASSIC_THRESHOLD
    return bbox_scores * (keypoint_scores * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)


def require_factors(bbox_scores: Float[np.ndarray, " B"], rule: InstanceRule, source: str = "") -> None:
    """Check that a rule which multiplies by the box score keeps the order: by a logit below 0, better poses rank lower.

    Args:
        source: whose scores they are, for the message.

    Raises:
        UserError: one is negative.
    """
    if rule in MULTIPLYING and (bbox_scores < 0).any():
        raise UserError(
            f"{source and f'{source}: '}box score {bbox_scores.min():g} is negative, and instance score {rule!r}"
            " multiplies by it: give probabilities, or rank by 'box'"
        )
