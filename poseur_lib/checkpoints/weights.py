"""The weights that a run's folder holds."""

from pathlib import Path

import torch

from poseur_lib.checkpoints.checkpoint import load_model
from poseur_lib.config import ExperimentConfig
from poseur_lib.models.build import build_model
from poseur_lib.models.pose_model import PoseModel
from poseur_lib.training.fit import MODEL_FILE
from poseur_study.runs.store import LAST_CHECKPOINT

NETWORK = "network."


def checkpoint_file(path: Path) -> Path:
    """The model in a run's folder; any other path is the checkpoint itself."""
    return path / MODEL_FILE if path.is_dir() else path


def trained_model(folder: Path, config: ExperimentConfig) -> PoseModel:
    """A run's model at the end of its training, or where a limit stopped it: then from the last checkpoint.

    Raises:
        UserError: there are no weights, or they are cut off.
    """
    if (folder / MODEL_FILE).exists() or not (folder / LAST_CHECKPOINT).exists():
        return load_model(folder / MODEL_FILE)[0]
    checkpoint = torch.load(folder / LAST_CHECKPOINT, map_location="cpu", weights_only=True)
    model = build_model(config if config.pretext else config.with_changes(**{"model.backbone.weights": "none"}))
    weights = {name: value for name, value in checkpoint["state_dict"].items() if name.startswith(NETWORK)}
    model.load_state_dict({name.removeprefix(NETWORK): value for name, value in weights.items()})
    return model.eval()
