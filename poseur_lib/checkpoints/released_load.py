"""One loader for checkpoints of this project, of the released code, and of torchvision's Keypoint R-CNN."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import Tensor

from poseur_lib.checkpoints.checkpoint import (
    FORMAT,
    as_saved,
    checkpoint_file,
    network_without_download,
    read_file,
    require_state,
    restored_network,
)
from poseur_lib.checkpoints.released_convert import DATA
from poseur_lib.checkpoints.released_keys import rename_ours, rename_released
from poseur_lib.checkpoints.released_recognise import Recognised, recognise
from poseur_lib.config import DataConfig, ExperimentConfig
from poseur_lib.config.evaluation import InstanceRule
from poseur_lib.config.heads.mask_rcnn import MaskRCNNConfig
from poseur_lib.config.heads.poseur import FlipFusion, KeypointScore, PoseurConfig
from poseur_lib.config.keypoints import KeypointChoice
from poseur_lib.config.presets import KEYPOINT_RCNN
from poseur_lib.errors import UserError, describe_validation, naming
from poseur_lib.keypoints import keypoint_set as keypoint_set_named
from poseur_lib.models.backbones.vit import PATCH
from poseur_lib.models.build import Network, build_model, require_crops
from poseur_lib.models.pose_model import PoseModel

Source = str | os.PathLike[str] | Mapping[str, Any]
TEST_SIDES = "data.whole_image.test_sides"
HEAD, SCORING = "model.head.", ("keypoint_score", "score_radius", "sigma_factor", "flip_fusion")
"""Knobs that only Poseur's head has."""
OPTIONAL = ("num_batches_tracked", "_flow.mask", "relative_position_index")
"""Buffers of the released code that are constants, or unused in inference: they may be absent."""
KEYPOINT_RCNN_LAYER = "roi_heads.keypoint_predictor.kps_score_lowres.weight"
"""Which torchvision's Keypoint R-CNN has, and the released code has not."""


def load_released(
    source: Source,
    *,
    input_size: tuple[int, int] | None = None,
    keypoint_set: KeypointChoice | None = None,
    flip_fusion: FlipFusion | None = None,
    keypoint_score: KeypointScore | None = None,
    score_radius: float | None = None,
    sigma_factor: float | None = None,
    instance_score: InstanceRule | None = None,
) -> tuple[PoseModel, ExperimentConfig]:
    """A model with the weights of a checkpoint, in evaluation mode on the CPU, and its configuration.

    Backbone, decoder and number of keypoints are read off the names and shapes of a released state_dict. What they
    cannot tell is an argument; None means the released code's choice, or what a checkpoint of this project says:

    Args:
        source: a checkpoint file or its content: a state_dict of the released code (on its own or under "state_dict",
            with or without "module." before its names), or a checkpoint of this project.
        input_size: crop (height, width). Released: what `save_released` wrote beside the weights, else the one size of
            the released configurations with this backbone and keypoint set; where they have several, or none, it must
            be given. Ours: its own, or an error.
        keypoint_set: released: what `save_released` wrote, else the only known set of as many keypoints; where there
            are several, or none, it must be given.
        flip_fusion: how the flip test merges two predictions. Released: "mean".
        keypoint_score: released: "rle".
        score_radius: a of a "laplace" or "calibrated" keypoint score, or of flip fusion "type2". Released: 0.2.
        sigma_factor: of a "calibrated" one, see `PoseurConfig`.
        instance_score: released: "released", box + mean + max.

    Raises:
        UserError: the file cannot be read or needs more than weights; the configuration is unknown, not unique or
            another one than is asked for; or names or shapes do not fit, which are listed.
        pydantic.ValidationError: an argument has a value that does not exist.
    """
    knobs = asked_knobs(
        input_size=input_size,
        keypoint_set=keypoint_set,
        flip_fusion=flip_fusion,
        keypoint_score=keypoint_score,
        score_radius=score_radius,
        sigma_factor=sigma_factor,
        instance_score=instance_score,
    )
    return load_with_changes(source, knobs)


