"""What a table's results are worth, and whose trainings tell how far seeds are apart."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.analysis.seed_model import pooled
from poseur_study.analysis.table_data import TableData
from poseur_study.analysis.verdict import Evidence
from poseur_study.experiments import tables
from poseur_study.experiments.experiment import ClaimTest, EffectKind
from poseur_study.experiments.profiles import profile
from poseur_study.runs.datasets import DataSet
from poseur_study.runs.plan import PlannedRun, row_run
from poseur_study.runs.store import RunStore

NOWHERE, FINGERPRINT, OF_KEYPOINTS = Path("nowhere"), "f" * 16, {"coco17": "1b", "lsp14": "1b", "mpii16": "4"}


def data_of(
    size: str,
    keypoints: str,
    images: int,
    people: int = 0,
    overrides: dict[str, Any] | None = None,
    boxes: BoxSource | None = None,
) -> TableData:
    """A table on a data set of which only its number of images and people is known; by default in its own boxes."""
    (table,), of = tables([OF_KEYPOINTS[keypoints]]), profile(size)
    runs = {(row.key, 0): row_run(of, table, row, 0, FINGERPRINT, overrides or {}) for row in table.runnable}
    dataset = DataSet(NOWHERE, keypoints, FINGERPRINT, False, images)
    vars(dataset)["val"] = SimpleNamespace(people=lambda: range(people))
    data = TableData(of, table, dataset, RunStore(NOWHERE), (0,), runs)
    vars(data)["boxes"] = boxes or table.boxes
    return data


SHORT = {"train.epochs": 1}


@pytest.mark.parametrize(
    ("data", "evidence"),
    [
        (data_of("paper", "coco17", 5000), Evidence.RETRAINED),
        (data_of("paper", "coco17", 4999), Evidence.NONE),
        (data_of("paper", "coco17", 5000, overrides=SHORT), Evidence.NONE),
        (data_of("paper", "coco17", 5000, boxes=BoxSource.GROUND_TRUTH), Evidence.NONE),
        (data_of("midi", "coco17", 5000), Evidence.NONE),
        (data_of("paper", "mpii16", 2729, people=2958), Evidence.RETRAINED),
        (data_of("paper", "mpii16", 2729, people=2957), Evidence.NONE),
        (data_of("paper", "mpii16", 2729, people=2959), Evidence.NONE),
        (data_of("paper", "mpii16", 2729, people=2958, overrides=SHORT), Evidence.NONE),
        (data_of("midi", "mpii16", 2729, people=2958), Evidence.NONE),
        (data_of("real", "lsp14", 2000), Evidence.LSP),
        (data_of("real", "lsp14", 2000, boxes=BoxSource.GROUND_TRUTH), Evidence.LSP),
        (data_of("real", "lsp14", 1999), Evidence.NONE),
        (data_of("real", "lsp14", 2000, overrides=SHORT), Evidence.LSP),
        (data_of("smoke", "coco17", 5000), Evidence.NONE),
    ],
)
def test_real_people_are_evidence_as_a_whole_val_set_and_coco_and_mpii_by_the_paper_s_recipe(data, evidence):
    assert data.evidence == evidence
    generated = replace(data, dataset=replace(data.dataset, generated=True))
    assert generated.evidence == (Evidence.GENERATED if data.profile.evidential else Evidence.NONE)


SPREAD_ALIKE = np.array([[1.0, 2.0, 4.0], [3.0, 1.0, 2.0], [5.0, 8.0, 6.0]])


def arms_of(values: np.ndarray, names: str, device="cpu", epochs=3, people=0, side=64, whole=False):
    """A training of each arm and seed, by `trainings`' columns."""
    lines = [
        (f"{arm}{seed}", arm, seed, device, epochs, people, whole, (side, side), one)
        for arm, of in zip(names, values, strict=True)
        for seed, one in enumerate(of)
    ]
    length = ["epochs", "people_per_epoch"]
    return pd.DataFrame(lines, columns=["run_id", "arm", "seed", "device", *length, "whole_images", "size", "AP"])


def spreads(*frames: pd.DataFrame, rows: str = "ab"):
    """Of a claim on arms of these trainings, from the first to the last."""
    every = pd.concat(frames, ignore_index=True)
    config, (table,) = profile("mini").experiment(0), tables(["1b"])
    runs = {(row, 0): PlannedRun(f"{row}0", config, (), "", {}, 0) for row in rows}
    dataset = DataSet(NOWHERE, "coco17", FINGERPRINT, True, 2000)
    data = TableData(profile("mini"), table, dataset, RunStore(NOWHERE), (0,), runs)
    vars(data)["trainings"] = every
    trend = tuple(rows) if len(rows) > 2 else ()
    claim = ClaimTest("key", "B beats A.", "Sec. 0", EffectKind.DIRECTION, rows[-1], rows[0], trend=trend)
    return data.spreads(claim, 0)


def test_all_arms_of_a_kind_are_pooled_where_they_spread_alike():
    every = arms_of(SPREAD_ALIKE, "abc")
    assert spreads(every) == [(2, pooled(every, "AP"))] and pooled(every, "AP").arms == 3


def test_the_claim_s_arms_stand_alone_where_not_all_spread_alike():
    own, wide = arms_of(SPREAD_ALIKE[:2], "ab"), arms_of(100 * SPREAD_ALIKE, "cde")
    assert pooled(pd.concat([own, wide]), "AP").unequal
    assert spreads(own, wide) == [(2, pooled(own, "AP"))]


def test_each_row_has_its_own_spread_where_one_of_them_is_alone_on_its_device():
    """Welch: of a trend's rows, ±0.9 and ±0.3 in weight, each with the variance of its seeds and two degrees."""
    own = pd.concat([arms_of(SPREAD_ALIKE, "abc"), arms_of(3 * SPREAD_ALIKE[1:2], "d", device="gpu")])
    wide = arms_of(100 * SPREAD_ALIKE, "efg")
    found = spreads(own, wide, rows="abcd")
    assert pooled(own, "AP").arms == 3 and {(one.arms, one.freedom) for _, one in found} == {(1, 2)}
    variances = [*np.var(SPREAD_ALIKE, axis=1, ddof=1), 9 * np.var(SPREAD_ALIKE[1], ddof=1)]
    expected = np.dot([0.9**2, 0.3**2, 0.3**2, 0.9**2], variances)
    assert sum(weight * one.deviation**2 for weight, one in found) == pytest.approx(expected)


def test_a_row_that_ends_at_one_number_takes_the_spread_of_the_others():
    still = arms_of(np.zeros((1, 3)), "b")
    ((weight, one),) = spreads(arms_of(SPREAD_ALIKE[:1], "a"), still)
    assert weight == 2 and one.deviation == pytest.approx(np.std(SPREAD_ALIKE[0], ddof=1))
    assert spreads(still.assign(arm="a", run_id=["a0", "a1", "a2"]), still) == []


@pytest.mark.parametrize("other", [{"epochs": 10}, {"people": 2000}, {"side": 32}, {"whole": True}], ids=str)
def test_trainings_of_two_kinds_are_pooled_apart(other):
    short = arms_of(SPREAD_ALIKE, "acd")
    long = arms_of(2 * SPREAD_ALIKE, "bef", **other)
    assert spreads(short, long, rows="ac") == [(2, pooled(short, "AP"))]
    assert spreads(short, long) == [(1, pooled(short, "AP")), (1, pooled(long, "AP"))]
    assert spreads(short, long[long["seed"] == 0]) == []  # nothing is known of one of its trainings
