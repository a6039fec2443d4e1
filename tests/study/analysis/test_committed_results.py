"""Every committed result of a table, computed again from the committed files, without weights or data set."""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from poseur_lib.data.coco import labels_of
from poseur_lib.evaluation.calibration import calibration_error
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.evaluation.oks import keypoint_similarity
from poseur_study.analysis.error_breakdown import BREAKDOWN_CSV, breakdown, breakdown_csv
from poseur_study.analysis.interval import Estimate, difference, estimate
from poseur_study.analysis.measured_values import StoredSample, over_seeds
from poseur_study.analysis.result_types import TableResult
from poseur_study.analysis.seed_model import Spread
from poseur_study.analysis.table_data import TableData
from poseur_study.analysis.table_results import claims_csv, collect, rows_csv
from poseur_study.experiments import tables
from poseur_study.experiments.analyses import (
    AP_SHIFTS,
    CALIBRATION,
    ERROR_SHIFTS,
    FIGURE_S1,
    POSEUR,
    RESCALED_CLAIM,
    SCORE_CLAIM,
    SCORING,
    SMALL_RADIUS,
    SMALL_RADIUS_CLAIM,
    shift_claim_key,
)
from poseur_study.experiments.profile_deviations import HALF_A_PIXEL
from poseur_study.experiments.profiles import MINI_PEOPLE, profile
from poseur_study.measurements.calibration import measured_bins, scored_keypoints
from poseur_study.measurements.outside_boxes import HEATMAP as OF_HEATMAPS
from poseur_study.measurements.outside_boxes import POSEUR as OF_POSEUR
from poseur_study.measurements.outside_boxes import outside_difference, outside_keypoints
from poseur_study.measurements.proposal_robustness import shifted
from poseur_study.measurements.scoring import Score, ap_samples, promised, scored_runs
from poseur_study.measurements.self_attention import self_attention
from poseur_study.runs.datasets import DataSet
from poseur_study.runs.evaluation_file import EVALUATION_FILE
from poseur_study.runs.plan import row_run
from poseur_study.runs.record import PREDICTIONS_FILE, RECORD_FILE, read_evaluation, read_record
from poseur_study.runs.run_steps import metrics_of
from poseur_study.runs.store import RESULT_FILE, RunStore
from poseur_study.table_study import TableStudy
from synthetic_people import generate

REPOSITORY = Path(__file__).resolve().parents[3]
MINI = REPOSITORY / "runs" / "mini"
TABLES = sorted(path.parent.name for path in MINI.glob(f"tables/*/{RESULT_FILE}"))
OF_LABELS = (CALIBRATION.number, SCORING.number, FIGURE_S1.number)
"""Computed from full predictions and from the labels, which are not committed."""
OTHERS = [number for number in TABLES if number not in ("figure_s2", *OF_LABELS)]
RUNS = sorted(path.parent for path in MINI.glob(f"*/{EVALUATION_FILE}"))