def asked_knobs(
    *, input_size: tuple[int, int] | None = None, instance_score: InstanceRule | None = None,
    keypoint_set: KeypointChoice | None = None, test_sides: Sequence[int] | None = None, **of_head: object,
) -> dict[str, Any]:  # fmt: skip
    """What is asked for as changes to a configuration; None is nothing. `of_head` are knobs of the head by name."""
    asked = {
        "data.input_size": None if input_size is None else list(input_size),
        "data.keypoint_set": keypoint_set,
        TEST_SIDES: None if test_sides is None else list(test_sides),
        **{f"model.head.{name}": value for name, value in of_head.items()},
        "evaluation.instance_score": instance_score,
    }
    return {name: value for name, value in asked.items() if value is not None}


def load_with_changes(source: Source, changes: Mapping[str, Any]) -> tuple[PoseModel, ExperimentConfig]:
    """The `load_network_with_changes` of a model of crops."""
    network, config = load_network_with_changes(source, changes)
    return require_crops(network, "the given state_dict" if isinstance(source, Mapping) else str(source)), config


def load_network_with_changes(source: Source, changes: Mapping[str, Any]) -> tuple[Network, ExperimentConfig]:
    """`load_released`, of end-to-end models too, with changes that leave the weights' shapes alone, by dotted path.

    Weights of torchvision's Keypoint R-CNN are recognised by their names: it is one of our end-to-end models.

    Raises:
        UserError, pydantic.ValidationError: as `load_released`.
    """
    content = as_saved(source if isinstance(source, Mapping) else read_file(checkpoint_file(Path(source))))
    where = "the given state_dict" if isinstance(source, Mapping) else str(source)
    ours = isinstance(content, Mapping) and content.get("format") == FORMAT
    restored = restored_network(content, where) if ours else None
    try:
        if restored is not None:
            network, config = _changed(*restored, changes)
        else:
            with naming("the state_dict"):
                state = released_state(content)
                if KEYPOINT_RCNN_LAYER in state:
                    network, config = _from_torchvision(state, changes)
                else:
                    network, config = _from_released(state, {**_told(content), **changes})
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return network.float(), config  # whatever torch's default is


def _for_model(changes: Mapping[str, Any], trained: ExperimentConfig) -> dict[str, Any]:
    """Changes by the paths that a model has: one that finds people itself has Poseur's scores a level deeper.

    Raises:
        UserError: the model has nothing of the kind.
    """
    head = trained.model.head
    keypoints, at = (head.keypoints, "model.head.keypoints.") if isinstance(head, MaskRCNNConfig) else (head, HEAD)
    size, sides = changes.get("data.input_size"), changes.get(TEST_SIDES)
    if size is not None and keypoints is not head:
        raise UserError(
            f"input size {_text(size)} is of crops, and this model finds people in whole images itself: test_sides"
            " (--test-sides) say how large an image is shown"
        )
    if sides is not None and keypoints is head:
        raise UserError(f"test_sides {sides} are of whole images, and this model sees crops")
    moved = {}
    for path, value in changes.items():
        name = path.removeprefix(HEAD)
        if name in SCORING:
            if not isinstance(keypoints, PoseurConfig):  # "integral" has a score_radius too, in cells
                raise UserError(f"{name} {value!r}: keypoint head {keypoints.kind!r} has nothing to choose there")
            if name == "flip_fusion" and keypoints is not head:
                raise UserError(f"flip_fusion {value!r}: the flip test of whole images takes means, it has no other")
            path = at + name
        moved[path] = value
    if isinstance(keypoints, PoseurConfig) and (radius := moved.get(f"{at}score_radius")) is not None:
        used = (moved.get(at + name, getattr(keypoints, name)) for name in ("keypoint_score", "flip_fusion"))
        if tuple(used) in (("rle", "mean"), ("rle", "type1")):
            raise UserError(f"score_radius {radius!r}: keypoint_score 'rle' has none, 'laplace' and 'calibrated' have")
    if moved.get(f"{at}keypoint_score", "calibrated") != "calibrated":
        moved = {f"{at}sigma_factor": None, **moved}  # a checkpoint's own goes with its score
    return moved


