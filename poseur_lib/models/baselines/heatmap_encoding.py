"""Keypoints as heatmaps: what the methods that predict heatmaps are trained on.

Maps are [B, K, M, h, w], M maps a keypoint, h x w cells. By the plain crop rule cell i stands for i / w of the crop's
width (no half cell, as in the code of SimpleBaseline and HRNet), by the unbiased one (UDP) for i / (w - 1).

Sources: SimpleBaseline (Xiao et al., ECCV 2018) and HRNet (Sun et al., CVPR 2019): Gaussians, sigma 2 cells, cut off 3
sigma from their cell; the paper does not say that the centre is rounded to a cell, the released code does. DARK (Zhang
et al., CVPR 2020): exact centres. UDP (Huang et al., CVPR 2020): exact centres in unbiased lengths, or a disc and two
maps of offsets.

Here, unlike there: Gaussians with exact centres are not cut off (UDP's code does at 3 sigma, where they are 0.011); a
keypoint outside of the crop has no weight (theirs do as long as its Gaussian touches the map).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from poseur_lib.config.heads.base import HEATMAP_STRIDE
from poseur_lib.config.heads.heatmap import HeatmapCodecConfig
from poseur_lib.errors import UserError

CUT_OFF = 3
"""Gaussians around rounded centres reach so many sigmas on either axis."""


def size_text(size: Sequence[int]) -> str:
    """A size (height, width), as errors print it."""
    return "x".join(map(str, size))


def heatmap_size(input_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the heatmaps of an input.

    Raises:
        UserError: a side of the input is no multiple of 4, so that heatmaps do not cover it.
    """
    height, width = input_size
    if height % HEATMAP_STRIDE or width % HEATMAP_STRIDE:
        raise UserError(f"input size {size_text(input_size)}: heatmaps need multiples of {HEATMAP_STRIDE}")
    return height // HEATMAP_STRIDE, width // HEATMAP_STRIDE


def extent(size: tuple[int, int], unbiased: bool, like: Tensor) -> Float[Tensor, "2"]:
    """Cells (x, y) that make up [0, 1] of the crop, of heatmaps of `size` (height, width)."""
    height, width = (side - unbiased for side in size)
    return torch.cat([like.new_full((1,), width), like.new_full((1,), height)])  # a list would be copied to a GPU


def encode(
    codec: HeatmapCodecConfig, keypoints: Float[Tensor, "B K 2"], size: tuple[int, int]
) -> Float[Tensor, "B K M h w"]:
    """The maps of keypoints in [0, 1] of the crop; of those outside of it, what lies inside.

    Args:
        size: (height, width) of the heatmaps.
    """
    cells = keypoints.float() * extent(size, codec.unbiased, keypoints.float())
    if codec.decoding == "offset":
        return disc_and_offsets(cells, size, disc_radius(codec, size))
    return gaussians(cells, size, codec.sigma, rounded=codec.centers == "rounded")[:, :, None]


def gaussians(
    cells: Float[Tensor, "B K 2"], size: tuple[int, int], sigma: float, *, rounded: bool
) -> Float[Tensor, "B K h w"]:
    """Gaussians of height 1 around `cells` (x, y), or around the cells next to them."""
    height, width = size
    centers = (cells + 0.5).floor() if rounded else cells
    x = _gaussian(centers[..., 0], width, sigma, cut=rounded)
    y = _gaussian(centers[..., 1], height, sigma, cut=rounded)
    return y[..., :, None] * x[..., None, :]


def _gaussian(center: Float[Tensor, "B K"], length: int, sigma: float, *, cut: bool) -> Float[Tensor, "B K n"]:
    distance = torch.arange(length, device=center.device, dtype=center.dtype) - center[..., None]
    values = torch.exp(-0.5 * (distance / sigma).square())
    return values * (distance.abs() <= CUT_OFF * sigma) if cut else values


def disc_radius(codec: HeatmapCodecConfig, size: tuple[int, int]) -> float:
    """Radius of UDP's disc in cells: 3.5 on heatmaps of 64x48."""
    return codec.offset_radius * max(size)


def require_discs(codec: HeatmapCodecConfig, input_size: tuple[int, int]) -> None:
    """Whether every keypoint of crops of (height, width) has a cell in its disc: a cell may be 1 / sqrt(2) away.

    Raises:
        UserError: the discs are smaller, so that some keypoints would not be learned.
    """
    if codec.decoding == "offset" and disc_radius(codec, heatmap_size(input_size)) < 0.5**0.5:
        raise UserError(
            f"input size {size_text(input_size)}: model.head.codec.offset_radius {codec.offset_radius} makes discs of"
            f" {disc_radius(codec, heatmap_size(input_size)):.2f} cells, which miss some keypoints' cells: 0.71 are"
            " needed"
        )


def disc_and_offsets(cells: Float[Tensor, "B K 2"], size: tuple[int, int], radius: float) -> Float[Tensor, "B K 3 h w"]:
    """UDP's three maps: 1 within `radius` of the keypoint, and the way to it in x and y, in radii.

    Released code: the offsets are 0 outside of the disc. Here: they go on; the loss looks inside of the disc alone.
    """
    height, width = size
    x = (cells[..., 0, None] - torch.arange(width, device=cells.device, dtype=cells.dtype)) / radius
    y = (cells[..., 1, None] - torch.arange(height, device=cells.device, dtype=cells.dtype)) / radius
    x, y = torch.broadcast_tensors(x[..., None, :], y[..., :, None])
    disc = (x.square() + y.square() <= 1).to(cells.dtype)
    return torch.stack([disc, x, y], dim=2)


def bilinear_maps(cells: Float[Tensor, "B K 2"], size: tuple[int, int]) -> Float[Tensor, "B K h w"]:
    """A distribution on the cells around each of `cells`, of which that is the expectation where it lies on the map."""
    height, width = size
    x, y = (
        (1 - (torch.arange(length, device=cells.device) - place.clamp(0, length - 1)[..., None]).abs()).clamp(min=0)
        for place, length in ((cells[..., 0], width), (cells[..., 1], height))
    )
    return y[..., :, None] * x[..., None, :]
