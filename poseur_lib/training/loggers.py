"""Numbers of a training for one's own tools: Lightning's loggers, in the run's folder."""

from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from poseur_lib.runtime import LoggerName
from poseur_lib.training.curve import CurvePoint

LOGS_FOLDER, PROJECT = "logs", "poseur"
STEPS_BETWEEN = 50
"""Steps of the optimiser between two that log their `loss`; at an epoch's end its mean is `epoch_loss`, with all that
was measured."""


def training_logger(name: LoggerName, folder: Path) -> Logger | None:
    """What writes to `folder`/logs, a subfolder for each time that the run is taken up; None for "none"."""
    match name:
        case "csv":
            return CSVLogger(folder, name=LOGS_FOLDER, flush_logs_every_n_steps=1)
        case "tensorboard":
            return TensorBoardLogger(folder, name=LOGS_FOLDER, default_hp_metric=False)
        case "wandb":
            return WandbLogger(name=folder.name, save_dir=folder, project=PROJECT)
    return None


def end_logger(logger: Logger | None) -> None:
    """No more is to come: W&B's run would take up what the process trains next, the model after its pretraining."""
    if isinstance(logger, WandbLogger):
        logger.experiment.finish()


def point_metrics(point: CurvePoint, learning_rate: float) -> dict[str, float]:
    """What is logged at an epoch's end; `learning_rate` is that of its last step."""
    measured = {name: getattr(point, name) for name in ("mean_oks", "ap", "part_iou")}
    of_loss = {"epoch_loss": point.loss, **{f"loss_{name}": value for name, value in point.terms.items()}}
    found = {"epoch": point.epoch, "images": point.images, "learning_rate": learning_rate, **of_loss, **measured}
    return {name: float(value) for name, value in found.items() if value is not None}
