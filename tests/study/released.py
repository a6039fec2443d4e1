"""What the tests of the released source share: a table of small Poseurs that the released code could have."""

from dataclasses import replace
from pathlib import Path

import torch

from poseur_lib.config import ExperimentConfig
from poseur_lib.models.build import build_model
from poseur_lib.released.convert import save_released
from poseur_lib.study.datasets import DataSet
from poseur_lib.study.declaration import Claim, ClaimKind, Row, Table
from poseur_lib.study.predictions_file import BoxSource
from poseur_lib.study.profiles import profile
from poseur_lib.study.store import RunStore
from poseur_lib.study.table_source import Source

SIZE = (64, 64)
SMALL = {
    "data.input_size": list(SIZE),
    "model.backbone": {"kind": "mobilenetv2"},
    "model.head.embed_dims": 32,
    "model.head.num_heads": 4,
    "model.head.num_points": 2,
    "model.head.ffn_dims": 48,
    "model.head.loss.flow_hidden": 8,
}


def row(key: str, **changes) -> Row:
    """A row of the small table."""
    return Row(key=key, label=key, ticks=(key,), changes={path.replace("__", "."): v for path, v in changes.items()})


TABLE = Table(
    number="X",
    title="Small Poseurs",
    notebook="none.ipynb",
    question="?",
    factor=("layers",),
    varies=("model.head",),
    rows=(
        row("one", model__head__decoder_layers=1),
        row("two", model__head__decoder_layers=2),
        row("two, no noise", model__head__decoder_layers=2, model__head__noise={"kind": "none"}),
    ),
    claims=(
        Claim(key="more", text="", source="", kind=ClaimKind.DIRECTION, better="two", than="one"),
        Claim(key="noise", text="", source="", kind=ClaimKind.DIRECTION, better="two", than="two, no noise"),
    ),
    base=SMALL,
    base_reason="",
    alternatives=(),
    open_questions=(),
    boxes=BoxSource.DETECTOR,
)


def small(layers: int, **changes) -> ExperimentConfig:
    """The configuration of a checkpoint with so many decoder layers."""
    changes = {**SMALL, "model.head.decoder_layers": layers, "model.backbone.weights": "none", **changes}
    return ExperimentConfig().with_changes(**changes)


def write_checkpoint(path: Path, layers: int, seed: int = 0) -> Path:
    """A checkpoint file in the released code's format, of random weights."""
    torch.manual_seed(seed)
    config = small(layers)
    save_released(path, build_model(config), config)
    return path


def source_of(data: DataSet, runs: Path, **changes) -> Source:
    """The small table at profile paper, none of its rows trained; `changes` to what is known of the data set."""
    return Source(profile("paper"), TABLE, replace(data, **changes), RunStore(runs / "paper"), seeds=(), runs={})
