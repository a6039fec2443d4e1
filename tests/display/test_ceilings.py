"""The ceilings beside Table 2b, without any run: each row's codec, at the paper's input and at the profile's."""

import pytest

from poseur_lib.data.coco import fingerprint
from poseur_lib.evaluation.ceiling import codec_ceiling
from poseur_study.display import ceilings
from poseur_study.experiments.notebook_parameters import TableSettings
from poseur_study.runs.datasets import DataSet
from poseur_study.table_study import TableStudy
from tests.display.test_table_displays import cells
from tests.training.tiny import write_people


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = write_people(tmp_path_factory.mktemp("ceilings") / "data", train=2, val=8)
    settings = TableSettings(data=str(root), runs=str(root.parent / "runs"))
    opened = TableStudy("2b", settings)
    assert opened.dataset == DataSet(root, "coco17", fingerprint(root), opened.dataset.generated, 8)
    return opened


@pytest.fixture(scope="module")
def rows(study):
    html = ceilings.row_ceilings(study, study.collect()).data
    body, heads = cells(html, "td"), cells(html, "th")
    return html, [dict(zip(heads, body[at : at + len(heads)], strict=True)) for at in range(0, len(body), len(heads))]


def test_every_row_has_its_ceiling_at_both_inputs(study, rows):
    _, lines = rows
    assert len(lines) == len(study.table.rows) == 6
    for line, row in zip(lines, study.table.rows, strict=True):
        for config, name in ((study.configs[row.key], "ceiling here"), (None, "ceiling")):
            size = config.data.input_size if config else row.changes.get("data.input_size", (256, 192))
            codec = "quarter" if row.method == "SimpleBaseline" else "regression"
            assert line[name] == f"{codec_ceiling(study.dataset.val, codec, size).AP:.1f}", (row.key, name)
        assert line["AP, ours"] == "not run"
    heights = [study.configs[row.key].data.input_size for row in study.table.rows if row.method == "SimpleBaseline"]
    assert {line["input here"] for line in lines} == {f"{height} × {width}" for height, width in heights}


def test_the_papers_ap_stands_beside_it(study, rows):
    html, lines = rows
    assert [line["AP, paper"] for line in lines] == [row.printed("AP").text for row in study.table.rows]
    assert "Counted on 8 labelled" in html


def test_codecs_at_the_papers_inputs(study):
    html = ceilings.codec_ceilings(study).data
    assert [size for size in cells(html, "td") if "×" in size] == ["64 × 64", "128 × 128", "256 × 192"]
    assert "udp-offset" in cells(html, "th") and "regression" not in cells(html, "th")
