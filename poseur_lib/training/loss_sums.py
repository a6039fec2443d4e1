"""Sums of the loss terms over an epoch, kept where they are computed, so that no step waits for a GPU."""

import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from poseur_lib.models.pose_model import LossTerms

STEPS_BETWEEN_LOOKS = {"cpu": 1, "cuda": 50}
"""After so many steps it is looked whether a term was not finite; on a processor nothing waits, so at every one."""


class LossValues(NamedTuple):
    """The total and the terms of a batch, without their graph."""

    names: tuple[str, ...]
    values: Float[Tensor, " terms"]


class NotFinite(NamedTuple):
    """A loss term that is NaN or infinite, and the optimiser step of its batch."""

    name: str
    value: float
    step: int


def detached(losses: LossTerms) -> LossValues:
    """The numbers of a batch's loss."""
    values = torch.stack([losses.total.detach(), *(term.detach() for term in losses.terms.values())])
    return LossValues(("total", *losses.terms), values)


class LossSums:
    """Of one epoch.

    Args:
        accumulate: batches of an optimiser step.
    """

    def __init__(self, accumulate: int = 1) -> None:
        self.batches = 0
        self._totals: deque[Tensor] = deque(maxlen=accumulate)
        self._names: tuple[str, ...] = ()
        self._sums = self._bad_values = self._bad_step = torch.zeros(())

    def add(self, losses: LossValues, step: int) -> None:
        """One more batch, of the given optimiser step."""
        values = losses.values.double()
        if not self.batches:
            self._names, self._sums, self._bad_values = losses.names, torch.zeros_like(values), values
            self._bad_step = torch.full((), -1, device=values.device)
        self.batches += 1
        self._sums = self._sums + values
        self._totals.append(values[0])
        first = ~values.isfinite().all() & (self._bad_step < 0)
        self._bad_step = torch.where(first, step, self._bad_step)
        self._bad_values = torch.where(first, values, self._bad_values)

    @property
    def look_is_due(self) -> bool:
        """True every so many batches."""
        return self.batches % STEPS_BETWEEN_LOOKS.get(self._sums.device.type, 1) == 0

    def not_finite(self) -> NotFinite | None:
        """The first term of the first batch that was not finite; waits for the device."""
        step = int(self._bad_step)
        if not self.batches or step < 0:
            return None
        named = list(zip(self._names, self._bad_values.tolist(), strict=True))
        name, value = next(one for one in (*named[1:], named[0]) if not math.isfinite(one[1]))
        return NotFinite(name, value, step)

    def step_loss(self, over_devices: Callable[[Tensor], Tensor]) -> float:
        """The total of the optimiser step whose last batch was the last one; `over_devices` as of `means`."""
        return float(over_devices(torch.stack(tuple(self._totals)).mean()))

    def means(self, over_devices: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """By the terms' names, "total" among them.

        Args:
            over_devices: the mean of a tensor over all devices, which have as many batches each.
        """
        sums = over_devices(self._sums).tolist()
        return {name: value / self.batches for name, value in zip(self._names, sums, strict=True)}
