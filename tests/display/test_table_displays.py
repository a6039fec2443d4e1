"""Displays of the declared tables without any run: nothing is blank, long tables stay whole."""

import re
from dataclasses import replace
from html import unescape

import pytest
from poseur_study.display import comparison as table_figure
from poseur_study.display import tables
from poseur_study.display.comparison import Dot, Effect, comparison_figure
from poseur_study.display.variants import BY_METHOD, variants_table

from poseur_study.analysis import table_results as results
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.table_data import TableData
from poseur_study.analysis.verdict import Verdict
from poseur_study.costs.row_speed import RowSpeed
from poseur_study.experiments import TABLES
from poseur_study.experiments.profiles import profile
from poseur_study.plotting.style import BACKBONE_COLOURS, DARK, METHOD_MARKERS, backbone_colour
from poseur_study.runs.datasets import DataSet
from poseur_study.runs.plan import row_run
from poseur_study.runs.store import RunState, RunStore

SMOKE = profile("smoke")
each = pytest.mark.parametrize("table", TABLES, ids=[table.number for table in TABLES])


@pytest.fixture(autouse=True)
def nothing_is_measured(monkeypatch):
    monkeypatch.setattr(results, "row_cost", lambda *_: 4.54)
    speed = RowSpeed({"FPS": 94.0, "Memory": 1386.0, "Memory (test)": 86.0}, "a processor, 1 thread")
    monkeypatch.setattr(results, "row_speed", lambda *_: speed)


def configs(table) -> dict:
    return {row.key: SMOKE.experiment(0, SMOKE.of_table(table.number, table.changes(row))) for row in table.runnable}


def result(table, folder):
    runs = {(row.key, 0): row_run(SMOKE, table, row, 0, "f" * 16, {}) for row in table.runnable}
    data = DataSet(folder, "coco17", "f" * 16, True, 300)
    return results.collect(TableData(SMOKE, table, data, RunStore(folder), (0,), runs))


def cells(html: str, tag: str) -> list[str]:
    found = re.findall(rf"<{tag}[ >].*?</{tag}>", html, re.DOTALL)
    return [unescape(re.sub("<[^>]+>", "", cell)).strip() for cell in found]


@each
def test_every_row_and_printed_number_stands_in_the_table_and_no_cell_is_blank_but_a_tick(table, tmp_path):
    collected = result(table, tmp_path)
    html = tables.result_table(table, collected).data
    body = cells(html, "td")
    heads = cells(html, "th")
    assert len(body) == len(heads) * len(table.rows)
    for row in collected.rows:
        assert set(row.ticks) <= set(body)
        assert {cell.paper for cell in row.cells if cell.paper} <= set(body)
    assert body.count("") == sum(tick == "" for row in table.rows for tick in row.ticks)
    assert all(f"{column.replace('_', ' ')}, {who}" in heads for column in table.columns for who in ("paper", "ours"))
    for reason in {row.not_run for row in table.rows if row.not_run}:
        assert reason.lower() in html.lower()
    assert {claim.verdict for claim in collected.claims} == {Verdict.NOT_RUN}


def test_rows_of_other_seeds_have_no_difference(tmp_path):
    (table,) = (one for one in TABLES if one.number == "1b")
    collected = result(table, tmp_path)

    def with_seeds(*numbers: int):
        aps = [Estimate(value=40 + n, low=39, high=43, images_half=1, seeds_half=None, n_seeds=n, n_images=300)
               for n in numbers]  # fmt: skip
        rows = tuple(row.model_copy(update={"ap": ap}) for row, ap in zip(collected.rows, aps, strict=True))
        return tables.result_table(table, collected.model_copy(update={"rows": rows})).data

    assert "not the same seeds" in with_seeds(2, 1) and "1 or 2 seeds;" in with_seeds(2, 1)
    assert "not the same seeds" not in with_seeds(2, 2) and " 2 seeds;" in with_seeds(2, 2)


@pytest.mark.parametrize(
    ("states", "status"),
    [
        (("absent", "absent", "absent"), "not run"),
        (("record only", "record only", "absent"), "2 of 3 seeds"),
        (("record only", "absent", "failed"), "1 of 3 seeds, failed"),
        (("absent", "failed", "absent"), "failed"),
    ],
)
def test_a_failed_seed_is_in_its_row_s_status(states, status, tmp_path, monkeypatch):
    (table,) = (one for one in TABLES if one.number == "1b")
    runs = {(row.key, n): row_run(SMOKE, table, row, n, "f" * 16, {}) for row in table.runnable for n in range(3)}
    data = TableData(
        SMOKE, table, DataSet(tmp_path, "coco17", "f" * 16, True, 300), RunStore(tmp_path), (0, 1, 2), runs
    )
    of = {run.run_id: RunState(states[seed]) for (_, seed), run in runs.items()}
    monkeypatch.setattr(RunStore, "state", lambda self, run_id: of[run_id])
    monkeypatch.setattr(RunStore, "recorded_state", lambda self, run_id: of[run_id])
    assert results._status(data, table.rows[0]) == status


@each
def test_the_variants_show_that_nothing_but_the_factor_moves(table):
    html = variants_table(table, configs(table)).data
    if len(table.runnable) > 1:
        assert "All that differs between the rows; the other" in html
    if not BY_METHOD & set(table.varies) and len(table.runnable) > 1:
        shown = set(cells(html, "td"))
        assert any(name.startswith(path) for path in table.varies or ("scored by",) for name in shown)
    assert all(row.ticks[-1] in cells(html, "td") for row in table.rows)


def test_every_backbone_of_a_row_has_a_colour_and_every_method_a_shape():
    for table in TABLES:
        for row in table.rows:
            assert backbone_colour(table_figure.row_backbone(table, row)) != DARK, row.label
            assert row.method in METHOD_MARKERS
    assert len(set(BACKBONE_COLOURS.values())) == len(BACKBONE_COLOURS)


def test_figures_draw_with_results_and_without():
    dot = Dot("Poseur, ResNet-50", None, 75.4, "resnet50", "Poseur")
    ours = replace(dot, ours=(30.0, 29.0, 31.0))
    difference = Effect("AP: one minus other", (1.0, 0.2, 1.9))
    for dots in ([dot, ours], [ours] * 20):
        html = comparison_figure(
            dots, [difference, replace(difference, ours=None)], "AP", "alt text", "n = 3", "points"
        ).data
        assert 'alt="alt text"' in html and "n = 3" in html


def test_a_table_that_was_not_run_tells_of_no_measurement(tmp_path):
    (table,) = (one for one in TABLES if one.number == "3")
    shown = tables.result_table(table, result(table, tmp_path)).data
    assert "No AP of ours: none of the rows was run." in shown and "bootstrap" not in shown
    assert "Mask R-CNN" in shown and "mask r-cnn" not in shown
