"""What a table's notebook does, step by step: open, run what is missing, collect, write the results."""

from collections.abc import Mapping
from pathlib import Path

from poseur_lib.config import ExperimentConfig
from poseur_lib.files import write_atomically
from poseur_study.analysis.error_breakdown import BREAKDOWN_CSV, BREAKDOWN_FILE, breakdown, breakdown_csv
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.measured_values import as_csv
from poseur_study.analysis.result_types import TableResult
from poseur_study.analysis.table_data import TableData
from poseur_study.analysis.table_results import collect
from poseur_study.execution.progress import PlanProgress
from poseur_study.execution.run_job import RunOptions, missing_runs
from poseur_study.experiments import tables
from poseur_study.experiments.experiment import Row
from poseur_study.experiments.notebook_parameters import TableSettings
from poseur_study.experiments.profiles import profile
from poseur_study.runs.datasets import open_data
from poseur_study.runs.heartbeat import die_with_parent_in_batch
from poseur_study.runs.plan import PlannedRun, plan, row_run
from poseur_study.runs.project import below_root, results_folder
from poseur_study.runs.provenance import Provenance
from poseur_study.runs.store import RESULT_FILE, RunState, RunStore

OURS = ("ours", "low", "high", "seeds", "images")


class TableStudy:
    """A table at one profile: its runs, what is there of them, and its results.

    Attributes:
        plan: all runs, parents first; also the pretraining behind the rows' runs.
    """

    def __init__(self, number: str, settings: TableSettings) -> None:
        die_with_parent_in_batch()
        self.settings = settings
        (self.table,) = tables([number])
        self.profile = profile(settings.profile)
        self.seeds = tuple(settings.seeds) or self.profile.seeds
        self.data = open_data(self.profile, settings.data)
        self.store = RunStore(below_root(settings.runs) / self.profile.name)
        overrides, fingerprint = settings.overrides, self.data.fingerprint
        self.plan = plan(self.profile, [self.table], self.seeds, fingerprint, overrides)
        runs = {
            (row.key, seed): row_run(self.profile, self.table, row, seed, fingerprint, overrides)
            for seed in self.seeds
            for row in self.table.runnable
        }
        where = (self.profile, self.table, self.data, self.store)
        self.table_data = TableData(*where, self.seeds, runs, overrides, settings.device)

    def run(self, row: Row) -> PlannedRun:
        """The run of a row's first seed."""
        return self.table_data.runs[row.key, self.seeds[0]]

    @property
    def configs(self) -> dict[str, ExperimentConfig]:
        """The configurations of the rows that can be run, by row key, with the first seed."""
        return {row.key: self.run(row).config for row in self.table.runnable}

    def states(self) -> dict[str, RunState]:
        """The state of every run."""
        return {run.run_id: self.store.state(run.run_id) for run in self.plan}

    def run_missing(self) -> dict[str, RunState]:
        """Execute what is missing, each run's notebook in a process of its own; nothing that is finished is touched.

        A run that failed before is not tried again here: `poseur study run` does that. With no workers nothing is
        executed.
        """
        states = self.states()
        if not self.settings.workers:
            return states
        chosen = [run for run in self.plan if states[run.run_id] != RunState.FAILED]
        if not missing_runs(chosen, self.store, self.options):
            return states
        from poseur_study.execution.scheduler import execute_plan  # brings dask.distributed

        with PlanProgress(self.plan, self.store) as progress:
            return states | execute_plan(chosen, self.store, self.options, progress.show).states

    @property
    def options(self) -> RunOptions:
        """How missing runs are executed."""
        named = {"profile", "data", "runs", "device", "precision", "limit_epochs", "workers"}
        return RunOptions(**self.settings.model_dump(include=named))

    def collect(self, measured: Mapping[str, Estimate | None] | None = None) -> TableResult:
        """The results as far as the runs are there; `measured`: what claims need beside the rows' metrics, by key."""
        return collect(self.table_data, measured)

    def provenances(self) -> dict[str, Provenance]:
        """Where each finished run behind the rows comes from."""
        return self.table_data.provenances()

    def write(self, result: TableResult) -> Path:
        """Write the results beside the runs, as JSON for the report and as CSV; returns the folder.

        In a batch they are put aside first: they replace earlier ones once the whole notebook has been executed.
        """
        folder = results_folder(self.store.table_folder(self.table.number))
        write_atomically(folder / "rows.csv", rows_csv(result).encode())
        write_atomically(folder / "claims.csv", claims_csv(result).encode())
        why = breakdown(self.table_data)
        write_atomically(folder / BREAKDOWN_CSV, breakdown_csv(why).encode())
        write_atomically(folder / BREAKDOWN_FILE, (why.model_dump_json(indent=1) + "\n").encode())
        write_atomically(folder / RESULT_FILE, (result.model_dump_json(indent=1) + "\n").encode())
        return folder


def rows_csv(result: TableResult) -> str:
    """One line a row and column; empty cells are explained by `status`."""
    columns = ("table", "row", "column", "paper", *OURS, "counted", "on this device", "device")
    released = ("released", "released low", "released high")
    lines = [
        {"table": result.number, "row": row.label, "column": cell.column, "paper": cell.paper}
        | _interval(cell.measured, *OURS) | {"counted": cell.counted}
        | ({"on this device": cell.on_device.value, "device": cell.on_device.device} if cell.on_device else {})
        | (_interval(cell.released, *released) | {"released file": row.released_from} if cell.released else {})
        | {"status": cell.not_measured or row.status}
        for row in result.rows
        for cell in row.cells
    ]  # fmt: skip
    return as_csv(lines, (*columns, *released, "released file", "status"))


def claims_csv(result: TableResult) -> str:
    """One line a claim."""
    columns = ("table", "claim", "text", "source", "kind", "difference", "paper", *OURS, "evidence", "verdict")
    lines = [
        {
            "table": result.number, "claim": claim.key, "text": claim.text, "source": claim.source, "kind": claim.kind,
            "difference": claim.difference, "paper": claim.paper_effect,
            "evidence": (claim.evidence or result.evidence).value, "verdict": claim.verdict.value,
        }
        | _interval(claim.effect, *OURS)
        for claim in result.claims
    ]  # fmt: skip
    return as_csv(lines, columns)


def _interval(of: Estimate | None, *names: str) -> dict[str, float]:
    values = () if of is None else (of.value, of.low, of.high, of.n_seeds, of.n_images)
    return dict(zip(names, values, strict=False))
