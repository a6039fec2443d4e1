"""The answer, summary and figure of every declared table without any run, and of results made here."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from poseur_study.analysis import table_results as results
from poseur_study.analysis.effect import Effect
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.result_types import TableResult
from poseur_study.analysis.table_data import TableData
from poseur_study.analysis.verdict import Verdict
from poseur_study.costs.row_speed import RowSpeed
from poseur_study.experiments import TABLES
from poseur_study.experiments.analyses import SCORING
from poseur_study.experiments.profiles import profile
from poseur_study.plotting.frames import frame_html
from poseur_study.plotting.style import BACKBONE_COLOURS, DARK, METHOD_MARKERS, backbone_colour
from poseur_study.runs.datasets import DataSet
from poseur_study.runs.plan import row_run
from poseur_study.runs.store import RunState, RunStore
from poseur_study.table_study.answer import VERDICT_NUMBERS, answer, points, result_frame, verdicts_frame
from poseur_study.table_study.frames import paper_frame, variants_frame
from poseur_study.table_study.paper_beside_ours import paper_beside_ours, row_backbone

SMOKE = profile("smoke")
OF = {table.number: table for table in TABLES}
each = pytest.mark.parametrize("table", TABLES, ids=list(OF))


@pytest.fixture(autouse=True)
def nothing_is_measured(monkeypatch):
    monkeypatch.setattr(results, "row_cost", lambda *_: 4.54)
    speed = RowSpeed({"FPS": 94.0, "Memory": 1386.0, "Memory (test)": 86.0}, "a processor, 1 thread")
    monkeypatch.setattr(results, "row_speed", lambda *_: speed)


def result(table, folder, size=SMOKE) -> TableResult:
    runs = {(row.key, 0): row_run(size, table, row, 0, "f" * 16, {}) for row in table.runnable}
    data = DataSet(folder, "coco17", "f" * 16, True, 300)
    return results.collect(TableData(size, table, data, RunStore(folder), (0,), runs))


def estimate(value: float, seeds: int = 2) -> Estimate:
    return Estimate(
        value=value, low=value - 1, high=value + 1, images_half=1, seeds_half=None, n_seeds=seeds, n_images=300
    )


@each
def test_every_row_and_printed_number_stands_in_the_summary(table, tmp_path):
    collected = result(table, tmp_path)
    shown = result_frame(table, collected)
    assert list(shown.index) == [row.label for row in table.rows]
    for row in collected.rows:
        for cell in row.cells:
            if cell.paper:
                assert cell.paper in str(shown.loc[[row.label], cell.column].iloc[0]), (row.label, cell.column)
    assert {claim.verdict for claim in collected.claims} == {Verdict.NOT_RUN}
    assert set(verdicts_frame(table, collected, SMOKE)["verdict"]) <= {Verdict.NOT_RUN.value}


def test_a_number_that_another_table_prints_names_it(tmp_path):
    (shown,) = result_frame(SCORING, result(SCORING, tmp_path))[["AP"]].to_numpy().T
    places = ("70.0 (Sec. 3.3)", "74.7 (Table 2b)", "", "70.5 (Table 5)", "72.4 (Table 2a)")
    assert [one.partition("paper ")[2] for one in shown] == [place or "prints none" for place in places]
    assert "(" not in result_frame(OF["1b"], result(OF["1b"], tmp_path))["AP"].str.cat()


@each
def test_without_runs_the_answer_says_so_and_why_and_the_figure_is_the_paper_s(table, tmp_path):
    collected = result(table, tmp_path)
    text = answer(table, collected, SMOKE)
    assert text.startswith("**Not run.**")
    for reason in {row.not_run for row in table.rows if row.not_run}:
        assert text.lower().count(reason.lower()) == 1
    figure = paper_beside_ours(table, collected)
    assert "none of the rows was trained here" in figure.caption and len(figure.alt) > 20
    plt.close("all")


def test_the_answer_has_effect_interval_paper_and_minimum_detectable_effect(tmp_path):
    collected = result(OF["1b"], tmp_path)
    (claim,) = collected.claims
    done = claim.model_copy(update={"effect": estimate(-1.2), "verdict": Verdict.INCONCLUSIVE_GENERATED})
    text = answer(OF["1b"], collected.model_copy(update={"claims": (done,)}), SMOKE)
    assert text.startswith(
        "**Inconclusive, on generated people.** AP: with noise minus without noise: −1.2 (95 % interval"
    )
    assert (
        "−2.2 to −0.2, 2 seeds, 300 images); the paper has +0.6" in text
        and "Minimum detectable effect of a study of this size: " in text
    )


@pytest.mark.parametrize(("ap", "learnt"), [(19.9, False), (20.0, True)])
def test_end_to_end_methods_are_compared_where_mask_r_cnn_has_learnt(ap, learnt, tmp_path, monkeypatch):
    of_row = {"mask_rcnn_resnet101": estimate(ap)}
    monkeypatch.setattr(TableData, "estimate", lambda self, row, metric: of_row.get(row, estimate(40.0)))
    monkeypatch.setattr(TableData, "effect", lambda self, claim: Effect.of(estimate(2.0)))
    size = profile("mini")
    collected = result(OF["3"], tmp_path, size)
    verdicts, effects = zip(*((one.verdict, one.effect) for one in collected.claims), strict=True)
    assert set(verdicts) == {Verdict.SAME_DIRECTION if learnt else Verdict.NOT_RUN}
    assert all((one is not None) == learnt for one in effects)
    short = "**No claim was looked at.** Mask R-CNN, ResNet-101 has 19.9 AP: below 20 the detector has not learnt"
    assert answer(OF["3"], collected, size).startswith(short) != learnt


@pytest.mark.parametrize(("number", "margin"), [("1b", np.nan), ("S4", 0.5)])
def test_verdicts_are_numbers_and_a_note_says_what_they_cannot(number, margin, tmp_path):
    collected = result(OF[number], tmp_path)
    (claim,) = collected.claims
    done = claim.model_copy(update={"effect": estimate(-1.2), "p": 0.0004, "verdict": Verdict.INCONCLUSIVE_GENERATED})
    frame = verdicts_frame(OF[number], collected.model_copy(update={"claims": (done,)}), SMOKE)
    assert all(frame[name].dtype == float for name in VERDICT_NUMBERS if name != "margin" or not np.isnan(margin))
    line = frame.iloc[0]
    assert [line["ours"], line["p"], line["seeds"]] == [-1.2, 0.0004, 2]
    assert ("margin" in line) == np.isnan(line["minimum_detectable"]) == (not np.isnan(margin))
    assert ("for the margin of" in frame.attrs["note"]) == (not np.isnan(margin))
    assert "&lt;\N{NO-BREAK SPACE}0.001" in frame_html(frame)


def test_rows_of_other_seeds_have_no_difference(tmp_path):
    collected = result(OF["1b"], tmp_path)

    def with_seeds(*seeds: tuple[int, ...]) -> str:
        rows = [
            row.model_copy(update={"ap": estimate(40, len(of)), "seeds": of, "status": "2 of 3 seeds"})
            for row, of in zip(collected.rows, seeds, strict=True)
        ]
        frame = result_frame(OF["1b"], collected.model_copy(update={"rows": tuple(rows)}))
        assert set(frame["status"]) == {"2 of 3 seeds"}
        return frame["Δ AP"].iloc[1]

    assert with_seeds((0, 1), (0,)) == with_seeds((0, 1), (1, 2)) == "not the same seeds"
    assert with_seeds((0, 1), (0, 1)) == "+0.0\npaper +0.6"


@each
def test_the_variants_show_that_nothing_but_the_factor_moves(table):
    configs = {row.key: SMOKE.experiment(0, SMOKE.of_table(table.number, table.changes(row))) for row in table.runnable}
    shown = variants_frame(table, configs)
    assert list(shown.index) == [row.label for row in table.runnable]
    allowed = (*table.varies, "scored by")
    if "model." not in allowed and "model.head" not in allowed:
        assert all(column.startswith(allowed) for column in shown.columns), list(shown.columns)
    assert set(paper_frame(table).columns) == set(table.columns)


def test_every_backbone_of_a_row_has_a_colour_and_every_method_a_shape():
    for table in TABLES:
        for row in table.rows:
            assert backbone_colour(row_backbone(table, row)) != DARK, row.label
            assert row.method in METHOD_MARKERS
    assert len(set(BACKBONE_COLOURS.values())) == len(BACKBONE_COLOURS)


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
    table = OF["1b"]
    runs = {(row.key, n): row_run(SMOKE, table, row, n, "f" * 16, {}) for row in table.runnable for n in range(3)}
    data = TableData(
        SMOKE, table, DataSet(tmp_path, "coco17", "f" * 16, True, 300), RunStore(tmp_path), (0, 1, 2), runs
    )
    of = {run.run_id: RunState(states[seed]) for (_, seed), run in runs.items()}
    monkeypatch.setattr(RunStore, "state", lambda self, run_id: of[run_id])
    monkeypatch.setattr(RunStore, "recorded_state", lambda self, run_id: of[run_id])
    assert results._status(data, table.rows[0]) == status


@pytest.mark.parametrize(
    ("value", "words"),
    [(-0.022, "−0.02"), (0.04, "+0.04"), (-0.0004, "+0.0"), (0.0, "+0.0"), (-0.05001, "−0.1"), (1.848, "+1.8")],
)
def test_no_digit_hides_on_which_side_of_nothing_a_number_lies(value, words):
    """Table 1e's interval from -0.022 to 1.848 read +0.0 to +1.8; a ten-thousandth of a point is nothing."""
    assert points(value) == words
