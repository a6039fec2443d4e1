"""The quantisation bounds beside Table 2b, without any run: each row's codec, at the paper's input and ours."""

import pytest

from poseur_lib.evaluation.ceiling import codec_ceiling
from poseur_study.measurements.quantisation_bound import quantisation_bounds
from poseur_study.table_study import TableStudy
from tests.training.tiny import write_people


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = write_people(tmp_path_factory.mktemp("bounds") / "data", train=2, val=8)
    return TableStudy("2b", data=str(root), runs=str(root.parent / "runs"))


@pytest.fixture(scope="module")
def bounds(study):
    return quantisation_bounds(study)


def test_every_row_has_its_bound_at_both_inputs(study, bounds):
    assert list(bounds.columns) == ["row", "at", "height", "width", "bound"]
    assert len(bounds) == 2 * len(study.table.rows) == 12
    by_row = bounds.set_index(["row", "at"])
    for row in study.table.rows:
        codec = "quarter" if row.method == "SimpleBaseline" else "regression"
        here = study.configs[row.key].data.input_size
        for at, size in (("paper", row.changes.get("data.input_size", (256, 192))), ("here", here)):
            line = by_row.loc[row.label, at]
            assert (line["height"], line["width"]) == tuple(size)
            assert line["bound"] == codec_ceiling(study.dataset.val, codec, size).AP, (row.key, at)


def test_regression_loses_nothing_and_heatmaps_lose_more_on_smaller_crops(study, bounds):
    paper = bounds[bounds["at"] == "paper"].join(study.subjects["kind"], on="row")
    assert (paper.query("kind == 'regression'")["bound"] == 100).all()
    heatmaps = paper.query("kind == 'heatmap'").sort_values("height")["bound"]
    assert heatmaps.is_monotonic_increasing and heatmaps.iloc[0] < 100
