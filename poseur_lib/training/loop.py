"""The one training loop behind poses and pretext: Lightning, seeded so that a resumed run equals an unbroken one."""

import io
import logging
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from itertools import compress
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.plugins.io import TorchCheckpointIO
from timm.layers import convert_sync_batchnorm
from torch import nn

from poseur_lib.checkpoints.origin import GENERATED_DATA
from poseur_lib.checkpoints.recorded import damage, damaged
from poseur_lib.config.base import Frozen
from poseur_lib.config.training import TrainConfig
from poseur_lib.cuda_graph import cuda_graph
from poseur_lib.data.batches import reading
from poseur_lib.errors import UserError, listed
from poseur_lib.files import CURVE_FILE, atomic_file
from poseur_lib.runtime import Runtime
from poseur_lib.training.batches import Batches
from poseur_lib.training.curve import WAYS, Curve, CurvePoint, number_words, write_curve
from poseur_lib.training.loggers import STEPS_BETWEEN, end_logger, point_metrics, training_logger
from poseur_lib.training.loss_sums import LossSums, LossValues, detached
from poseur_lib.training.optimiser import align_states, never_reached, optimiser_and_schedule, parameter_groups
from poseur_lib.training.progress import PositionCallback
from poseur_lib.training.step import (
    Chosen,
    GraphedStep,
    LossOf,
    choose,
    compile_backbone,
    reason_of,
    seed_generators,
    uncompile,
    uncompiled,
)
from poseur_lib.training.weight_average import MovingAverage

LISTED = 4
Measure = Callable[[Any], dict[str, float]]
"""Numbers of a network for the learning curve, by the names of `CurvePoint`."""


