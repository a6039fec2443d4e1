"""A run in a folder of its own: configuration beside the weights, pretext included."""

from pathlib import Path

from poseur_lib.checkpoints.checkpoint import BACKBONE_FILE, LAST_CHECKPOINT, MODEL_FILE
from poseur_lib.config.base import Frozen
from poseur_lib.config.experiment import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_lib.files import write_atomically
from poseur_lib.runtime import Runtime
from poseur_lib.training.curve import Curve
from poseur_lib.training.fit import pretrain, train

CONFIG_FILE = "config.json"
PRETEXT_FOLDER = "pretext"


def train_in_folder(config: ExperimentConfig, folder: Path, runtime: Runtime) -> Curve:
    """Trains a configuration, and first the backbone that it starts from, resuming what is there.

    Raises:
        UserError: something was trained in the folder by another configuration.
    """
    _claim(folder, config)
    backbone = None
    if config.pretext_run is not None:
        pretext = folder / PRETEXT_FOLDER
        _claim(pretext, config.pretext_run)
        backbone = pretext / BACKBONE_FILE
        if not backbone.exists():
            curve = pretrain(config.pretext_run, pretext, runtime)
            if not backbone.exists():
                return curve
    return train(config, folder, runtime, backbone)


def _claim(folder: Path, config: Frozen) -> None:
    """Writes the configuration, also over another that nothing was trained with: its run could not start."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / CONFIG_FILE
    trained = any((folder / name).exists() for name in (LAST_CHECKPOINT, MODEL_FILE, BACKBONE_FILE))
    if not file.exists() or not trained:
        write_atomically(file, config.model_dump_json(indent=1).encode())
    elif not config.is_written_as(file.read_text()):
        raise UserError(f"{file} is another configuration than the one asked for: take another folder")
