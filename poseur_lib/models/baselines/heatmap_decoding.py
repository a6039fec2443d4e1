"""Heatmaps as keypoints, and the merging of mirrored heatmaps; all keypoints of a batch at once.

Sources: quarter shift: code of SimpleBaseline and HRNet. "dark": DARK (Zhang et al., CVPR 2020, Sec. 3.2): Taylor
expansion of the smoothed log-heatmap around its maximum. "offset": UDP (Huang et al., CVPR 2020). What the papers leave
out (stencils, padding, bounds) follows mmpose 0.x, of which the released Poseur code is a fork.

Here, unlike there: a map whose maximum is not positive is decoded as any other (theirs gives -1); smoothed maps are not
scaled back to their old maximum (a factor is a constant in the logarithm); the kernels' sigmas follow the Gaussian's
and the disc's size, where theirs are set by hand (11 cells at 256x192, 17 at 384x288): the same at 256x192; beyond the
border lie zeros, as DARK's code has it, also for UDP, whose code mirrors the map there: a peak near the border then
merges with its mirror image, which costs nothing at 256x192 and half of the ceiling's AP at 64x48.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from poseur_lib.config.heads.heatmap import HeatmapCodecConfig
from poseur_lib.models.baselines.heatmap_encoding import disc_radius, encode, extent, heatmap_size

QUARTER = 0.25
DISC_BLUR, OFFSET_BLUR = 3.8 / 3.5, 2.0 / 3.5
"""Sigmas of the kernels of 23 and 11 cells that UDP's code smooths a disc of 3.5 cells with, in radii."""
DARK_FLOOR, UDP_RANGE = 1e-10, (0.001, 50.0)


def decode(
    codec: HeatmapCodecConfig, maps: Float[Tensor, "B K M h w"]
) -> tuple[Float[Tensor, "B K 2"], Float[Tensor, "B K"]]:
    """Keypoints in [0, 1] of the crop, and their scores: the maximum of the heatmap, or of the smoothed disc."""
    maps = maps.float()
    size = maps.shape[-2], maps.shape[-1]
    if codec.decoding == "offset":
        cells, scores = _by_offsets(maps, disc_radius(codec, size))
    else:
        heatmaps = maps[:, :, 0]
        x, y, scores = peaks(heatmaps)
        if codec.decoding == "quarter":
            moved = quarter_shift(heatmaps, x, y)
        else:
            moved = taylor_shift(_log_smoothed(codec, heatmaps), x, y, wide=not codec.unbiased)
        cells = torch.stack([x, y], dim=-1) + moved
    return cells / extent(size, codec.unbiased, cells), scores


def round_trip(
    codec: HeatmapCodecConfig, keypoints: Float[Tensor, "B K 2"], input_size: tuple[int, int]
) -> Float[Tensor, "B K 2"]:
    """Encoding and decoding of keypoints in [0, 1] of crops of (height, width).

    Of a keypoint outside of the crop, the nearest place inside is encoded, which is the best that a heatmap can do.
    """
    return decode(codec, encode(codec, keypoints.clamp(0, 1), heatmap_size(input_size)))[0]


def merge_flipped(
    codec: HeatmapCodecConfig,
    maps: Float[Tensor, "B K M h w"],
    flipped: Float[Tensor, "B K M h w"],
    flip_index: Int[Tensor, " K"],
) -> Float[Tensor, "B K M h w"]:
    """The mean of the maps of an image and of its mirror image, brought back: mirrored, left and right exchanged.

    By plain lengths, cell i of a mirrored crop shows what cell w - i - 1/4 (at a stride of 4) of the crop does, but the
    mirror image of the map has it at w - i - 1; so it is moved one cell to the right, its first column kept. By
    unbiased lengths nothing is to be moved. Offsets in x change their sign.
    """
    back = flipped[:, flip_index].flip(-1)
    if codec.decoding == "offset":
        discs, across, down = back.unbind(dim=2)
        back = torch.stack([discs, -across, down], dim=2)
    if codec.shift_flipped:
        back = torch.cat([back[..., :1], back[..., :-1]], dim=-1)
    return 0.5 * (maps + back)


def peaks(heatmaps: Float[Tensor, "B K h w"]) -> tuple[Int[Tensor, "B K"], Int[Tensor, "B K"], Float[Tensor, "B K"]]:
    """Column and row of the highest cell, and its value."""
    scores, flat = heatmaps.flatten(2).max(dim=2)
    width = heatmaps.shape[-1]
    return flat % width, flat // width, scores


def values_at(maps: Float[Tensor, "B K h w"], x: Int[Tensor, "B K"], y: Int[Tensor, "B K"]) -> Float[Tensor, "B K"]:
    """One value of each map; beyond the border, the border's."""
    height, width = maps.shape[-2:]
    flat = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    return maps.flatten(2).gather(2, flat[..., None])[..., 0]


