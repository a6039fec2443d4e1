"""`python -m poseur_study.evidence.record parity|costs|methods|claims|pilot`: measures anew what `evidence` shows.

python -m poseur_study.evidence.record parity --shared ../shared
python -m poseur_study.evidence.record costs
python -m poseur_study.evidence.record methods
python -m poseur_study.evidence.record claims
python -m poseur_study.evidence.record pilot --runs runs/mini
python -m benchmarks --out poseur_study/evidence/data/benchmark_cpu.json
python -m benchmarks gpu --out poseur_study/evidence/data/gpu_CARD_DATE.json
"""

import argparse
import sys
from pathlib import Path

from poseur_lib.config.base import Frozen
from poseur_lib.files import write_atomically
from poseur_study.analysis.power import FILE as PILOT
from poseur_study.analysis.power import Pilot, pilot_of
from poseur_study.analysis.result_types import pools, table_results
from poseur_study.costs.cost_claims import cost_statements, emsda_times
from poseur_study.costs.paper_costs import compare_costs
from poseur_study.costs.printed_gflops import method_costs
from poseur_study.evidence.evidence import (
    DATA,
    FILES,
    CostClaimRecord,
    CostRecord,
    MethodCostRecord,
    Origin,
    ParityRecord,
    benchmark_records,
)
from poseur_study.parity.evaluation import evaluation_parities
from poseur_study.parity.outputs import config_parity, recorded_names
from poseur_study.runs.store import RunStore


def main(arguments: list[str]) -> int:
    """Record one of them; the difference of every configuration is printed as it is found."""
    makers = {"parity": parity, "costs": costs, "methods": printed_gflops, "claims": claims, "pilot": pilot}
    parser = argparse.ArgumentParser(prog="python -m poseur_study.evidence.record", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=tuple(makers))
    parser.add_argument("--shared", type=Path, metavar="DIR", help="parity: folder of reference/ and data/coco4/")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="pilot: folder of a profile's runs")
    asked = parser.parse_args(arguments)
    needed = {"parity": "shared", "pilot": "runs"}.get(asked.what)
    if needed and getattr(asked, needed) is None:
        parser.error(f"{asked.what} needs --{needed}")
    record = makers[asked.what](asked)
    path = PILOT if isinstance(record, Pilot) else DATA / FILES[type(record)]
    write_atomically(path, (record.model_dump_json(indent=1) + "\n").encode())
    print(f"recorded: {path}")
    return 0


def parity(asked: argparse.Namespace) -> Frozen:
    """Every recorded configuration and every stored evaluation."""
    reference, configs = asked.shared / "reference", []
    for name in recorded_names(reference):
        configs.append(config_parity(reference, name))
        print(configs[-1].name, configs[-1].differences or "recognised", flush=True)
    evaluations = evaluation_parities(reference, asked.shared / "data" / "coco4")
    return ParityRecord(origin=Origin.now(), configs=tuple(configs), evaluations=evaluations)


def costs(_: argparse.Namespace) -> Frozen:
    """Every cost that the paper prints."""
    return CostRecord(origin=Origin.now(), rows=compare_costs())


def printed_gflops(_: argparse.Namespace) -> Frozen:
    """The GFLOPs that the paper prints of the other methods."""
    return MethodCostRecord(origin=Origin.now(), rows=method_costs())


def claims(_: argparse.Namespace) -> Frozen:
    """Every statement on costs that our counters decide."""
    return CostClaimRecord(origin=Origin.now(), statements=cost_statements() + emsda_times(benchmark_records()))


def pilot(asked: argparse.Namespace) -> Frozen:
    """The pilot that some runs are, in place of the earlier one."""
    store = RunStore(asked.runs)
    results = table_results(store)
    return pilot_of(results, pools(store, [one for _, one in results]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
