"""Checkpoint files of one format in the other."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from poseur_lib.checkpoints.origin import GENERATED_DATA
from poseur_lib.checkpoints.released_keys import rename_ours
from poseur_lib.checkpoints.released_recognise import recognise_model
from poseur_lib.config import ExperimentConfig, PoseurConfig
from poseur_lib.errors import UserError
from poseur_lib.files import atomic_file
from poseur_lib.models.pose_model import PoseModel

UNSEEN = ("dropout", "noise", "keypoint_score", "score_radius", "sigma_factor", "flip_fusion")
"""Knobs of the head that no weight depends on in inference: a state_dict does not hold them."""
FROM_SHAPES = ("neck", "embed_dims", "num_heads", "num_points", "ffn_dims", "feature_levels", "decoder_layers",
               "flow_layers", "flow_hidden")  # fmt: skip
"""Knobs of the head that names and shapes tell. The released code has one value of each of the others."""
DATA = "poseur_data"
"""Where a file of `save_released` has what its weights do not tell; the released code looks at the weights alone."""


def released_state_dict(model: PoseModel, config: ExperimentConfig) -> dict[str, Tensor]:
    """The weights of a model under the released code's names.

    Raises:
        UserError: the released code has no such backbone, or no way to say how the head is configured.
    """
    head = config.model.head
    if not isinstance(head, PoseurConfig):
        raise UserError(f"the released code has no model.head of kind {head.kind!r}")
    _require_same("model.head", _seen(head), _seen(PoseurConfig()) | {name: _seen(head)[name] for name in FROM_SHAPES})
    state = rename_ours(model.state_dict())
    found = recognise_model(state)
    backbone = config.model.backbone.with_changes(weights="none")
    if found.backbone.name != backbone.name:
        raise UserError(f"the released code has no backbone {backbone.name!r}")
    _require_same("model.backbone", backbone.model_dump(), found.backbone.model_dump())
    _require_same("model.head", _seen(head), _seen(cast(PoseurConfig, found.head)))
    return state


def save_released(path: Path, model: PoseModel, config: ExperimentConfig, generated_data: bool = False) -> None:
    """Writes {"state_dict": ...} under the released names; the file is there whole or not at all.

    Input size and keypoint set stand beside the weights, as JSON of a `DataConfig`.

    Args:
        generated_data: as of `save_weights`.
    """
    data = config.data.model_dump_json(include={"input_size", "keypoint_set"})
    content = {"state_dict": released_state_dict(model, config), DATA: data, GENERATED_DATA: generated_data}
    with atomic_file(path) as file:
        torch.save(content, file)


def _seen(head: PoseurConfig) -> dict[str, object]:
    knobs = head.model_dump()
    loss = knobs.pop("loss")
    return {name: value for name, value in knobs.items() if name not in UNSEEN} | {
        name: loss[name] for name in ("flow_layers", "flow_hidden", "flow_prior_mean")
    }


def _require_same(node: str, ours: Mapping[str, object], theirs: Mapping[str, object]) -> None:
    if different := [name for name in ours if ours[name] != theirs[name]]:
        listed = ", ".join(f"{name}={ours[name]!r}" for name in different)
        raise UserError(f"the released code cannot express {node} with {listed}")
