"""What the tests of the released source share: a table of small Poseurs that the released code could have."""

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch

from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.checkpoints.released_convert import save_released
from poseur_lib.config import ExperimentConfig
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.models.build import build_model
from poseur_study.analysis.table_data import TableData
from poseur_study.experiments.experiment import ClaimTest, EffectKind, Row, Table
from poseur_study.experiments.notebook_parameters import RunSettings
from poseur_study.experiments.profiles import profile
from poseur_study.paper.tables import Printed
from poseur_study.released_checkpoints import evaluate as released_source
from poseur_study.released_checkpoints.evaluate import Outcome, ReleasedSource
from poseur_study.released_checkpoints.store import ReleasedStore
from poseur_study.runs.datasets import DataSet
from poseur_study.runs.predictions import Predictions, as_stored
from poseur_study.runs.run_steps import Run, predict_by_boxes
from poseur_study.runs.store import RunStore

SIZE = (64, 64)
SIZES = {f"{name}.pth": SIZE for name in ("1", "2", "2_copy", "3")}
CPU = RunSettings(profile="paper", device="cpu")
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


PRINTED = {"AP": Printed(Decimal("74.7"), "Table X, one"), "AR": Printed(Decimal("79.9"), "Table X, one")}
TABLE = Table(
    number="X",
    title="Small Poseurs",
    notebook="none.ipynb",
    question="?",
    factor=("layers",),
    varies=("model.head",),
    rows=(
        replace(row("one", model__head__decoder_layers=1), of_text=PRINTED),
        row("two", model__head__decoder_layers=2),
        row("two, no noise", model__head__decoder_layers=2, model__head__noise={"kind": "none"}),
    ),
    claims=(
        ClaimTest(key="more", text="", source="", kind=EffectKind.DIRECTION, better="two", than="one"),
        ClaimTest(key="noise", text="", source="", kind=EffectKind.DIRECTION, better="two", than="two, no noise"),
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


def table_data(data: DataSet, runs: Path, **changes) -> TableData:
    """The small table at profile paper, none of its rows trained; `changes` to what is known of the data set."""
    return TableData(profile("paper"), TABLE, replace(data, **changes), RunStore(runs / "paper"), seeds=(), runs={})


@dataclass(frozen=True)
class Done:
    """A folder of checkpoints that was evaluated."""

    source: ReleasedSource
    outcomes: list[Outcome]
    runs: Path


def write_checkpoints(folder: Path) -> Path:
    """One of each of two rows, a copy, one of no row, one of ours, and one that was cut off."""
    for layers in (1, 2, 3):
        write_checkpoint(folder / f"{layers}.pth", layers, seed=layers)
    (folder / "2_copy.pth").write_bytes((folder / "2.pth").read_bytes())
    (folder / "cut.pth").write_bytes((folder / "1.pth").read_bytes()[:5000])
    save_weights(folder / "ours.pt", build_model(small(1)), small(1))
    (folder / "README.txt").write_text("not a checkpoint")
    return folder


def opened(folder: Path, people: Path, runs: Path, sizes=SIZES) -> ReleasedSource:
    """A folder of checkpoints beside the small table."""
    return ReleasedSource(folder, [TABLE], str(people), ReleasedStore(runs), sizes)


def evaluate_all(folder: Path, people: Path, runs: Path) -> Done:
    """All of it evaluated, with AP above 0."""
    source = opened(folder, people, runs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(released_source, "predict_by_boxes", near_the_truth)
        return Done(source, list(source.evaluate(CPU)), runs)


def near_the_truth(run: Run, model) -> Predictions:
    """`predict_by_boxes` with keypoints moved to the labelled ones and noise: 3 % of the crop per decoder layer."""
    rng = np.random.default_rng(0)
    noise = 0.03 * run.planned.config.model.head.decoder_layers
    truth = {person.image_id: person.keypoints_image for person in reversed(run.data.val.people())}
    nobody = np.zeros((17, 2))
    moved = {}
    for source, of_source in predict_by_boxes(run, model).items():
        labelled = np.stack([truth.get(int(image), nobody) for image in of_source.image_id])
        points = (labelled - of_source.center[:, None]) / (200 * of_source.box_scale[:, None]) + 0.5
        points += rng.normal(0, noise, points.shape)
        moved[source] = as_stored(replace(of_source, keypoints=points.astype(np.float32)))
    return moved
