"""Every method and backbone: cost at the paper's size, latency, and whether it learns the people of 32 images by heart.

    python -m benchmarks.methods --out poseur_study/evidence/data/methods.json [METHOD ...]
    python -m benchmarks.methods --out poseur_study/evidence/data/methods.json --time

The first counts and trains, which takes hours on two cores and may be interrupted; the second adds latencies and what
training costs, for which the machine should be quiet. The report shows the record. Exit code 1 if a method does not
reach its target (see
`benchmarks.overfit`).
"""

import argparse
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.overfit import PAIRS, overfit, write_people
from benchmarks.training_time import training_cpu_ms
from poseur_lib.config import ExperimentConfig
from poseur_lib.costs.cost import cost
from poseur_lib.files import write_atomically
from poseur_study.evidence.evidence import MethodRecord, MethodRow, Origin
from poseur_study.experiments.methods import method_changes

INPUT_SIZE = (256, 192)
LAYERS = {"HRFormer-T": 3, "HRFormer-S": 3}
"""Poseur's decoder layers in Table 5, where they are not six."""


def paper_config(method: str, backbone: str) -> ExperimentConfig:
    """A method at the paper's size."""
    layers = {"model.head.decoder_layers": LAYERS.get(backbone, 6)} if method == "Poseur" else {}
    return ExperimentConfig().with_changes(**method_changes(method, backbone, INPUT_SIZE), **layers)


def counted(method: str, backbone: str) -> MethodRow:
    """What a method costs at the paper's size."""
    costs = cost(paper_config(method, backbone))
    return MethodRow(
        method=method,
        backbone=backbone,
        input_size=INPUT_SIZE,
        parameters=costs.parameters_without_flows,
        hook_multiply_adds=costs.hook_multiply_adds,
        multiply_adds=costs.multiply_adds,
    )


def known_record(path: Path) -> MethodRecord:
    """A record, or all methods counted where there is none."""
    if path.exists():
        return MethodRecord.model_validate_json(path.read_text(encoding="utf-8"))
    return MethodRecord(origin=Origin.now(), rows=tuple(counted(*pair) for pair in PAIRS))


def main(arguments: list[str]) -> int:
    """Train what the record lacks, or time all of it; it is written anew after every row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods", description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", help="by name, such as RLE; default: all")
    parser.add_argument("--out", type=Path, metavar="FILE", required=True, help="JSON file; what it has is kept")
    parser.add_argument("--threads", type=int, help="threads of torch in training")
    parser.add_argument("--time", action="store_true", help="take latencies, and train nothing")
    asked = parser.parse_args(arguments)
    known, threads = known_record(asked.out), torch.get_num_threads()
    rows = list(known.rows)
    with tempfile.TemporaryDirectory() as folder:
        data = write_people(Path(folder) / "people")
        for number, one in enumerate(rows):
            if asked.methods and one.method not in asked.methods:
                continue
            if asked.time:
                training = training_cpu_ms(one.method, one.backbone, data)
                torch.set_num_threads(threads)
                speed = cost(paper_config(one.method, one.backbone), timed=True).speed
                rows[number] = one.with_changes(latency_ms=speed.latency_ms, training_cpu_ms=training)
            elif one.overfit is None:
                learnt = overfit(one.method, one.backbone, data, asked.threads)
                rows[number] = one.with_changes(overfit=learnt)
            print(_line(rows[number]), flush=True)
            origins = {"timed": Origin.now()} if asked.time else {"origin": Origin.now()}
            record = MethodRecord(**{**dict(known), "rows": tuple(rows), **origins})
            write_atomically(asked.out, (record.model_dump_json(indent=1) + "\n").encode())
    return int(any(one.overfit is not None and not one.overfit.learnt for one in rows))


def _line(one: MethodRow) -> str:
    latency = "" if one.latency_ms is None else f", {one.latency_ms:.0f} ms"
    costs = f"{one.method:15s} {one.backbone:12s} {one.parameters / 1e6:6.2f} M, "
    training = "" if one.training_cpu_ms is None else f", {one.training_cpu_ms:.1f} ms a person"
    costs += f"{one.hook_multiply_adds / 1e9:6.2f} GFLOPs{latency}{training}"
    if one.overfit is None:
        return f"     {costs}; not trained"
    of = one.overfit
    reached = f"AP {of.ap:5.1f}, last {of.ap_at_the_end:5.1f}, to reach {of.target:5.1f}, ceiling {of.ceiling:5.1f}"
    return f"{'ok  ' if of.learnt else 'FAIL'} {costs}; {reached}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
