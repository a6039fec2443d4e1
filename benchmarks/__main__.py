"""`python -m benchmarks [crops] [emsda] [head] [people] [options]`: prints the tables, device and threads named.

`python -m benchmarks gpu` has options of its own: the absolute times of a GPU (`benchmarks/gpu/command.py`).
"""

import argparse
import datetime
import os
import sys
from pathlib import Path

import torch

from benchmarks import crops, emsda, head, options, people
from benchmarks.gpu import command
from benchmarks.timing import Setting
from poseur_lib.files import write_atomically
from poseur_lib.runtime import device_name, keep_freed_memory
from poseur_study.costs.benchmark_record import Benchmark
from poseur_study.runs.provenance import cpu_count, git_state, package_versions

COMPARISONS = {"crops": crops.compare, "emsda": emsda.compare, "head": head.compare, "options": options.compare,
               "people": people.compare}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run the named comparisons, or all; print them and, with --out, record them."""
    if arguments[:1] == ["gpu"]:
        return command.main(arguments[1:])
    asked = _parse(arguments)
    torch.set_num_threads(min(asked.threads, cpu_count()))
    keep_freed_memory(asked.device)
    load = os.getloadavg()[0]
    device, rounds = device_name(asked.device), asked.rounds
    print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}, load before: {load:.1f}")
    found = []
    setting = Setting(asked.device, tuple(asked.batch), rounds, compile=asked.compile)
    for name in asked.names or COMPARISONS:
        for comparison in COMPARISONS[name](setting):
            print(comparison.text(), flush=True)
            found.append(comparison)
    if asked.out is not None:
        commit, dirty = git_state()
        record = Benchmark(
            device=device, cpu_count=cpu_count(), threads=torch.get_num_threads(), load=load,
            versions={**package_versions(), **options.runtime_versions()}, commit=commit, dirty=dirty,
            finished_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), rounds=rounds,
            comparisons=tuple(found),
        )  # fmt: skip
        write_atomically(asked.out, (record.model_dump_json(indent=1) + "\n").encode())
        print(f"recorded: {asked.out}")
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed, as ratios within one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(COMPARISONS)}; default: all")
    parser.add_argument("--out", type=Path, metavar="FILE", help="record the run as JSON, for the report")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="of torch, on a processor")
    parser.add_argument("--rounds", type=int, default=7, help="times that each alternative runs; medians are shown")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 32], help="batch sizes")
    parser.add_argument("--compile", action="store_true", help="options: torch.compile too, minutes a batch size")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.names if name not in COMPARISONS]:
        parser.error(f"unknown comparison {unknown[0]!r}; known: {', '.join(COMPARISONS)}")
    if min(asked.threads, asked.rounds, *asked.batch) < 1:
        parser.error("threads, rounds and batch sizes are positive")
    if asked.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: torch finds no GPU")
    return asked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
