"""A batch of light notebooks as a process.

    python -m tests.study.execution.fake_batch STORE BEHAVIOURS [WORKERS] [SCHEDULER SECURITY]

It is what `poseur study run` is beneath the plan: the same `Batch.execute`, with runs that sleep instead of learning.
"""

import json
import sys
from pathlib import Path

import poseur_study.execution.batch
from poseur_lib.files import require_writable
from poseur_study.cli.main import explain
from poseur_study.execution.batch import Batch
from poseur_study.execution.cost_estimate import Work
from poseur_study.experiments.profiles import profile
from poseur_study.runs.datasets import KnownData
from poseur_study.runs.signals import ends_in_order
from poseur_study.runs.store import RunStore
from tests.study.execution.fake_notebook import planned
from tests.study.fakes import FINGERPRINT
from tests.study.projects import fake_options


def fake_batch(store: RunStore, behaviours: list[dict]) -> Batch:
    """A batch of one run per behaviour, without tables."""
    batch = object.__new__(Batch)
    batch.profile, batch.store, batch.tables = profile("smoke"), store, ()
    batch.data = KnownData(Path("data"), FINGERPRINT, FINGERPRINT)
    batch.known = {"": batch.data}
    batch.seeds, batch.overrides, batch.own_data = (0,), {}, True
    batch.runs = tuple(planned(seed, **behaviour) for seed, behaviour in enumerate(behaviours))
    return batch


class NoWork(Work):
    """Counting multiply-adds would import torch."""

    def __init__(self, *_: object) -> None:
        pass

    def of(self, _: object) -> float:
        """All runs are alike."""
        return 1.0

    def save(self) -> None:
        """Nothing."""


def main(folder: str, behaviours: str, workers: str = "2", scheduler: str = "", security: str = "") -> int:
    """Execute the batch; errors as `poseur` shows them."""
    poseur_study.execution.batch.Work = NoWork
    store = RunStore(Path(folder))
    try:
        require_writable(store.folder, "runs cannot be stored in")
        batch = fake_batch(store, json.loads(behaviours))
        how = {"scheduler": scheduler, "security": Path(security) if security else None}
        with ends_in_order(dies=False):
            problems = batch.execute(fake_options(store, workers=int(workers), device="cpu", **how))
    except BaseException as error:
        line, code = explain(error)
        print(line, file=sys.stderr)
        return code
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
