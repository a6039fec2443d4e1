"""Where a training that is under way is, as its folder says."""

from pathlib import Path

from pydantic import ValidationError

from poseur_lib.config.base import Frozen
from poseur_lib.files import POSITION_FILE, read_regular
from poseur_lib.progress import duration


class TrainingPosition(Frozen):
    """Where a training is.

    Attributes:
        epoch: the one that is under way, from 1.
        step: optimiser steps of it that are done, of `steps`.
        seconds_left: until the last epoch's end at the mean pace of this process; None before its first step.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    seconds_left: float | None = None

    @property
    def share(self) -> float:
        """Of the training that is done, 0 to 1."""
        return (self.epoch - 1 + self.step / self.steps) / self.epochs

    @property
    def words(self) -> str:
        """`epoch 2 of 3, step 310 of 809, 1 min left`."""
        left = "" if self.seconds_left is None else f", {duration(self.seconds_left)} left"
        return f"epoch {self.epoch} of {self.epochs}, step {self.step} of {self.steps}{left}"


def read_position(folder: Path) -> TrainingPosition | None:
    """Where the training in a folder was a second ago; None where none is under way."""
    try:
        return TrainingPosition.model_validate_json(read_regular(folder / POSITION_FILE))
    except (OSError, ValidationError):
        return None
