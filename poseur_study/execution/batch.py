"""The whole of a study in one go: the runs of the chosen tables, then the tables' notebooks.

dask and torch are imported by what executes: plan and status are quicker without.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from poseur_lib.config import ExperimentConfig, PretextRunConfig
from poseur_lib.errors import Interrupted, UserError, describe_validation
from poseur_lib.files import require_writable
from poseur_study.execution.cost_estimate import Work
from poseur_study.execution.papermill_job import TableJob, execute_table
from poseur_study.execution.run_job import RunOptions, missing_runs
from poseur_study.execution.slots import AUTO
from poseur_study.experiments import tables
from poseur_study.experiments.experiment import SPEEDS, Table
from poseur_study.experiments.profiles import profile
from poseur_study.runs.datasets import NOT_GENERATED, KnownData, known_data, make_data
from poseur_study.runs.plan import PlannedRun, plan, require_named_keypoints
from poseur_study.runs.project import as_noted, below_root, project_root
from poseur_study.runs.record import RECORD_FILE, read_record
from poseur_study.runs.signals import ends_in_order
from poseur_study.runs.store import FAILED_NOTEBOOK_FILE, RunStore


class Batch:
    """The runs of some tables at one profile.

    Args:
        numbers: of tables; empty: all.
        seeds: empty: the profile's.
        data: folder of the data set; "": the profile's own.
        overrides: changes to every row's configuration by dotted path.
        make: generate the data set if it is not there.

    Attributes:
        data: identity of the data set; without a fingerprint, the ids of `runs` are not final.
        notes: what a person should know of the data sets, a line each.

    Raises:
        UserError: profile, table, data set or a changed setting does not exist or cannot be used, or a seed is given
            twice.
    """

    def __init__(
        self,
        profile_name: str,
        numbers: tuple[str, ...],
        seeds: tuple[int, ...],
        data: str,
        runs: str,
        overrides: dict[str, Any],
        make: bool = False,
    ) -> None:
        self.profile = profile(profile_name)
        self.tables = _on_one_data_set(tables(numbers), bool(numbers)) if data else tables(numbers)
        left_out = [table.name for table in tables(numbers) if table not in self.tables]
        needs = f"left out, as people of other keypoints are needed: {', '.join(left_out)}"
        self.notes = [needs] if left_out else []
        self.seeds = self.profile.chosen_seeds(seeds)
        self.overrides, self.own_data = overrides, not data
        try:
            require_named_keypoints(self.profile.config.with_changes(**overrides))
        except ValidationError as error:
            raise UserError(describe_validation(error, ExperimentConfig)) from None
        self.store = RunStore(below_root(runs) / self.profile.name)
        if make:
            require_writable(self.store.folder, "runs cannot be stored in")
            for keypoints in self._keypoints:
                make_data(self.profile, data, keypoints)
        self.make = make
        self.known = {one: known_data(self.profile, data, self.store.folder, one) for one in self._keypoints}
        self.data: KnownData = self.known[self._keypoints[0]]
        self.notes += [known.note for known in self.known.values() if known.note]
        self.runs = self._plan(self.tables)
        self.notes += self._on_other_data()

    @property
    def _keypoints(self) -> list[str]:
        """Whose people the tables are of, the profile's own ("") first."""
        return sorted({table.keypoints for table in self.tables})

    def _on_other_data(self) -> list[str]:
        """What was made of absent runs' configurations on other data, as where the folder has been changed since."""
        found, records = Counter(), {}
        for run in self.runs:
            if isinstance(run.config, PretextRunConfig) or (self.store.path(run.run_id) / RECORD_FILE).exists():
                continue
            own = self.known.get(run.config.data.keypoints_name, self.data)
            for path in self.store.folder.glob(f"{run.run_id.rpartition('_')[0]}_*/{RECORD_FILE}"):
                with suppress(UserError):
                    record = records.get(path) or records.setdefault(path, read_record(path.parent, beside=False))
                    made = record.provenance
                    if record.config == run.config and own.fingerprint not in (None, made.data_fingerprint):
                        found[made.data_fingerprint, made.data_name, f"{own.fingerprint} ({own.root.name})"] += 1
        return [
            f"note: {count} finished run{'s were' if count > 1 else ' was'} made for these tables here on data"
            f" {fingerprint} ({name}); this one is {here}"
            for (fingerprint, name, here), count in found.items()
        ]

    def work(self) -> Work:
        """What its runs cost; of a folder that was given, the people are counted."""
        given = None if self.own_data else self.data
        return Work(self.profile, self.store.folder, given, self.data.pretext == self.data.fingerprint)

    def options(self, **how: Any) -> RunOptions:
        """How to execute it: what is given, and where things lie."""
        data = "" if self.own_data else as_noted(self.data.root)
        where = {"data": data, "runs": as_noted(self.store.folder.parent), "project": str(project_root())}
        return RunOptions(self.profile.name, **where, **how)

    def execute(self, options: RunOptions) -> list[str]:
        """Make what is missing, and every table's notebook once its runs are there; what went wrong, a line each.

        Raises:
            Interrupted: Ctrl-C, SIGTERM or SIGHUP; what was running is stopped and resumes with the same command.
        """
        from poseur_study.execution.cluster import open_engine
        from poseur_study.execution.progress import PlanProgress
        from poseur_study.execution.scheduler import execute_plan

        work = self.work()
        missing = {run.run_id: work.of(run) for run in missing_runs(self.runs, self.store, options)}
        work.save()
        options = self._sharing(options, work, missing).with_share()
        try:
            jobs = self._table_jobs(options)
            shown = PlanProgress(self.runs, self.store, missing, options.limit_epochs)
            with ends_in_order(), open_engine(options) as engine, shown as progress:
                schedule = execute_plan(self.runs, self.store, options, progress.show, engine, jobs)
        except KeyboardInterrupt:
            raise Interrupted("interrupted: what was running is stopped, the same command resumes it") from None
        finally:
            self.store.verified.save()
        return [f"failed: {key}: {text} ({self._failed_at(key)})" for key, text in schedule.problems.items()]

    def _sharing(self, options: RunOptions, work: Work, missing: Collection[str]) -> RunOptions:
        """The options with the runs a GPU that are best for the heaviest of the missing ones, where that is open."""
        from poseur_study.execution.runs_per_gpu import picked_runs_per_gpu

        if options.runs_per_gpu != AUTO:
            return options
        runs = [run for run in self.runs if run.run_id in missing and isinstance(run.config, ExperimentConfig)]
        heaviest = max(runs, key=lambda run: work.per_image(run) * run.config.train.global_batch, default=None)
        if heaviest is None:
            return replace(options, runs_per_gpu=1)
        data = self.known.get(heaviest.config.data.keypoints_name, self.data).root
        picked = picked_runs_per_gpu(heaviest.config, len(runs), options, data)
        return replace(options, runs_per_gpu=picked)

    def show_tables(self, options: RunOptions) -> Iterator[tuple[str, str | None]]:
        """Execute the tables' notebooks on what is there, no run is made; each table's name, and why it failed.

        A table that was shown before keeps its seeds and overrides.
        """
        for table, job in zip(self.tables, self._table_jobs(options), strict=True):
            shown = {**job.parameters, **self._shown_before(table.number), "workers": 0}
            outcome = execute_table(replace(job, parameters=shown))
            yield table.name, outcome.problem

    def _shown_before(self, number: str) -> dict[str, Any]:
        from poseur_study.analysis.result_types import stored_result

        try:
            earlier = stored_result(self.store, number)
        except UserError:  # of another version, and about to be replaced
            return {}
        return {} if earlier is None else {"seeds": list(earlier.seeds), "overrides": earlier.overrides}

    def _failed_at(self, key: str) -> Path:
        """The folder of a table (`table 1b`) or run that failed, or the notebook that shows the error."""
        if key not in {run.run_id for run in self.runs}:
            return self.store.table_folder(key.removeprefix("table "))
        notebook = self.store.path(key) / FAILED_NOTEBOOK_FILE
        return notebook if notebook.exists() else self.store.path(key)

    def _plan(self, chosen: tuple) -> tuple[PlannedRun, ...]:
        of = {
            keypoints: (known.fingerprint or NOT_GENERATED, known.learnt_from(self.profile, self.make))
            for keypoints, known in self.known.items()
        }
        return plan(self.profile, chosen, self.seeds, NOT_GENERATED, self.overrides, others=of)

    def _table_jobs(self, options: RunOptions) -> list[TableJob]:
        chosen = {"seeds": list(self.seeds), "overrides": self.overrides, "limit_epochs": options.limit_epochs}
        parameters = options.told | chosen | {"workers": max(1, options.workers)}
        return [
            TableJob(
                number=table.number,
                notebook=table.notebook,
                folder=self.store.table_folder(table.number),
                needs=frozenset(run.run_id for run in self._plan((table,))),
                parameters=parameters,
                threads=options.threads,
                project=options.project,
                alone=any(column in SPEEDS for column in table.columns),
            )
            for table in self.tables
        ]


def _on_one_data_set(chosen: Sequence[Table], named: bool) -> tuple[Table, ...]:
    """The tables that one folder of people serves: those of the profile's own keypoints, where none was named.

    Raises:
        UserError: tables were named that need people with different keypoints.
    """
    sets = {table.keypoints: table.name for table in chosen}
    if len(sets) > 1 and named:
        needs = " and ".join(f"{name} takes {keypoints or 'the usual ones'}" for keypoints, name in sets.items())
        raise UserError(f"tables that were named need people with different keypoints ({needs}): run them apart")
    return tuple(table for table in chosen if not table.keypoints or len(sets) == 1)
