"""Poseur's share less the heatmaps' of keypoints outside boxes, by what heatmaps can and cannot win."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from poseur_study.analysis.interval import Sample
from poseur_study.experiments import tables
from poseur_study.measurements.outside_boxes import (
    COLUMNS,
    HEATMAP,
    POSEUR,
    outside_difference,
    outside_differences,
)
from poseur_study.table_study import TableStudy


class Table3(TableStudy):
    """With a detector that finds people; nothing but its labels, its effects and the number of images is read."""

    result = None

    def __init__(self):
        (self.table,) = tables(["3"])
        self.result = SimpleNamespace(claims=[SimpleNamespace(effect=True)])
        self.data = SimpleNamespace(n_images=50)


@pytest.fixture
def study():
    return Table3()


def line(study, key, seed, near, both):
    rng = np.random.default_rng([seed, len(key)])
    samples = [Sample.of(value + np.append(0, rng.normal(0, 0.1, 200))) for value in (near, both)]
    return dict(zip(COLUMNS, (study.table.row(key).label, seed, 9, 9, both, near, both, *samples), strict=True))


def test_poseur_may_win_what_heatmaps_cannot_and_lose_what_they_can(study):
    lines = [line(study, key, seed, near, both)
             for seed, shift in ((0, 0), (1, 1))
             for key, near, both in ((POSEUR, 16 + shift, 5), (HEATMAP, 29, 0))]  # fmt: skip
    found = outside_differences(study, pd.DataFrame(lines))
    assert found["value"].to_list() == pytest.approx([5, -12.5])
    assert (found["low"] < found["value"]).all() and (found["value"] < found["high"]).all()
    assert outside_difference(study, pd.DataFrame(lines)).value == pytest.approx(5), "the claim's"


def test_without_a_seed_of_both_heads_there_is_no_difference(study):
    assert outside_differences(study, pd.DataFrame([line(study, POSEUR, 0, 16, 5)])).empty
    study.result.claims = []
    both = [line(study, key, 0, 16, 5) for key in (POSEUR, HEATMAP)]
    assert outside_differences(study, pd.DataFrame(both)).empty, "no head has learnt"