class TrainingLoop(L.LightningModule):
    """A network, its loss on a batch, and the recipe.

    Randomness inside a step (noise, dropout) is seeded by (seed, epoch, batch, rank); the order of the data and its
    augmentation by (seed, epoch). So nothing depends on when the run was interrupted.

    Args:
        network: what is trained.
        loss_of: the loss terms of the network on a batch.
        config: the recipe.
        run: configuration of the whole run; a checkpoint of another one is refused.
        measure_every: epochs between two measurements.
        last_checkpoint: what it resumes from, and where the state after every epoch goes.
        slow: parameters at the reduced learning rate.
        unreached: parameters that no loss depends on.
        generated_data: as of `save_weights`, of the checkpoint.
    """

    def __init__(
        self,
        *,
        network: nn.Module,
        loss_of: LossOf,
        batches: Batches,
        config: TrainConfig,
        run: Frozen,
        seed: int,
        measure: Measure,
        measure_every: int,
        last_checkpoint: Path,
        slow: tuple[nn.Parameter, ...] = (),
        unreached: tuple[nn.Parameter, ...] = (),
        generated_data: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        if config.freeze == "backbone":
            network.get_submodule("backbone").requires_grad_(False)
        self.loss_of, self.batches, self.config, self.run, self.seed = loss_of, batches, config, run, seed
        decay = config.ema_decay
        self.average = None if decay is None else MovingAverage(network, decay)
        self.groups = parameter_groups(network, slow, config)
        # Several devices wait for the gradient of every weight that requires one. Weights that no loss reaches stay in
        # the optimiser, which passes them over: checkpoints are the same on one device and on several.
        for parameter in (*unreached, *(() if self.average is None else self.average.parameters())):
            parameter.requires_grad_(False)
        self.measure, self.measure_every = measure, measure_every
        self.last_checkpoint, self.generated_data = last_checkpoint, generated_data
        self.curve: Curve = ()
        self.chosen, self.precision, self.devices = Chosen("none"), "32", 1
        self._graphed: GraphedStep | None = None
        self._sums, self._images = LossSums(batches.accumulate), 0
        self._epoch_started = self._learning_rate = 0.0

    def run_by(self, runtime: Runtime) -> None:
        """Take the way that `runtime` asks for, or the reason why not, which is said."""
        recordable = getattr(self.network, "recordable", True)
        self.chosen = choose(runtime, self.batches.accumulate, recordable)
        self.precision, self.devices = runtime.precision, runtime.devices
        if self.chosen.way == "inductor":
            compile_backbone(self.network)
        by_compiler_alone = self.chosen.way == "inductor" and runtime.torch_device.type == "cpu"
        self.automatic_optimization = self.chosen.way == "none" or by_compiler_alone
        self._say(self.chosen.reason)

    @property
    def trained(self) -> nn.Module:
        """What is measured and saved: the network, or the moving average of its weights."""
        return self.network if self.average is None else self.average.module

    @property
    def computed(self) -> str:
        """How, as `CurvePoint` has it."""
        taken = (self._graphed is not None, self.chosen.way == "inductor", self.batches.on_device)
        ways, numbers = compress(WAYS, taken), number_words(self.precision, self.devices)
        return ", ".join(filter(None, (*ways, *numbers, self.chosen.reason)))

    def configure_optimizers(self) -> Any:
        """The optimiser of the configuration, with a schedule per optimiser step."""
        optimiser, schedule = optimiser_and_schedule(self.groups, self.config, self.batches.steps)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_start(self) -> None:
        """After a checkpoint was restored; a schedule that is too long for the training is said.

        Raises:
            UserError: others train than are asked for: each would take its share of the data, and some of it nobody.
        """
        if self.trainer.world_size != self.devices:
            raise UserError(f"{self.devices} devices were asked for, and {self.trainer.world_size} train")
        align_states(self.trainer.optimizers[0])
        self._say(never_reached(self.config, self.batches.steps))

    def on_train_epoch_start(self) -> None:
        """Start of the sums of an epoch."""
        self._sums, self._images = LossSums(self.batches.accumulate), 0
        self._epoch_started = time.perf_counter()
        if self.config.freeze == "backbone":  # its batch norms keep their statistics, too
            self.network.get_submodule("backbone").eval()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seeds the step, at whose end the schedule has the next one's learning rate."""
        self._learning_rate = float(self.trainer.optimizers[0].param_groups[0]["lr"])
        words = [self.seed, self.current_epoch, batch_idx, self.global_rank]
        seed_generators(int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1))

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor | None:
        """The loss of a batch; None where the optimiser has stepped already.

        Raises:
            UserError: a term is NaN or infinite.
        """
        if not self.automatic_optimization:
            self._recorded_step(batch, batch_idx)
            return None
        losses = self.loss_of(self.network, batch)
        self._add(detached(losses), batch)
        return losses.total

    def on_after_backward(self) -> None:
        """Several devices would wait for ever for a gradient that does not come.

        Raises:
            UserError: a weight has none.
        """
        if self.devices == 1 or not self._step_is_through:
            return
        if none := [name for name, one in self.named_parameters() if one.requires_grad and one.grad is None]:
            raise UserError(
                f"training on several devices needs a gradient of every weight; without one: {listed(none, LISTED)}"
            )

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """The average follows every step of the optimiser."""
        if self.average is not None and (batch_idx + 1) % self.batches.accumulate == 0:
            self.average.update_parameters(self.network)

    def _recorded_step(self, batch: Any, batch_idx: int) -> None:
        """A step of the optimiser, of which the passes through the network are a CUDA graph if that can be had."""
        if self._graphed is None and self.chosen.way != "none":
            try:
                self._graphed = GraphedStep(self.loss_of, self.network, batch, self.precision, cuda_graph)
            except Exception as error:  # libraries raise anything; the step by step pass is always at hand
                self.chosen = Chosen("none", reason_of(error))
                uncompile(self.network)  # the compiler may be what failed, and would again
                self._say(self.chosen.reason)
                self.on_train_batch_start(batch, batch_idx)
        if self._graphed is not None:  # every batch has these shapes: what is left of an epoch is dropped
            losses = self._graphed(batch)
        else:
            self.network.zero_grad()
            plain = self.loss_of(self.network, batch)
            with torch.autocast(self.device.type, enabled=False):  # Lightning's is around the whole step
                self.manual_backward(plain.total)
            losses = detached(plain)
        self._add(losses, batch)
        optimiser: Any = self.optimizers()
        schedule: Any = self.lr_schedulers()
        clip = self.config.gradient_clip
        if clip is not None:
            self.clip_gradients(optimiser, gradient_clip_val=clip, gradient_clip_algorithm="norm")
        optimiser.step()
        schedule.step()

    def _add(self, losses: LossValues, batch: Any) -> None:
        self._sums.add(losses, self._step)
        self._images += len(batch[0])
        if self._sums.look_is_due:
            self._require_finite()
        logger, step = self.trainer.logger, self._step
        if logger is not None and self._step_is_through and step % STEPS_BETWEEN == 0:
            logger.log_metrics({"loss": self._sums.step_loss(self.trainer.strategy.reduce)}, step=step)

    @property
    def _step_is_through(self) -> bool:
        """The last batch was the last one of an optimiser step: here several devices exchange their gradients."""
        return self._sums.batches % self.batches.accumulate == 0

    @property
    def _step(self) -> int:
        """Optimiser steps before this one."""
        return self.current_epoch * self.batches.steps + self._sums.batches // self.batches.accumulate

    def on_train_epoch_end(self) -> None:
        """One more point of the curve, and a checkpoint that holds it.

        Raises:
            UserError: a term was NaN or infinite since it was looked last.
        """
        self._require_finite()
        seconds = time.perf_counter() - self._epoch_started
        epoch = self.current_epoch + 1
        means = self._means()
        before = self.curve[-1] if self.curve else CurvePoint(epoch=0, step=0, images=0, seconds=0.0, loss=0.0)
        measured: dict[str, float] = {}
        due = epoch % self.measure_every == 0 or epoch == self.config.epochs
        if self.global_rank == 0 and due:
            with uncompiled(self.trained):
                measured = self.measure(self.trained)
            self.network.train()
        point = CurvePoint(
            epoch=epoch,
            step=epoch * self.batches.steps,
            images=before.images + self._images * self.trainer.world_size,
            seconds=before.seconds + seconds,
            loss=means.pop("total"),
            terms=means,
            computed=self.computed,
            **measured,
        )
        self.curve = (*self.curve, point)
        if self.trainer.logger is not None:
            self.trainer.logger.log_metrics(point_metrics(point, self._learning_rate), step=point.step)
        self._save()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The curve and the run's configuration travel with the weights."""
        checkpoint["run"], checkpoint[GENERATED_DATA] = self.run.model_dump_json(), self.generated_data
        checkpoint["curve"] = [point.model_dump() for point in self.curve]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The curve up to here, also where `curve.json` is behind or damaged.

        Lightning starts the loader's workers before it sets the sampler's epoch.

        Raises:
            UserError: the checkpoint is of another configuration.
        """
        if "run" in checkpoint:
            other = type(self.run).model_validate_json(checkpoint["run"])
            if differing := [name for name, value in self.run if value != getattr(other, name)]:
                raise UserError(
                    f"{self.last_checkpoint} is of a run with another {' and '.join(differing)}:"
                    " use another folder, or delete it to train from the start"
                )
        self.curve = tuple(CurvePoint(**point) for point in checkpoint["curve"])
        self.batches.sampler.set_epoch(len(self.curve))
        ends = self.trainer.fit_loop
        ends.max_epochs = max(ends.max_epochs or 0, len(self.curve))  # a lower limit has nothing left to train
        if self.global_rank == 0:
            self._write_curve()

    def _means(self) -> dict[str, float]:
        return self._sums.means(self.trainer.strategy.reduce)

    def _save(self) -> None:
        with atomic_file(self.last_checkpoint) if self.global_rank == 0 else nullcontext(self.last_checkpoint) as file:
            self.trainer.save_checkpoint(file)  # every rank takes part, the first one writes
        if self.global_rank == 0:
            self._write_curve()

    def _write_curve(self) -> None:
        write_curve(self.last_checkpoint.with_name(CURVE_FILE), self.curve)

    def _require_finite(self) -> None:
        found = self._sums.not_finite()
        if found is not None:
            kept = self.last_checkpoint if self.last_checkpoint.exists() else "none yet"
            raise UserError(
                f"loss term {found.name!r} is {found.value} at step {found.step}; last good checkpoint: {kept}"
            )

    def _say(self, reason: str) -> None:
        if reason and self.global_rank == 0:
            print(reason, file=sys.stderr)


class WholeFiles(TorchCheckpointIO):
    """Lightning would write a checkpoint to the temporary folder first, and leave it there where the disk is full."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Written where it is asked for; a disk that refuses it is an `OSError`, which torch's own writer has not."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        Path(path).write_bytes(buffer.getbuffer())


