"""Every method and backbone: cost at the paper's size, latency here, and whether it learns 32 people by heart.

    python -m benchmarks.methods --out poseur_lib/report/data/methods.json [METHOD ...]
    python -m benchmarks.methods --out poseur_lib/report/data/methods.json --time

The first trains and counts, which may take an hour and load does not spoil; the second adds the latencies, for which
the machine should be quiet. The report shows the record. Exit code 1 if a method does not reach its target (see
`benchmarks.overfit`).
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.overfit import IMAGES, PAIRS, PASSES, overfit, write_people
from poseur_lib.config import ExperimentConfig
from poseur_lib.config.methods import method_changes
from poseur_lib.costs.cost import cost
from poseur_lib.report.evidence import MethodRecord, MethodRow, Origin
from poseur_lib.study.atomic import write_atomically

INPUT_SIZE = (256, 192)
LAYERS = {"HRFormer-T": 3, "HRFormer-S": 3}
"""Poseur's decoder layers in Table 5, where they are not six."""


def paper_config(method: str, backbone: str) -> ExperimentConfig:
    """A method at the paper's size."""
    layers = {"model.head.decoder_layers": LAYERS.get(backbone, 6)} if method == "Poseur" else {}
    return ExperimentConfig().with_changes(**method_changes(method, backbone, INPUT_SIZE), **layers)


def row(method: str, backbone: str, data: Path, threads: int | None) -> MethodRow:
    """One method on one backbone, not timed."""
    costs = cost(paper_config(method, backbone))
    small = overfit(method, backbone, data, threads)
    return MethodRow(
        method=method, backbone=backbone, input_size=INPUT_SIZE, parameters=costs.parameters_without_flows,
        hook_multiply_adds=costs.hook_multiply_adds, multiply_adds=costs.multiply_adds,
        latency_ms=None, stand_in=small.stand_in,
        small_parameters=small.parameters, overfit_ap=small.ap, ceiling=small.ceiling, target=small.target,
        training_seconds=small.seconds, images_trained=IMAGES * PASSES,
    )  # fmt: skip


def timed(record: MethodRecord) -> MethodRecord:
    """The record with latencies taken now, on this machine, which becomes its origin."""
    rows = []
    for one in record.rows:
        speed = cost(paper_config(one.method, one.backbone), timed=True).speed
        rows.append(one.with_changes(latency_ms=speed.latency_ms))
        print(_line(rows[-1]), flush=True)
    return MethodRecord(origin=Origin.now(), rows=tuple(rows))


def main(arguments: list[str]) -> int:
    """Measure the named methods, or all; the record grows with every row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods", description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", help="by name, such as RLE; default: all")
    parser.add_argument("--out", type=Path, metavar="FILE", required=True, help="JSON file")
    parser.add_argument("--threads", type=int, help="threads of torch in training")
    parser.add_argument("--time", action="store_true", help="time what is recorded in FILE, and train nothing")
    asked = parser.parse_args(arguments)
    if asked.time:
        _write(asked.out, timed(MethodRecord.model_validate_json(asked.out.read_text())))
        return 0
    rows: list[MethodRow] = []
    with tempfile.TemporaryDirectory() as folder:
        data = write_people(Path(folder) / "people")
        for method, backbone in PAIRS:
            if asked.methods and method not in asked.methods:
                continue
            rows.append(row(method, backbone, data, asked.threads))
            print(_line(rows[-1]), flush=True)
            _write(asked.out, MethodRecord(origin=Origin.now(), rows=tuple(rows)))
    return int(not all(one.learnt for one in rows))


def _write(path: Path, record: MethodRecord) -> None:
    write_atomically(path, (record.model_dump_json(indent=1) + "\n").encode())


def _line(one: MethodRow) -> str:
    latency = "" if one.latency_ms is None else f", {one.latency_ms:.0f} ms"
    return (
        f"{'ok  ' if one.learnt else 'FAIL'} {one.method:15s} {one.backbone:12s} {one.parameters / 1e6:6.2f} M, "
        f"{one.hook_multiply_adds / 1e9:6.2f} GFLOPs{latency}; AP {one.overfit_ap:5.1f}, to reach {one.target:5.1f} "
        f"(ceiling {one.ceiling:5.1f}), {one.training_seconds:4.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
