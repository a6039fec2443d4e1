"""Where a training is, in words on the console, and in a file for whoever watches the folder."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning as L

from poseur_lib.files import POSITION_FILE
from poseur_lib.progress import ProgressLine
from poseur_lib.training.position import TrainingPosition

SECONDS_BETWEEN_LOOKS = 1.0


class PositionCallback(L.Callback):
    """Tells where the training is, once a second, and at every epoch's end.

    Args:
        name: what is trained, in words.
        shown: on the console too.
    """

    def __init__(self, folder: Path, name: str, shown: bool) -> None:
        self.file, self.name = folder / POSITION_FILE, name
        self.line = ProgressLine() if shown else None
        self._started, self._looked, self._share = 0.0, 0.0, 0.0

    def on_train_start(self, trainer: L.Trainer, loop: Any) -> None:
        """The pace is that of what comes now."""
        self._started, self._share = time.monotonic(), self._position(trainer, loop, 0).share

    def on_train_batch_end(self, trainer: L.Trainer, loop: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """A look, where the last one was a second ago."""
        now, step = time.monotonic(), (batch_idx + 1) // loop.batches.accumulate
        if trainer.is_global_zero and (now - self._looked >= SECONDS_BETWEEN_LOOKS or step == loop.batches.steps):
            self._looked = now
            self._tell(self._position(trainer, loop, step))

    def on_fit_end(self, trainer: L.Trainer, loop: Any) -> None:
        """Nothing is under way any more."""
        self._end(trainer)

    def on_exception(self, trainer: L.Trainer, loop: Any, exception: BaseException) -> None:
        """Nor here."""
        self._end(trainer)

    def _position(self, trainer: L.Trainer, loop: Any, step: int) -> TrainingPosition:
        epochs, steps = trainer.max_epochs or loop.config.epochs, loop.batches.steps
        at = TrainingPosition(epoch=min(loop.current_epoch + 1, epochs), epochs=epochs, step=step, steps=steps)
        if at.share <= self._share:
            return at
        pace = (time.monotonic() - self._started) / (at.share - self._share)
        return at.with_changes(seconds_left=pace * (1 - at.share))

    def _tell(self, at: TrainingPosition) -> None:
        temporary = self.file.with_name(f".{self.file.name}")
        with suppress(OSError):  # training is not stopped for that
            temporary.write_text(json.dumps(at.model_dump()))
            temporary.replace(self.file)  # whole or not at all; not synced, as nothing is lost with it
        if self.line is not None:
            self.line.show(f"{self.name}: {at.words}", news=str(at.epoch - (at.step < at.steps)))

    def _end(self, trainer: L.Trainer) -> None:
        if trainer.is_global_zero:
            self.file.unlink(missing_ok=True)
        if self.line is not None:
            self.line.close()