def run_loop(loop: TrainingLoop, runtime: Runtime) -> Curve:
    """Trains from the last checkpoint, if there is one, to the end or to `runtime.limit_epochs`.

    Raises:
        UserError: it is cut off or damaged, or of another configuration.
    """
    checkpoint = loop.last_checkpoint
    if checkpoint.exists() and (problem := damaged(checkpoint)):
        raise UserError(problem)
    for cut_off in checkpoint.parent.glob(f".{checkpoint.name}.*"):  # of a process that was killed as it wrote
        cut_off.unlink(missing_ok=True)
    loop.run_by(runtime)
    logger = training_logger(runtime.logger, checkpoint.parent)
    if logger is not None:
        logger.log_hyperparams(loop.run.model_dump(mode="json"))
    loop.network.to(memory_format=runtime.memory_format)
    if runtime.devices > 1 and runtime.torch_device.type == "cuda":  # torch has it for GPUs only
        # Not by Lightning, whose way loses the activations inside timm's batch norms. Weights keep names and identity.
        loop.network = convert_sync_batchnorm(loop.network)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        warnings.filterwarnings("ignore", message=r".*LeafSpec.*")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        trainer = L.Trainer(
            default_root_dir=checkpoint.parent,
            accelerator="gpu" if runtime.torch_device.type == "cuda" else "cpu",
            devices=runtime.devices,
            strategy="ddp" if runtime.devices > 1 else "auto",
            sync_batchnorm=False,
            precision=runtime.precision,
            max_epochs=min(loop.config.epochs, runtime.limit_epochs or loop.config.epochs),
            accumulate_grad_batches=loop.batches.accumulate,
            gradient_clip_val=loop.config.gradient_clip if loop.automatic_optimization else None,
            use_distributed_sampler=False,
            enable_checkpointing=False,
            logger=logger or False,
            enable_progress_bar=False,
            callbacks=[PositionCallback(checkpoint.parent, checkpoint.parent.name, runtime.progress)],
            enable_model_summary=False,
            plugins=[WholeFiles(), LightningEnvironment()],  # not Slurm's: the other processes are started here
        )
        try:
            with reading(loop.batches.loader) as loader:
                trainer.fit(loop, loader, ckpt_path=checkpoint if checkpoint.exists() else None)
        except SystemExit:
            if not trainer.interrupted:
                raise
            raise KeyboardInterrupt from None  # Lightning exits with 1, and without a word
        except RuntimeError as error:
            if checkpoint.exists() and "PytorchStreamReader" in str(error):  # of a header that zipfile does not read
                raise UserError(damage(checkpoint)) from None
            raise
        finally:
            end_logger(logger)
    return loop.curve