def released_state(content: object) -> dict[str, Tensor]:
    """The state_dict in a checkpoint's content: unwrapped, and without "module." before its names.

    Raises:
        UserError: the content is no state_dict.
    """
    inner = content.get("state_dict", content) if isinstance(content, Mapping) else content
    if not isinstance(inner, Mapping) or not inner:
        raise UserError("holds no state_dict, or an empty one")
    for name, value in inner.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise UserError(f"holds no state_dict: {name!r} is no tensor")
    state = {name.removeprefix("module."): value for name, value in inner.items()}
    if any(name.startswith("head.") for name in state) and not any(name.startswith("keypoint_head.") for name in state):
        raise UserError("has this project's parameter names but no configuration: give the checkpoint as it was saved")
    return state


def _told(content: object) -> dict[str, Any]:
    """As changes, what `save_released` wrote beside the weights; nothing of other files."""
    if not isinstance(content, Mapping) or DATA not in content:
        return {}
    try:
        data = DataConfig.model_validate_json(content[DATA])
    except ValidationError as error:
        raise UserError(f"{DATA}: {describe_validation(error)}") from None
    return {"data.input_size": list(data.input_size), "data.keypoint_set": data.keypoint_set}


def _from_torchvision(state: Mapping[str, Tensor], changes: Mapping[str, Any]) -> tuple[Network, ExperimentConfig]:
    config = ExperimentConfig().with_changes(**KEYPOINT_RCNN)
    config = config.with_changes(**_for_model(changes, config))
    model = network_without_download(config)
    state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}  # frozen norms
    require_state(state, model.state_dict(), "the state_dict does not fit", OPTIONAL)
    model.load_state_dict({**model.state_dict(), **state})
    return model.eval(), config


def _from_released(state: Mapping[str, Tensor], changes: Mapping[str, Any]) -> tuple[PoseModel, ExperimentConfig]:
    given = changes.get("data.keypoint_set")
    found = recognise(state, None if given is None else DataConfig().with_changes(keypoint_set=given).keypoint_set)
    released = ExperimentConfig(model=found.model)
    asked = {"data.keypoint_set": found.keypoint_set, **_for_model(changes, released)}
    config = released.with_changes(**asked)
    size = config.data.input_size if "data.input_size" in changes else _the_size(found)
    if found.tokens is not None and size[0] * size[1] != found.tokens * PATCH**2:
        raise UserError(f"input size {_text(size)} does not fit a position embedding of {found.tokens} 16x16 patches")
    config = config.with_changes(**{"data.input_size": list(size)})
    model = build_model(config)
    require_state(state, rename_ours(model.state_dict()), "the state_dict does not fit", OPTIONAL)
    model.load_state_dict({**model.state_dict(), **rename_released(state)})
    return model.eval(), config


def _changed(model: Network, trained: ExperimentConfig, changes: Mapping[str, Any]) -> tuple[Network, ExperimentConfig]:
    config = trained.with_changes(**_for_model(changes, trained))
    if config.data.input_size != (own := trained.data.input_size):
        raise UserError(
            f"input size {_text(config.data.input_size)} is not that of the checkpoint, which is trained on crops of"
            f" {_text(own)}: leave it out"
        )
    if (config.model, config.data) == (trained.model, trained.data):
        return model, config
    changed = network_without_download(config)
    try:
        changed.load_state_dict(model.state_dict())
    except RuntimeError:
        said = {**changes, "data.keypoint_set": config.data.keypoints_name}
        raise UserError(f"the weights do not fit with {', '.join(f'{k}={said[k]!r}' for k in changes)}") from None
    asked, known = keypoint_set_named(config.data.keypoint_set), keypoint_set_named(trained.data.keypoint_set)
    if asked.names != known.names:
        raise UserError(f"the weights are of keypoints {list(known.names)}, not of {list(asked.names)}")
    return changed.eval(), config


def _the_size(found: Recognised) -> tuple[int, int]:
    keypoints = found.keypoint_set if isinstance(found.keypoint_set, str) else found.keypoint_set.name
    untold, name = "weights alone do not tell the input size", f"{found.model.backbone.name} with {keypoints}"
    how = "input_size or --input-size, which `poseur convert` writes into a file"
    if len(found.input_sizes) > 1:
        sizes = ", ".join(map(_text, found.input_sizes))
        raise UserError(f"{untold}, and {name} was released for {sizes}: give one by {how}")
    if not found.input_sizes:
        raise UserError(f"{untold}, and none is known for {name}: give {how}")
    return found.input_sizes[0]


def _text(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"
