"""Where half precision would cost accuracy."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def without_autocast(like: Tensor) -> AbstractContextManager:
    """What is computed inside keeps its precision on the device of `like`, whatever autocast is on outside.

    The meta device, on which costs are counted, has no autocast to switch off.
    """
    return nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)
