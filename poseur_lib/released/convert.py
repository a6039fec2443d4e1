"""Checkpoint files of one format in the other."""

import os
from pathlib import Path

import torch
from torch import Tensor

from poseur_lib.config import ExperimentConfig, PoseurConfig
from poseur_lib.errors import UserError
from poseur_lib.models.contract import PoseModel
from poseur_lib.released.keys import rename_ours
from poseur_lib.released.recognise import recognise

UNSEEN = ("dropout", "noise", "keypoint_score", "score_radius", "flip_fusion")
"""Knobs of the head that no weight depends on in inference: a state_dict does not hold them."""


def released_state_dict(model: PoseModel, config: ExperimentConfig) -> dict[str, Tensor]:
    """The weights of a model under the released code's names.

    Raises:
        UserError: the released code has no such backbone, or no way to say how the head is configured.
    """
    state = rename_ours(model.state_dict())
    found = recognise(state)
    backbone = config.model.backbone.with_changes(weights="none")
    if found.model.backbone != backbone:
        raise UserError(f"the released code has no backbone {backbone.name!r}")
    ours, theirs = (_seen(head) for head in (config.model.head, found.model.head))
    if different := [name for name in ours if ours[name] != theirs[name]]:
        listed = ", ".join(f"{name}={ours[name]!r}" for name in different)
        raise UserError(f"the released code cannot express model.head with {listed}")
    return state


def save_released(path: Path, model: PoseModel, config: ExperimentConfig) -> None:
    """Writes {"state_dict": ...} under the released names; the file is there whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save({"state_dict": released_state_dict(model, config)}, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _seen(head: PoseurConfig) -> dict[str, object]:
    knobs = head.model_dump()
    loss = knobs.pop("loss")
    return {name: value for name, value in knobs.items() if name not in UNSEEN} | {
        name: loss[name] for name in ("flow_layers", "flow_hidden", "flow_prior_mean")
    }