@pytest.fixture(scope="module")
def committed(tmp_path_factory) -> Path:
    """The runs as far as they are committed, without what earlier processes have left beside them."""
    listed = subprocess.run(
        ["git", "ls-files", "runs/mini"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    root = tmp_path_factory.mktemp("committed")
    for name in listed.stdout.split():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(REPOSITORY / name)
    return root / "runs" / "mini"


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> Path:
    """A data set folder of which only that there is a detector file is known."""
    root = tmp_path_factory.mktemp("data") / "mini"
    (root / "annotations").mkdir(parents=True)
    (root / "annotations" / "person_detections_val2017.json").touch()
    return root


def data_of(number: str, runs: Path, root: Path) -> TableData:
    """A table as its notebook has it, at the committed seeds and data set."""
    (table,), size, stored = tables([number]), profile("mini"), stored_result(number)
    runs_of = {
        (row.key, seed): row_run(size, table, row, seed, stored.data_fingerprint, {}, pretrained_on)
        for row in table.runnable
        for seed in stored.seeds
    }
    keypoints = table.keypoints or size.config.data.keypoint_set
    dataset = DataSet(root.with_name(stored.data_name), keypoints, stored.data_fingerprint, True, stored.n_images)
    return TableData(size, table, dataset, RunStore(runs), stored.seeds, runs_of)


def pretrained_on() -> str:
    """The data set of the profile itself, whatever keypoints a table's people have."""
    return stored_result("1b").data_fingerprint


def stored_result(number: str) -> TableResult:
    return TableResult.model_validate_json((MINI / "tables" / number / RESULT_FILE).read_text())


def measured_claims(data: TableData) -> Mapping[str, Estimate | None]:
    """What a table's notebook has measured: committed beside the result, or computed from predictions."""
    number = data.table.number
    if number == CALIBRATION.number:
        radius = data.runs[POSEUR, data.seeds[0]].config.model.head.score_radius
        scored = scored_keypoints(data, (radius,)).query("score == 'Eq. 8 with σ'")
        scored = scored.assign(within=100.0 * (scored["error"] <= 100 * radius))
        found = measured_bins(scored, ["score"], "value", "within", data.n_images, calibration_error)
        return {SCORE_CLAIM: found["estimate"].iloc[0]}
    if number == SCORING.number:
        return score_claims(data)
    if number == FIGURE_S1.number:
        of_boxes = study_of(data_of("3", data.store.folder, data.dataset.root))
        return {data.table.claims[0].key: outside_difference(of_boxes, outside_keypoints(of_boxes))}
    study = study_of(data)
    vars(study.dataset)["val"] = SimpleNamespace(people=list)  # who is drawn is of no matter here
    if number == "noisy_proposals":
        return proposal_claims(study)
    if number == "figure_s2":
        _, shares, _ = self_attention(study)
        means = shares.query("layer == 'mean'").set_index(["related", "seed"])
        return over_seeds(means["share"] - means["whoever"], data.n_images)["estimate"].to_dict()
    return {}


def study_of(data: TableData) -> TableStudy:
    """As a notebook opens it, where it is not asked for a data set."""
    study = object.__new__(TableStudy)
    study.data, study.measured = data, {}
    for name in ("table", "dataset", "store", "seeds"):
        setattr(study, name, getattr(data, name))
    return study


def score_claims(data: TableData) -> Mapping[str, Estimate | None]:
    """As the notebook has them."""
    runs, radius = scored_runs(data), data.runs[POSEUR, data.seeds[0]].config.model.head.score_radius
    how = {"predicted": "value", "observed": "within", "images": data.n_images, "measure": calibration_error}
    found = measured_bins(promised(runs, (radius,)), ["score"], **how)
    ranked = ap_samples(runs, (radius, SMALL_RADIUS))["Poseur"]
    each = [difference(ranked[Score.EQ8, radius, seed], ranked[Score.FLOW, SMALL_RADIUS, seed]) for seed in data.seeds]
    rescaled = found["estimate"][Score.RESCALED]
    return {RESCALED_CLAIM: rescaled, SMALL_RADIUS_CLAIM: estimate(each, data.n_images)}


def proposal_claims(study: TableStudy) -> Mapping[str, Estimate | None]:
    """As the notebook has them, row by row and shift by shift."""
    shifts = shifted(study)
    of = {(one.measure, one.row, one.seed, one.shift): one.sample for one in shifts.itertuples()}
    last = shifts["measure"].iloc[-1]

    def claim(shift: float, sample: Callable[[str, int, float], StoredSample], better: str, than: str) -> Estimate:
        samples = [sample(better, seed, shift) - sample(than, seed, shift) for seed in study.seeds]
        return estimate([one.sample for one in samples], study.data.n_images)

    def kept(row: str, seed: int, shift: float) -> StoredSample:
        return of["AP", row, seed, shift].percent_of(of["AP", row, seed, 0.0])

    def added(row: str, seed: int, shift: float) -> StoredSample:
        return of[last, row, seed, shift] - of[last, row, seed, 0.0]

    rows = "with noise", "without noise"
    return {shift_claim_key("AP", shift): claim(shift, kept, *rows) for shift in AP_SHIFTS} | {
        shift_claim_key("error", shift): claim(shift, added, *rows[::-1]) for shift in ERROR_SHIFTS
    }


def check(number: str, runs: Path, root: Path) -> None:
    """All files of a table's result: tables and claims to the last digit, JSON as far as arithmetic is the same."""
    data, folder = data_of(number, runs, root), MINI / "tables" / number
    result = collect(data, measured_claims(data))
    assert rows_csv(result) == (folder / "rows.csv").read_text()
    assert claims_csv(result) == (folder / "claims.csv").read_text()
    assert_same(json.loads(result.model_dump_json()), json.loads((folder / RESULT_FILE).read_text()), 1e-9)
    assert breakdown_csv(breakdown(data)) == (folder / BREAKDOWN_CSV).read_text()


def assert_same(found, stored, within: float, where: str = "") -> None:
    """Equality of JSON values, numbers within a distance."""
    if isinstance(stored, dict):
        assert found.keys() == stored.keys(), where
        for key in stored:
            assert_same(found[key], stored[key], within, f"{where}/{key}")
    elif isinstance(stored, list):
        assert len(found) == len(stored), where
        for place, (one, other) in enumerate(zip(found, stored, strict=True)):
            assert_same(one, other, within, f"{where}/{place}")
    else:
        assert found == (pytest.approx(stored, abs=within) if isinstance(stored, float) else stored), where


@pytest.mark.parametrize("number", ["figure_s2", *(pytest.param(n, marks=pytest.mark.slow) for n in OTHERS)])
def test_a_table_follows_from_the_committed_evaluations(number, committed, labels):
    check(number, committed, labels)


@pytest.mark.slow
@pytest.mark.parametrize("number", OF_LABELS)
def test_a_page_follows_from_committed_predictions_and_the_labels_that_the_generator_gives(number, committed, tmp_path):
    check(number, committed, generated_labels(tmp_path))


@pytest.mark.slow
def test_what_half_a_pixel_of_mini_s_labels_is_worth_is_what_its_pages_say(committed, tmp_path):
    data = data_of("2b", committed, generated_labels(tmp_path))
    drops = {key: [recall(data, key, seed, 0.0) - recall(data, key, seed, 0.5) for seed in data.seeds]
             for key in ("poseur_256", "simba_256")}  # fmt: skip
    (least, *_, most), heatmaps = (sorted(f"{drop:.1f}" for drop in of) for of in drops.values())
    assert f"by {least} to {most} (Poseur, three trainings)" in HALF_A_PIXEL
    assert f"and {heatmaps[0]} (heatmaps)" in HALF_A_PIXEL and heatmaps[0] == heatmaps[-1]


def recall(data: TableData, key: str, seed: int, right_px: float) -> float:
    """Of labelled people in their own boxes, over OKS thresholds (x 100), with poses moved to the right."""
    people = data.dataset.val.people()
    truth, visibility, area = labels_of(people)
    labelled = visibility > 0
    poses = data.predictions(key, seed, BoxSource.GROUND_TRUTH).keypoints_image() + np.float32((right_px, 0))
    similar = keypoint_similarity(poses, truth, area, data.dataset.keypoints.oks_sigmas)
    oks = np.where(labelled, similar, 0).sum(axis=1)[labelled.any(axis=1)] / labelled.sum(axis=1)[labelled.any(axis=1)]
    return 100 * float(np.mean([(oks >= threshold).mean() for threshold in np.arange(0.5, 0.96, 0.05)]))


def generated_labels(folder: Path) -> Path:
    """The val split of profile mini, made anew."""
    generate(folder / "mini", MINI_PEOPLE.model_copy(update={"train_images": 1}), workers=0, progress=False)
    return folder / "mini"


@pytest.mark.parametrize("run", [RUNS[0], *(pytest.param(run, marks=pytest.mark.slow) for run in RUNS[1:])], ids=str)
def test_a_record_s_metrics_and_strata_follow_from_its_evaluation(run):
    record = read_record(run)
    at_truth = record.of(BoxSource.GROUND_TRUTH)
    found = metrics_of(read_evaluation(run, record), at_truth.mean_oks)
    assert found.metrics == record.metrics and found.strata == record.strata


def spreads_of(number: str, runs: Path, root: Path) -> dict[str, list[Spread]]:
    """By claim key, computed from the committed records; of claims that have their runs."""
    data = data_of(number, runs, root)
    claims = [claim for claim in data.table.claims if not claim.measured and data.done(*claim.rows)]
    return {claim.key: [spread for _, spread in data.spreads(claim, data.seeds[0])] for claim in claims}


def test_every_table_that_was_made_is_committed():
    assert TABLES == [
        "1a", "1b", "1c", "1d", "1e", "2a", "2b", "3", "4", "5", "S2", "S3", "S4", "S6", "calibration", "figure_1",
        "figure_s1", "figure_s2", "noisy_proposals", "scoring",
    ]  # fmt: skip


def test_trainings_on_crops_of_several_sizes_are_not_pooled(committed, labels):
    of_2b = spreads_of("2b", committed, labels)
    size = "better-at-all-sizes: poseur_{0} over simba_{0}"
    of_size = [{one.size for one in of_2b[size.format(side)]} for side in (256, 128, 64)]
    assert of_size == [{(64, 48)}, {(32, 32)}, {(16, 16)}]
    (small,) = of_2b[size.format(64)]
    assert small.arms == 1  # heatmaps end at 0 AP with every seed
    over_two = next(spreads for key, spreads in of_2b.items() if "simba_256 over simba_64" in key)
    assert {one.size for one in over_two} == {(64, 48), (16, 16)} and small in over_two


def test_rows_that_are_scored_in_another_way_share_the_model_of_their_trainings(committed, labels):
    spreads = list(spreads_of("S6", committed, labels).values())
    assert len(spreads) == 2 and spreads[0] == spreads[1] != []


def test_what_is_committed_of_runs_is_small_and_only_what_pages_need(committed):
    """Full predictions: of rows whose scores are not their runs' own, of calibration, of keypoints outside boxes."""
    compared = [row for row in stored_result("3").rows if row.key in (OF_POSEUR, OF_HEATMAPS)]
    needed = {run_id for row in compared for run_id in row.run_ids}
    for number in TABLES:
        (table,) = tables([number])
        needed |= {
            run_id
            for row in stored_result(number).rows
            if number in (CALIBRATION.number, SCORING.number) or table.row(row.key).scoring is not None
            for run_id in row.run_ids
        }
    files = list(committed.glob("*_*/*"))
    assert {path.parent.name for path in files if path.name == PREDICTIONS_FILE} == needed
    assert {path.name for path in files} == {RECORD_FILE, EVALUATION_FILE, PREDICTIONS_FILE}
    evaluated = {path.parent.name: path.stat().st_size for path in files if path.name == EVALUATION_FILE}
    assert len(evaluated) == 90 and max(evaluated.values()) < 80_000
