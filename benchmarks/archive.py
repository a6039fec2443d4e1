"""`python -m benchmarks.archive [RUNS]`: export and import of 1,000 finished runs, each to take < 15 s and < 300 MB.

The runs are copies of the committed ones of profile `mini` under other seeds, so other ids, each with a notebook as
large as an executed one. Times and peak memory are of whole commands, Python's start included; "export, first" reads
and verifies every record, "again" knows those that have not changed, and nothing is recomputed.
"""

import base64
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from poseur_lib.config import ExperimentConfig
from poseur_lib.runtime import processor_name
from poseur_study.runs.evaluation_file import EVALUATION_FILE
from poseur_study.runs.record import RECORD_FILE, Record, body_digest, read_record
from poseur_study.runs.run_id import run_hash, run_id
from poseur_study.runs.store import NOTEBOOK_FILE

GOAL_SECONDS, GOAL_MEGABYTES = 15.0, 300.0
COMMITTED = Path("runs/mini")
NOTEBOOK_BYTES = 180_000


def main(runs: int) -> int:
    """Make the store, carry it, and say whether each way stays within the goals; 1 if one does not."""
    with tempfile.TemporaryDirectory(prefix="poseur-archive-") as folder:
        there, here, archive = Path(folder) / "there", Path(folder) / "here", Path(folder) / "runs.tar.gz"
        make_runs(there / "mini", runs)
        print(f"{runs} finished runs, {processor_name()}, load {os.getloadavg()[0]:.1f}")
        taken = {"export, first": _timed("export", archive, there)}
        archive.unlink()
        taken["export, again"] = _timed("export", archive, there)
        taken["import"] = _timed("import", archive, here, "--no-recompute")
        assert len(list(here.glob(f"mini/*/{RECORD_FILE}"))) == runs
        print(f"archive of {archive.stat().st_size / 1e6:.1f} MB")
    beyond = 0
    for name, (wall, processor, megabytes) in taken.items():
        within = wall < GOAL_SECONDS and megabytes < GOAL_MEGABYTES
        beyond += not within
        goals = f"{'within' if within else 'beyond'} {GOAL_SECONDS:.0f} s, {GOAL_MEGABYTES:.0f} MB"
        print(f"{name:14s} {wall:5.1f} s ({processor:.1f} s of a processor), {megabytes:.0f} MB: {goals}")
    return int(beyond > 0)


def make_runs(folder: Path, runs: int) -> None:
    """Finished runs: the committed ones with other seeds."""
    rng = random.Random(0)  # nosec B311
    for (source, record), _ in zip(_with_other_seeds(), range(runs), strict=False):
        target = folder / record.run_id
        target.mkdir(parents=True)
        shutil.copy(source / EVALUATION_FILE, target)
        image = base64.b64encode(rng.randbytes(NOTEBOOK_BYTES * 3 // 4)).decode()
        output = {"output_type": "display_data", "data": {"image/png": image}, "metadata": {}}
        cell = {"cell_type": "code", "source": "", "metadata": {}, "execution_count": 1, "outputs": [output]}
        notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
        (target / NOTEBOOK_FILE).write_text(json.dumps(notebook))
        body = record.model_dump(mode="json")
        (target / RECORD_FILE).write_text(json.dumps({"sha256": body_digest(body), "record": body}, indent=1))


def _with_other_seeds() -> Iterator[tuple[Path, Record]]:
    committed = [(path.parent, read_record(path.parent)) for path in sorted(COMMITTED.glob(f"*/{RECORD_FILE}"))]
    for seed in count(1000):
        for folder, record in committed:
            if isinstance(record.config, ExperimentConfig):
                config, parents = record.config.with_changes(seed=seed + 10**4 * record.config.seed), record.parents
                known = config, record.provenance.data_fingerprint, parents
                names = {"run_id": run_id(*known), "run_hash": run_hash(*known)}
                yield folder, record.model_copy(update={"config": config, **names})


def _timed(way: str, archive: Path, runs: Path, *more: str) -> tuple[float, float, float]:
    """Wall and processor seconds of a command, and its peak megabytes as the kernel tells them at its end."""
    arguments = ["runs", way, str(archive), "--runs", str(runs), *more]
    program = (
        f"from poseur_study.cli.main import main; code = main({arguments!r}); print(open('/proc/self/status').read())"
    )
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; exit(code)"], stdout=subprocess.PIPE, text=True, check=True
    )
    kilobytes = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert kilobytes is not None
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, processor, int(kilobytes[1]) * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
