"""Keypoint scores from sigma (Sec. 3.3)."""

from jaxtyping import Float
from torch import Tensor


def laplace_scores(sigma: Float[Tensor, "*shape 2"], radius: float = 0.2) -> Float[Tensor, "*shape"]:
    """Probability that a keypoint lies within `radius` of its prediction on both axes (Eq. 8).

    The two axes are scored apart and multiplied (Sec. 3.3); sigma stands for the Laplace scale b, as in the paper.

    Args:
        sigma: scale per axis (x, y), as a fraction of the crop side.
        radius: half-width `a` of the interval, same unit; the paper uses 0.2.

    Raises:
        ValueError: `radius` is not positive.
    """
    if radius <= 0:
        raise ValueError(f"radius {radius} is not positive")
    return (1 - (-radius / sigma).exp()).prod(dim=-1)


def rle_scores(sigma: Float[Tensor, "*shape 2"]) -> Float[Tensor, "*shape"]:
    """RLE's score: the mean of 1 - sigma over the axes; the released code's default."""
    return (1 - sigma).mean(dim=-1)
