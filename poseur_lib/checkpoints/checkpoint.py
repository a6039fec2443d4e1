"""Weights on disk with the configuration that they belong to."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar
from pydantic import ValidationError
from torch import Tensor

from poseur_lib.checkpoints.origin import GENERATED_DATA, MAX_BYTES
from poseur_lib.checkpoints.recorded import altered
from poseur_lib.checkpoints.safetensors_file import SUFFIX, read_safetensors, write_safetensors
from poseur_lib.config.experiment import ExperimentConfig, PretextRunConfig
from poseur_lib.errors import UserError, describe_validation, listed, naming
from poseur_lib.files import LAST_CHECKPOINT, MODEL_FILE, SAFE_FILE, atomic_file, open_regular
from poseur_lib.models.build import Network, build_network, require_crops
from poseur_lib.models.pose_model import PoseModel

FORMAT = "poseur_lib 1"
NETWORK, AVERAGE = "network.", "average.module."
"""What Lightning's checkpoints have before the model's names, and before those of its averaged weights."""
MAX_WEIGHTS = 2**32
"""Of a model; the largest released ones have 2**27."""
LISTED = 5
NUMBERS: list[Any] = [
    np.dtype,
    np.ndarray,
    *{type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"},
    *((scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
]
"""numpy's scalars, which others' checkpoints have beside their weights: plain values too."""


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
    """A trained model of crops, in evaluation mode on the CPU, and its configuration.

    Raises:
        UserError: the file is missing, cut off, or not a model of this version of the project; or it is end-to-end.
    """
    return restored(read_weights(path), path)


def load_network(path: Path) -> tuple[Network, ExperimentConfig]:
    """As `load_model`, end-to-end models too."""
    return restored_network(read_weights(path), path)


def restored(content: Mapping[str, Any], path: Path | str) -> tuple[PoseModel, ExperimentConfig]:
    """The model of crops of a content of `read_weights`; `path` is what errors call it."""
    network, config = restored_network(content, path)
    return require_crops(network, str(path)), config


def restored_network(content: Mapping[str, Any], path: Path | str) -> tuple[Network, ExperimentConfig]:
    """As `restored`, end-to-end models too."""
    try:
        config = ExperimentConfig.model_validate_json(content["config"])
    except (ValidationError, KeyError, TypeError) as error:
        reason = describe_validation(error) if isinstance(error, ValidationError) else "it has no configuration"
        raise UserError(f"{path} holds no model that this version can build: {reason}") from None
    state: Any = content.get("state_dict")
    with naming(path):
        require_state(state, _shapes(config, path), f"{path}: weights and configuration do not fit")
        model = network_without_download(config)
        model.load_state_dict(state)
    return model.eval(), config


def _shapes(config: ExperimentConfig, path: Path | str) -> dict[str, Tensor]:
    """What the state_dict of a configuration's model has, without memory for it: a configuration may ask for much.

    Raises:
        UserError: it has more than MAX_WEIGHTS values.
    """
    with torch.device("meta"):
        state = network_without_download(config).state_dict()
    if (count := sum(value.numel() for value in state.values())) > MAX_WEIGHTS:
        raise UserError(f"{path}: its configuration asks for {count} weights, more than {MAX_WEIGHTS}")
    return state


def require_state(given: Any, expected: Mapping[str, Tensor], what: str, optional: tuple[str, ...] = ()) -> None:
    """Check that weights have the names, the shapes and the kinds of values that a model has, and are finite.

    Batch norm's variances are not negative either.

    Args:
        what: begins the message.
        optional: ends of names that may be missing.

    Raises:
        UserError: they have not; names and values are listed.
    """
    if not isinstance(given, Mapping):
        raise UserError(f"{what}: there is no state_dict")
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(f"{what}: {name!r} is no tensor")
    missing = [name for name in expected if name not in given and not name.endswith(optional or ("\0",))]
    unexpected = [name for name in given if name not in expected]
    misshaped = [
        f"{name} {tuple(given[name].shape)} for {tuple(value.shape)}"
        for name, value in expected.items()
        if name in given and given[name].shape != value.shape
    ]
    groups = (("missing", missing), ("unexpected", unexpected), ("mis-shaped", misshaped))
    if problems := [f"{len(names)} {kind}: {listed(names, LISTED)}" for kind, names in groups if names]:
        raise UserError(f"{what}; {'; '.join(problems)}")
    for name, value in given.items():
        _require_values(name, value, expected[name].dtype, what)


def _require_values(name: str, value: Tensor, dtype: torch.dtype, what: str) -> None:
    found, wanted = (str(one).removeprefix("torch.") for one in (value.dtype, dtype))
    if value.is_meta:  # names and shapes alone, for whom they are enough
        return
    if value.layout != torch.strided:
        raise UserError(f"{what}: {name} is no plain tensor")
    if value.dtype.is_floating_point != dtype.is_floating_point or value.is_complex():
        raise UserError(f"{what}: {name} has values of type {found}, and {wanted} is expected")
    if not dtype.is_floating_point:
        return
    infinite = value.numel() - int(value.to(dtype).isfinite().sum())
    if infinite:
        raise UserError(f"{what}: {infinite} of {value.numel()} values of {name} are NaN or infinite")
    if name.endswith("running_var") and (lowest := value.min().item()) < 0:
        raise UserError(f"{what}: {name} has the value {lowest:g}, and a variance is not negative")


def build_without_download(config: ExperimentConfig) -> PoseModel:
    """The model of crops of a configuration whose weights are loaded afterwards. Raises UserError if it has none."""
    return require_crops(network_without_download(config), f"model.head.kind {config.model.head.kind!r}")


def network_without_download(config: ExperimentConfig) -> Network:
    """The model of a configuration whose weights are loaded afterwards: ImageNet's are not fetched."""
    if config.model.backbone.weights == "imagenet":
        config = config.with_changes(**{"model.backbone.weights": "none"})
    return build_network(config)


