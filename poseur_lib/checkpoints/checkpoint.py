"""Weights on disk with the configuration that they belong to."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from poseur_lib.checkpoints.origin import GENERATED_DATA
from poseur_lib.checkpoints.safetensors_file import SUFFIX, read_safetensors, write_safetensors
from poseur_lib.config.experiment import ExperimentConfig, PretextRunConfig
from poseur_lib.errors import UserError, first_line
from poseur_lib.files import LAST_CHECKPOINT, MODEL_FILE, atomic_file
from poseur_lib.models.build import build_model
from poseur_lib.models.pose_model import PoseModel

FORMAT = "poseur_lib 1"
NETWORK = "network."
"""What Lightning's checkpoints have before the model's names."""


def save_weights(
    path: Path, module: torch.nn.Module, config: ExperimentConfig | PretextRunConfig, generated_data: bool = False
) -> None:
    """Writes weights and configuration so that the file is there whole or not at all; `.safetensors` is one such file.

    Args:
        generated_data: it was trained on generated people alone.
    """
    about = {"format": FORMAT, "config": config.model_dump_json(), GENERATED_DATA: generated_data}
    content = {**about, "state_dict": module.state_dict()}
    with atomic_file(path) as file:
        if path.suffix == SUFFIX:
            write_safetensors(file, content)
        else:
            torch.save(content, file)


def load_model(path: Path) -> tuple[PoseModel, ExperimentConfig]:
    """A trained model, in evaluation mode on the CPU, and its configuration.

    Raises:
        UserError: the file is missing, cut off, or not a model of this version of the project.
    """
    return restored(read_weights(path), path)


def restored(content: Mapping[str, Any], path: Path | str) -> tuple[PoseModel, ExperimentConfig]:
    """The model of a content of `read_weights`; `path` is what errors call it."""
    try:
        config = ExperimentConfig.model_validate_json(content["config"])
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"{path} holds no model that this version can build: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from None
    model = build_without_download(config)
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise UserError(f"{path}: weights and configuration do not fit: {first_line(error)}") from None
    return model.eval(), config


def build_without_download(config: ExperimentConfig) -> PoseModel:
    """The model of a configuration whose weights are loaded afterwards: ImageNet's are not fetched."""
    if config.model.backbone.weights == "imagenet":
        config = config.with_changes(**{"model.backbone.weights": "none"})
    return build_model(config)


def read_weights(path: Path) -> dict[str, Any]:
    """The content of a file of `save_weights`: "config" and "state_dict". Nothing in it is executed.

    Raises:
        UserError: the file is missing, cut off, or not of this project.
    """
    content = read_file(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path} is not a checkpoint of this project (format {FORMAT!r})")
    return content


def read_file(path: Path) -> Any:
    """What torch.save wrote, or a safetensors file, of whatever project. Nothing in it is executed.

    Raises:
        UserError: the file is missing or cut off, or holds more than tensors and plain values.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    if path.suffix == SUFFIX:
        return read_safetensors(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's guesses about foreign bytes
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{path} is no checkpoint, or holds more than weights, which could run code; if you trust it, keep its"
            " weights alone: torch.save({'state_dict': torch.load(FILE, weights_only=False)['state_dict']}, NEW)"
        ) from None
    except Exception as error:  # bytes that are no archive make the unpickler raise anything
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"{path} is cut off or cannot be read: {reason}") from None


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