def quarter_shift(
    heatmaps: Float[Tensor, "B K h w"], x: Int[Tensor, "B K"], y: Int[Tensor, "B K"]
) -> Float[Tensor, "B K 2"]:
    """A quarter of a cell towards the higher neighbour, on either axis; none where they are equal.

    Nor is there one in the first two columns and rows and in the last ones, as in the released code.
    """
    shift = QUARTER * _slope(heatmaps, x, y).sign()
    return shift * _within(heatmaps, x, y, 2, 1)[..., None]


def taylor_shift(
    logs: Float[Tensor, "B K h w"], x: Int[Tensor, "B K"], y: Int[Tensor, "B K"], *, wide: bool
) -> Float[Tensor, "B K 2"]:
    """-H^-1 g of the logarithm of a heatmap: the way from a cell to the maximum, exact for a Gaussian.

    Args:
        wide: second derivatives over two cells to either side, and no shift where those are not all there (DARK);
            otherwise over one, the border repeated (UDP).
    """
    dx, dy = _slope(logs, x, y).unbind(-1)
    reach = 2 if wide else 1
    here = 2 * values_at(logs, x, y)
    dxx = (values_at(logs, x + reach, y) - here + values_at(logs, x - reach, y)) / reach**2
    dyy = (values_at(logs, x, y + reach) - here + values_at(logs, x, y - reach)) / reach**2
    same = values_at(logs, x + 1, y + 1) + values_at(logs, x - 1, y - 1)
    dxy = 0.25 * (same - values_at(logs, x + 1, y - 1) - values_at(logs, x - 1, y + 1))
    determinant = dxx * dyy - dxy.square()
    solvable = determinant.abs() > torch.finfo(logs.dtype).eps
    if wide:
        solvable = solvable & _within(logs, x, y, 2, 2)
    shift = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=-1)
    return torch.where(solvable[..., None], shift / determinant.where(solvable, 1.0)[..., None], 0.0)


def _slope(maps: Tensor, x: Tensor, y: Tensor) -> Float[Tensor, "B K 2"]:
    right, left = values_at(maps, x + 1, y), values_at(maps, x - 1, y)
    below, above = values_at(maps, x, y + 1), values_at(maps, x, y - 1)
    return 0.5 * torch.stack([right - left, below - above], dim=-1)


def _within(maps: Tensor, x: Tensor, y: Tensor, before: int, after: int) -> Bool[Tensor, "B K"]:
    """At least `before` cells to the left and above, `after` to the right and below."""
    height, width = maps.shape[-2:]
    return (x >= before) & (y >= before) & (x < width - after) & (y < height - after)


def _log_smoothed(codec: HeatmapCodecConfig, heatmaps: Float[Tensor, "B K h w"]) -> Float[Tensor, "B K h w"]:
    smooth = smoothed(heatmaps, codec.sigma)
    return (smooth.clamp(*UDP_RANGE) if codec.unbiased else smooth.clamp(min=DARK_FLOOR)).log()


def _by_offsets(maps: Float[Tensor, "B K 3 h w"], radius: float) -> tuple[Float[Tensor, "B K 2"], Float[Tensor, "B K"]]:
    """The highest cell of the smoothed disc, plus what the smoothed offsets say there."""
    x, y, scores = peaks(smoothed(maps[:, :, 0], DISC_BLUR * radius))
    offsets = (smoothed(maps[:, :, axis], OFFSET_BLUR * radius) for axis in (1, 2))
    moved = torch.stack([values_at(offset, x, y) for offset in offsets], dim=-1)
    return torch.stack([x, y], dim=-1) + radius * moved, scores


def smoothed(maps: Float[Tensor, "B K h w"], sigma: float) -> Float[Tensor, "B K h w"]:
    """Maps under a Gaussian kernel; beyond the border lie zeros."""
    height, width = maps.shape[-2:]
    return _smoothing(height, sigma, maps) @ maps @ _smoothing(width, sigma, maps)


def _smoothing(length: int, sigma: float, like: Tensor) -> Float[Tensor, "n n"]:
    """The matrix that smooths a row; the kernel is as wide as OpenCV's that has this sigma by default."""
    reach = max(round((sigma - 0.8) / 0.3) + 1, 0)
    cells = torch.arange(length, device=like.device)
    distance = (cells[:, None] - cells).to(like.dtype)
    steps = torch.arange(-reach, reach + 1, device=like.device).to(like.dtype)
    total = torch.exp(-0.5 * (steps / sigma).square()).sum()
    return torch.exp(-0.5 * (distance / sigma).square()) * (distance.abs() <= reach) / total
