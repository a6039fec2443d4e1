"""Weights of a trained model as another one's start: what fits by name and shape is taken, and all of it is said."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor, nn

from poseur_lib.checkpoints.checkpoint import FORMAT, LISTED, as_saved, checkpoint_file, read_file
from poseur_lib.checkpoints.released_load import asked_knobs, load_network_with_changes, load_released, released_state
from poseur_lib.config.experiment import ExperimentConfig
from poseur_lib.errors import UserError, listed
from poseur_lib.files import LAST_CHECKPOINT, file_sha256
from poseur_lib.models.build import Network
from poseur_lib.models.end_to_end.model import EndToEndModel
from poseur_lib.models.pose_model import PoseModel


@dataclass(frozen=True)
class Initialised:
    """Names of the tensors that were taken, of those that start anew with the reason, and of what was left over."""

    loaded: tuple[str, ...]
    new: tuple[str, ...]
    left: tuple[str, ...]

    def text(self, source: str) -> str:
        """What was loaded, what is new, and what was not taken, a line each."""
        parts = ", ".join(f"{part} {count}" for part, count in Counter(_part(name) for name in self.loaded).items())
        lines = [f"{source}: {len(self.loaded)} of {len(self.loaded) + len(self.new)} tensors are loaded ({parts})"]
        lines += [f"new, from random weights: {listed(self.new, LISTED)}"] * bool(self.new)
        return "\n".join(lines + [f"not taken from it: {listed(self.left, LISTED)}"] * bool(self.left))


def initial_file(path: Path) -> Path:
    """The checkpoint of a run's folder, of an unfinished one its last one; any other path is the checkpoint itself."""
    unfinished = path.is_dir() and not checkpoint_file(path).exists() and (path / LAST_CHECKPOINT).exists()
    return path / LAST_CHECKPOINT if unfinished else checkpoint_file(path)


def initial_model(path: Path, input_size: tuple[int, int] | None = None) -> tuple[PoseModel, ExperimentConfig]:
    """A checkpoint of this project, of a run that is not at its end too, or of the released code.

    Args:
        input_size: of one that does not know its own.

    Raises:
        UserError: it cannot be read, or is no model's.
    """
    file = initial_file(path)
    return load_released(file, input_size=None if _is_ours(as_saved(read_file(file))) else input_size)


def initial_config(path: Path, input_size: tuple[int, int] | None = None) -> ExperimentConfig:
    """The configuration of a checkpoint as of `initial_model`, or of an end-to-end one.

    Raises:
        UserError: as there.
    """
    return load_network_with_changes(initial_file(path), asked_knobs(input_size=input_size))[1]


def checkpoint_sha256(path: Path) -> str:
    """SHA-256 of a checkpoint's bytes. Raises UserError if there is none."""
    file = initial_file(path)
    if not file.is_file():
        raise UserError(f"{file}: no such checkpoint")
    return file_sha256(file)


def load_initial(model: Network, path: Path | None, config: ExperimentConfig) -> None:
    """Puts a checkpoint's weights into a model as far as they fit, and says what did.

    Raises:
        UserError: no file is given, it is another one, or nothing fits.
    """
    if path is None or (digest := checkpoint_sha256(path)) != config.initial_sha256:
        found = "none is given" if path is None else f"{path} has {digest}"
        raise UserError(f"weights start from the checkpoint of SHA-256 {config.initial_sha256}, and {found}")
    trained: ExperimentConfig | None
    if isinstance(model, EndToEndModel):
        state, trained = _state_of(initial_file(path))
    else:
        source, trained = initial_model(path, config.data.input_size)
        state = source.state_dict()
    text = initialise(model, state).text(str(path))
    if trained is not None and trained.data.keypoint_set != config.data.keypoint_set:
        text += f"\nits keypoints are {trained.data.keypoint_set}, this run's {config.data.keypoint_set}"
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(text, flush=True)


def _state_of(path: Path) -> tuple[Mapping[str, Tensor], ExperimentConfig | None]:
    """The weights of a checkpoint of this project, or of any other one, as of torchvision's Keypoint R-CNN.

    With the configuration of a model of this project; None of others, and of a pretrained backbone.
    """
    content = as_saved(read_file(path))
    if not _is_ours(content):
        return released_state(content), None
    with suppress(ValidationError):
        return content["state_dict"], ExperimentConfig.model_validate_json(content["config"])
    return content["state_dict"], None


def _is_ours(content: Any) -> bool:
    return isinstance(content, Mapping) and content.get("format") == FORMAT


def initialise(network: nn.Module, given: Mapping[str, Tensor]) -> Initialised:
    """Puts the tensors into a network whose name and shape are those of one of it; the others stay as they are.

    Raises:
        UserError: there is none.
    """
    own = network.state_dict()
    loaded = {name: given[name] for name, value in own.items() if name in given and given[name].shape == value.shape}
    if not any(name.endswith("weight") for name in loaded):
        raise UserError(f"the checkpoint fits nothing of this model: it has {listed(list(given), LISTED)}")
    network.load_state_dict({**own, **loaded})
    new = [name + _why(name, own, given) for name in own if name not in loaded]
    return Initialised(tuple(loaded), tuple(new), tuple(_without(given, own)))


def _why(name: str, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    return f" {tuple(own[name].shape)}, where it has {tuple(given[name].shape)}" if name in given else ""


def _without(names: Iterable[str], known: Mapping[str, Tensor]) -> list[str]:
    return [name for name in names if name not in known]


def _part(name: str) -> str:
    return name.partition(".")[0]
