"""Does a score order keypoints as their errors do? Nothing is asked of the score's own scale."""

import numpy as np
from jaxtyping import Bool, Float, Int


class Ranks:
    """Values that are ranked again for any weights; ties share their mean rank. Sorted once."""

    def __init__(self, values: Float[np.ndarray, "E"]) -> None:
        distinct, self.group = np.unique(values, return_inverse=True)
        self.groups = len(distinct)

    def __call__(self, weights: Float[np.ndarray, "E"]) -> Float[np.ndarray, "E"]:
        """Mean rank of each value where value e is there `weights[e]` times: what lies below it, and half its own."""
        mass = np.bincount(self.group, weights=weights, minlength=self.groups)
        return (np.cumsum(mass) - mass / 2)[self.group]


def auroc(ranks: Ranks, hit: Bool[np.ndarray, "E"], weights: Float[np.ndarray, "E"]) -> float:
    """Probability that a hit has a higher score than a miss, ties counting half; NaN without either.

    Args:
        ranks: of the scores.
    """
    hits, misses = weights @ hit, weights @ ~hit
    if hits == 0 or misses == 0:
        return float("nan")
    below = ranks(weights * ~hit)
    return float((weights * hit) @ below / (hits * misses))


def spearman(a: Ranks, b: Ranks, weights: Float[np.ndarray, "E"]) -> float:
    """Correlation of the ranks of two values; NaN where one of them is constant."""
    centred = []
    for ranks in (a(weights), b(weights)):
        centred.append(ranks - weights @ ranks / weights.sum())
    x, y = centred
    spread = np.sqrt((weights @ x**2) * (weights @ y**2))
    return float(weights @ (x * y) / spread) if spread > 0 else float("nan")


def image_weights(counts: Int[np.ndarray, "I"], image: Int[np.ndarray, "E"]) -> Float[np.ndarray, "E"]:
    """How often each keypoint is in a resample that has its image `counts` times."""
    return counts.astype(np.float64)[image]
