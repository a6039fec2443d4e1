"""`python -m benchmarks gpu`: each section in each way in a process with a time limit; rows are recorded at once."""

import argparse
import datetime
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import TextIO

import torch

from benchmarks.gpu.ways import EAGER, GRAPH, INDUCTOR
from poseur_lib.files import write_atomically
from poseur_lib.runtime import device_name
from poseur_study.costs.gpu_goals import EMSDA, EPOCH, INFERENCE, LIMITS, PEOPLE, RUNS, TRAINING, goal_rows
from poseur_study.costs.gpu_record import GpuBenchmark, GpuRow
from poseur_study.runs.provenance import cpu_count, git_state, package_versions

BOTH, COMPILED = (EAGER, GRAPH), (INDUCTOR,)
STEPS: dict[tuple[str, tuple[str, ...]], int] = {
    (LIMITS, (EAGER,)): 30,
    (INFERENCE, BOTH): 60,
    (TRAINING, BOTH): 75,
    (EMSDA, BOTH): 45,
    (PEOPLE, ()): 60,
    (EPOCH, (GRAPH,)): 75,
    (RUNS, (GRAPH,)): 110,
    (TRAINING, COMPILED): 110,
    (INFERENCE, COMPILED): 80,
    (EMSDA, COMPILED): 40,
    (EPOCH, COMPILED): 90,
    (EPOCH, (EAGER,)): 75,
    (RUNS, (EAGER,)): 110,
}
"""Sections and ways in the order of what is worth most, with the seconds that each may take: those up to the compiled
training step are all that the goals ask for, and fit. Runs that share a card are not compiled: many compilers at a time
are what would be measured."""
SECTIONS = tuple(dict.fromkeys(section for section, _ in STEPS if section not in (LIMITS, PEOPLE)))
MINUTES = 9.5
REHEARSAL_PATIENCE = 5
"""Times as long as on a card: processes start slowly on a small machine, and nobody pays for it."""
PROFILER = {"TEARDOWN_CUPTI": "0", "DISABLE_CUPTI_LAZY_REINIT": "1"}
"""What torch itself sets where CUDA graphs are profiled more than once in a process."""


@dataclass
class Recording:
    """What was found so far, written after every row."""

    start: GpuBenchmark
    file: Path | None
    rows: dict[tuple, GpuRow] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def add(self, row: GpuRow) -> None:
        """A row, or more ways of one that is there."""
        self.rows[row.key] = self.rows[row.key].joined(row) if row.key in self.rows else row
        self.save()

    def leave_out(self, words: str) -> None:
        """What is not measured, and why."""
        self.left_out.append(words)
        self.save()

    @property
    def record(self) -> GpuBenchmark:
        """All of it as it stands now; the limits are no rows of their own."""
        limits = {row.part: row for row in self.rows.values() if row.section == LIMITS and row.timed}
        reached = {
            "flops": _rate(limits.get("matrix product"), "flops"),
            "bytes": _rate(limits.get("copy"), "bytes"),
        }
        rows = tuple(row for row in self.rows.values() if row.section != LIMITS)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return self.start.model_copy(
            update={**reached, "rows": rows, "left_out": tuple(self.left_out), "finished_at": now}
        )

    def save(self) -> None:
        """Write the file, if one was asked for."""
        if self.file is not None:
            write_atomically(self.file, (self.record.model_dump_json(indent=1) + "\n").encode())


