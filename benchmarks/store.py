"""`python -m benchmarks.store [RUNS]`: a store of 1,000 finished runs; plan, status and collecting, each to take < 3 s.

The records are as large as those of profile `mini` (2,000 validation people, two box sources). Times are of whole
commands, Python's start included; "first" reads and verifies every record, "again" knows those that have not changed.
Collecting (timed without the start, which imports torch) verifies every record and its predictions in full, and reads
the resamples of their metrics, which were computed before.
"""

import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_lib.runtime import processor_name
from poseur_lib.training.curve import CurvePoint
from poseur_study.analysis import table_data
from poseur_study.analysis import table_results as results
from poseur_study.analysis.interval import Sample
from poseur_study.analysis.table_data import RESAMPLES, TableData
from poseur_study.execution.batch import Batch
from poseur_study.runs import record
from poseur_study.runs.datasets import DataSet
from poseur_study.runs.plan import PlannedRun, row_run
from poseur_study.runs.predictions import to_bytes
from poseur_study.runs.provenance import Provenance, package_versions
from poseur_study.runs.record import Record, write_record
from poseur_study.runs.run_id import run_hash

GOAL_SECONDS = 3.0
PEOPLE = {BoxSource.GROUND_TRUTH: 2000, BoxSource.DETECTOR: 2300}
TABLE = "1b"


def main(runs: int) -> int:
    """Make the store, time the three, and say whether each stays within the goal; 1 if one does not."""
    with tempfile.TemporaryDirectory(prefix="poseur-store-") as folder:
        arguments = _make(Path(folder), runs)
        print(f"{runs} finished runs of {_megabytes(Path(folder)) / runs:.2f} MB, {processor_name()}, "
              f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
        study = "poseur_study.cli.main", "study"
        taken = {
            "status, first": _timed([*study, "status", *arguments])[:2],
            "status, again": _timed([*study, "status", *arguments])[:2],
            "plan": _timed([*study, "plan", *arguments])[:2],
        }
        wall, processor, printed = _timed(["benchmarks.store", "--collect", *arguments])
        taken["collecting"] = (float(printed), float(printed) * processor / wall)
    for name, (wall, processor) in taken.items():
        verdict = "within" if wall < GOAL_SECONDS else "beyond"
        print(f"{name:16s} {wall:5.1f} s ({processor:.1f} s of a processor): {verdict} {GOAL_SECONDS:.0f} s")
    return int(max(wall for wall, _ in taken.values()) >= GOAL_SECONDS)


def collect(arguments: list[str]) -> None:
    """The results of the table, from verified records and the resamples that were computed before."""
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    batch = _batch(given["--data"], given["--runs"], tuple(int(seed) for seed in given["--seeds"].split(",")))
    data = _table_data(batch)
    start = time.perf_counter()
    result = results.collect(data)
    print(f"{time.perf_counter() - start:.2f}")
    assert all(len(row.run_ids) == len(batch.seeds) and row.ap is not None for row in result.rows)


def _table_data(batch: Batch) -> TableData:
    (table,) = batch.tables
    fingerprint = batch.data.fingerprint or ""
    runs = {
        (row.key, seed): row_run(batch.profile, table, row, seed, fingerprint, {})
        for row in table.rows
        for seed in batch.seeds
    }
    data = DataSet(batch.data.root, "coco17", fingerprint, True, PEOPLE[BoxSource.GROUND_TRUTH])
    return TableData(batch.profile, table, data, batch.store, batch.seeds, runs)


def _resample(batch: Batch) -> None:
    """Have made-up resamples remembered: to compute them is no matter of the store."""
    rng = np.random.default_rng(0)
    table_data.metric_sample = lambda *_: Sample(50.0, rng.normal(50, 1, RESAMPLES))
    TableData.matches = lambda *_: {}
    results.collect(_table_data(batch))


def _make(folder: Path, runs: int) -> list[str]:
    """A data set's annotation file and finished runs; the arguments that `poseur study` finds them with."""
    data, seeds = folder / "data", tuple(range(runs // 2))
    (data / "annotations").mkdir(parents=True)
    (data / "annotations" / "person_keypoints_val2017.json").write_text("{}")
    with contextlib.redirect_stdout(io.StringIO()):
        batch = _batch(str(data), str(folder / "runs"), seeds)
    predictions = {source: _predictions(people) for source, people in PEOPLE.items()}
    compressed = to_bytes(predictions)
    record.to_bytes = lambda _: compressed  # all runs predict the same: to compress it once is enough
    for run in batch.runs:
        where = batch.store.path(run.run_id)
        write_record(where, _record(run, batch.data.fingerprint or ""), predictions if run.parents else {})
        (where / "model.pt").touch()
    _resample(batch)
    given = {"--data": str(data), "--runs": str(folder / "runs"), "--tables": TABLE, "--seeds": _comma(seeds)}
    return [part for pair in given.items() for part in pair]


def _batch(data: str, runs: str, seeds: tuple[int, ...]) -> Batch:
    return Batch("smoke", (TABLE,), seeds, data, runs, {})


def _record(run: PlannedRun, fingerprint: str) -> Record:
    provenance = Provenance(
        commit="0" * 40, dirty=False, python="3.11.0", versions=package_versions(), device="a processor", cpu_count=2,
        threads=1, finished_at="2026-01-01T00:00:00+00:00", wall_seconds=60.0, train_seconds=50.0, profile="smoke",
        data_name="data", data_fingerprint=fingerprint, generated_data=True, n_images=2000,
    )  # fmt: skip
    epochs = (run.config.train if run.config.kind == "experiment" else run.config.pretext).epochs
    row = CurvePoint(epoch=1, step=62, images=2000, seconds=50.0, loss=-1.0, terms={"coarse": 1.0, "decoder": -2.0})
    return Record(
        run_id=run.run_id,
        run_hash=run_hash(run.config, fingerprint, run.parents),
        parents=run.parents,
        config=run.config,
        epochs=epochs,
        provenance=provenance,
        curve=(row,) * epochs,
        metrics=(),
        strata=(),
        predictions_sha256=None,
    )


def _predictions(people: int) -> PredictedPeople:
    rng = np.random.default_rng(people)
    sigma = rng.uniform(0.02, 0.6, (people, 17, 2)).astype(np.float32)
    return PredictedPeople(
        image_id=np.arange(people),
        bbox_scores=rng.uniform(0.1, 1, people).astype(np.float32),
        center=rng.uniform(0, 640, (people, 2)).astype(np.float32),
        box_scale=rng.uniform(0.2, 2, (people, 2)).astype(np.float32),
        keypoints=rng.uniform(-0.1, 1.1, (people, 17, 2)).astype(np.float32),
        sigma=sigma,
        keypoint_scores=(1 - sigma).mean(-1),
        input_size=(64, 48),
    )


def _timed(module: list[str]) -> tuple[float, float, str]:
    """Wall and processor seconds of a command, and what it printed."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", *module], capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def _comma(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    if "--collect" in sys.argv:
        collect(sys.argv[sys.argv.index("--collect") + 1 :])
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
