"""The moving average of weights (`train.ema_decay`)."""

from itertools import compress

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel


class MovingAverage(AveragedModel):
    """Of a network's parameters and floating-point buffers; other buffers, which count and index, are copied.

    Its state is that of torch's class, which waits for the GPU at every update; this one does so at the first.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, use_buffers=True)
        self.decay = decay
        self._begun = False

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Follows one step of the network; at the first one, it becomes the network."""
        self._begun = self._begun or int(self.n_averaged) > 0
        averages, values = ([*one.parameters(), *one.buffers()] for one in (self.module, model))
        follows = [self._begun and one.is_floating_point() for one in averages]
        for average, value, averaged in zip(averages, values, follows, strict=True):
            if not averaged:
                average.copy_(value)
        if self._begun:
            torch._foreach_lerp_([*compress(averages, follows)], [*compress(values, follows)], 1 - self.decay)
        self._begun = True
        self.n_averaged += 1