def main(arguments: Sequence[str]) -> int:
    """Measure; print rows and goals, and record them with --out."""
    asked = _parse(arguments)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    commit, dirty = git_state()
    start = GpuBenchmark(
        device=device_name(device), cpu_count=cpu_count(), versions=package_versions(), commit=commit, dirty=dirty,
        finished_at="", rehearsal=asked.rehearse,
    )  # fmt: skip
    print(f"{start.device}, torch {torch.__version__}{', a rehearsal: its times say nothing' * asked.rehearse}")
    found = Recording(start, asked.out)
    patience = REHEARSAL_PATIENCE if asked.rehearse else 1
    ends = time.monotonic() + 60 * asked.minutes * patience
    trains = {EPOCH, RUNS} & set(asked.only)
    wanted = {LIMITS, *asked.only, *([PEOPLE] if trains else [])}
    with tempfile.TemporaryDirectory(prefix="poseur-benchmark-", ignore_cleanup_errors=True) as folder:
        for (section, ways), limit in STEPS.items():
            if section in wanted and (not ways or set(ways) & set(asked.ways)):
                chosen = [way for way in ways if way in asked.ways]
                _take(section, chosen, patience * limit, ends, found, device, folder)
    for row in goal_rows([found.record.model_copy(update={"rehearsal": False})]):
        print("  ".join(str(row[name]) for name in ("what", "goal", "measured", "reached")))
    print("\n".join(f"left out: {words}" for words in found.left_out))
    return 0


def _take(
    section: str, ways: Sequence[str], limit: float, ends: float, found: Recording, device: str, folder: str
) -> None:
    """One section in some ways, as long as its limit and the whole's allow."""
    seconds, name = min(limit, ends - time.monotonic()), ", ".join(filter(None, [section, " and ".join(ways)]))
    if seconds < 5:
        found.leave_out(f"{name}: no time was left")
        return
    rehearsal = "yes" if found.start.rehearsal else "no"
    command = [sys.executable, "-m", "benchmarks.gpu.child", section, ",".join(ways), device, rehearsal, folder]
    if section == PEOPLE:
        command = [sys.executable, "-m", "benchmarks.gpu.people", folder, rehearsal]
    began = time.monotonic()
    problem = None
    for said in rows_of(command, seconds):
        if isinstance(said, GpuRow):
            found.add(said)
            print(f"[{section}] {said.text()}", flush=True)
        else:
            problem = said
    if problem is not None:
        found.leave_out(f"{name}: {problem}")
    print(f"[{section}] {time.monotonic() - began:.0f} s", flush=True)


def rows_of(command: Sequence[str], seconds: float) -> Iterator[GpuRow | str]:
    """Rows that a process prints, and last what went wrong with it; it is stopped after so many seconds.

    What it leaves in its folder of temporary files goes with it, however it ends.
    """
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
    ):
        process = subprocess.Popen(
            list(command), stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
            env={**os.environ, "TMPDIR": folder, **PROFILER},
        )  # fmt: skip
        yield from _rows_within(process, errors, seconds)


def _rows_within(process: subprocess.Popen[str], errors: TextIO, seconds: float) -> Iterator[GpuRow | str]:
    stopped = []

    def stop() -> None:
        stopped.append(True)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    timer = Timer(seconds, stop)
    timer.start()
    try:
        for line in process.stdout:
            if line.startswith("{"):
                yield GpuRow.model_validate_json(line)
        code = process.wait()
        if stopped:
            yield f"stopped after {seconds:.0f} s"
        elif code:
            errors.seek(0)
            yield (errors.read().strip().splitlines() or [f"ended with code {code}"])[-1][:200]
    finally:
        timer.cancel()
        stop()
        process.wait()


def _rate(row: GpuRow | None, what: str) -> float | None:
    return None if row is None else getattr(row, what) / (row.milliseconds / 1e3)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="sections; default: all")
    parser.add_argument("--ways", nargs="+", choices=(*BOTH, *COMPILED), default=(*BOTH, *COMPILED))
    parser.add_argument("--out", type=Path, metavar="FILE", help="record as JSON, for the report, row by row")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="after which the rest is left out")
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes, on a processor too")
    asked = parser.parse_args(arguments)
    if not asked.rehearse and not torch.cuda.is_available():
        parser.error("torch finds no GPU; --rehearse tries the script on a processor")
    return asked