def read_weights(path: Path) -> dict[str, Any]:
    """The content of a file of `save_weights`: "config" and "state_dict". Nothing in it is executed.

    Raises:
        UserError: the file is missing, cut off, or not of this project.
    """
    content = as_saved(read_file(path))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path} is not a checkpoint of this project (format {FORMAT!r})")
    return content


def as_saved(content: Any) -> Any:
    """What training goes on from (`last.ckpt`) in the form of `save_weights`; any other content as it is."""
    if not isinstance(content, Mapping) or not isinstance(content.get("run"), str) or "state_dict" not in content:
        return content
    state = content["state_dict"]
    if not isinstance(state, Mapping):
        return content
    before = AVERAGE if any(str(name).startswith(AVERAGE) for name in state) else NETWORK  # what training would save
    weights = {name.removeprefix(before): value for name, value in state.items() if str(name).startswith(before)}
    known = {GENERATED_DATA: content[GENERATED_DATA]} if GENERATED_DATA in content else {}  # earlier ones do not say
    return {"format": FORMAT, "config": content["run"], **known, "state_dict": weights}


def read_file(path: Path) -> Any:
    """What torch.save wrote, or a safetensors file, of whatever project. Nothing in it is executed.

    Raises:
        UserError: the file is missing, cut off or not as the record of its run says, or holds more than tensors and
            plain values.
    """
    if problem := altered(path):
        raise UserError(problem)
    if path.suffix == SUFFIX:
        if not path.is_file():
            raise UserError(f"{path}: no such checkpoint")
        return read_safetensors(path)
    try:
        with (
            open_regular(path, MAX_BYTES) as file,
            warnings.catch_warnings(action="ignore"),  # torch's guesses about foreign bytes
            torch.serialization.safe_globals(NUMBERS),
        ):
            content = torch.load(file, map_location="cpu", weights_only=True)
        return _with_values(content, path)
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint") from None
    except MemoryError:
        raise UserError(f"{path}: too large for the memory") from None
    except pickle.UnpicklingError:
        raise UserError(
            f"{path} is no checkpoint, or holds more than weights, which could run code; if you trust it, keep its"
            " weights alone: torch.save({'state_dict': torch.load(FILE, weights_only=False)['state_dict']}, NEW)"
        ) from None
    except Exception as error:  # bytes that are no archive make the unpickler raise anything
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{path}: checkpoint cannot be read: {error.strerror}") from None
        raise UserError(f"{path} is cut off or no checkpoint ({path.stat().st_size} bytes)") from None


def _with_values(content: Any, path: Path) -> Any:
    state = content.get("state_dict", content) if isinstance(content, Mapping) else content
    for name, value in state.items() if isinstance(state, Mapping) else ():
        if isinstance(value, Tensor) and value.is_meta:
            raise UserError(f"{path}: {name} is no plain tensor: it has a shape, and no values")
    return content


def checkpoint_file(path: Path) -> Path:
    """The model in a run's folder; any other path is the checkpoint itself."""
    return path / MODEL_FILE if path.is_dir() else path


def name_of(checkpoint: Path) -> str:
    """What a checkpoint is called: a run's folder where the file is the one that all runs have, else the file."""
    file = checkpoint_file(checkpoint).absolute()
    return file.parent.name if file.name in (MODEL_FILE, SAFE_FILE) else file.stem


def trained_model(folder: Path, config: ExperimentConfig) -> PoseModel:
    """The `trained_network` of a run on crops."""
    return require_crops(trained_network(folder, config), str(folder))


def trained_network(folder: Path, config: ExperimentConfig) -> Network:
    """A run's model at the end of its training, or where a limit stopped it: then from the last checkpoint.

    Raises:
        UserError: there are no weights, or they are cut off.
    """
    if (folder / MODEL_FILE).exists() or not (folder / LAST_CHECKPOINT).exists():
        return load_network(folder / MODEL_FILE)[0]
    content = read_weights(folder / LAST_CHECKPOINT)
    return restored_network(content | {"config": config.model_dump_json()}, folder / LAST_CHECKPOINT)[0]
