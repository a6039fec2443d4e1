"""Sine-cosine positional encodings of map cells and of points (supp. Sec. 7)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def sine_encoding(position: Float[Tensor, "*shape"], dims: int) -> Float[Tensor, "*shape {dims}"]:
    """PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos(pos / 10000^(2i/d)).

    Here pos is the coordinate times 2 pi.

    Args:
        position: coordinate, 1 is the far border.
        dims: d, even; the paper uses 128 an axis.
    """
    exponent = 2 * torch.arange(dims // 2, device=position.device, dtype=torch.float32) / dims
    phase = position[..., None].float() * (2 * math.pi) / 10000.0**exponent
    return torch.stack([phase.sin(), phase.cos()], dim=-1).flatten(-2)


def point_encoding(points: Float[Tensor, "*shape 2"], dims: int) -> Float[Tensor, "*shape {dims}"]:
    """Encoding of (x, y) points, in [0, 1] of the crop or beyond: half of the channels for x, then half for y.

    The order is the released code's.
    """
    return sine_encoding(points, dims // 2).flatten(-2)


def map_encoding(
    height: int, width: int, dims: int, device: torch.device | None = None, *, first: float = 0.5
) -> Float[Tensor, "P {dims}"]:
    """Encoding of the P cells of a map, row by row: half of the channels for y, then half for x, as in DETR.

    The order is not that of `point_encoding`; both are the released code's, and so is 1e-6.

    Args:
        dims: a multiple of 4.
        first: position of the first cell, in cells: 0.5 are the cells' centres, Poseur's; DETR, TransPose and TokenPose
            count from 1, so that the last one's phase is 2 pi.
    """
    y = (torch.arange(height, device=device) + first) / (height + 1e-6)
    x = (torch.arange(width, device=device) + first) / (width + 1e-6)
    y_part = sine_encoding(y, dims // 2)[:, None].expand(-1, width, -1)
    x_part = sine_encoding(x, dims // 2)[None].expand(height, -1, -1)
    return torch.cat([y_part, x_part], dim=-1).flatten(0, 1)
