"""The whole of a study in one go: the runs of the chosen tables, then the tables' notebooks."""

import os
import shutil
from typing import Any

from pydantic import ValidationError

from poseur_lib.cli.errors import describe_validation
from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_lib.study.datasets import open_data
from poseur_lib.study.declaration import Table
from poseur_lib.study.notebook_job import execute_notebook
from poseur_lib.study.plan import plan
from poseur_lib.study.profiles import profile
from poseur_lib.study.progress import PlanProgress
from poseur_lib.study.roots import below_root
from poseur_lib.study.runner import RunOptions, execute_plan
from poseur_lib.study.store import NOTEBOOK_FILE, RESULT_FILE, RunState, RunStore, clear_failure, note_failure
from poseur_lib.study.tables import tables


class Batch:
    """The runs of some tables at one profile.

    Args:
        numbers: of tables; empty: all.
        seeds: empty: the profile's.
        data: folder of the data set; "": the profile's own, generated if need be.
        overrides: changes to every row's configuration by dotted path.

    Raises:
        UserError: profile, table, data set or a changed setting does not exist or cannot be used.
    """

    def __init__(
        self,
        profile_name: str,
        numbers: tuple[str, ...],
        seeds: tuple[int, ...],
        data: str,
        runs: str,
        overrides: dict[str, Any],
    ) -> None:
        self.profile = profile(profile_name)
        self.tables = tables(numbers)
        self.seeds = seeds or self.profile.seeds
        self.overrides = overrides
        _check(overrides, self.profile.config)
        self.data = open_data(self.profile, data)
        self.store = RunStore(below_root(runs) / self.profile.name)
        self.runs = plan(self.profile, self.tables, self.seeds, self.data.fingerprint, overrides)

    def execute(self, options: RunOptions) -> list[str]:
        """Make what is missing, runs first, then every table's notebook; returns what went wrong, a line each."""
        with PlanProgress(self.runs, self.store) as progress:
            states = execute_plan(self.runs, self.store, options, progress.show)
        failed = [run_id for run_id, state in states.items() if state == RunState.FAILED]
        problems = [f"failed: {run_id}: {self.store.error(run_id)} ({self.store.path(run_id)})" for run_id in failed]
        for table in self.tables:
            problem = self._execute_table(table, options)
            problems += [problem] if problem else []
        return problems

    def _execute_table(self, table: Table, options: RunOptions) -> str | None:
        """Execute a table's notebook; None, or what went wrong."""
        folder = self.store.table_folder(table.number)
        clear_failure(folder)
        (folder / RESULT_FILE).unlink(missing_ok=True)
        attempt = execute_notebook(table.notebook, self._parameters(options), folder / "attempts", threads=0)
        if attempt.exit_code == 0 and (folder / RESULT_FILE).exists():
            os.replace(attempt.notebook, folder / NOTEBOOK_FILE)
            shutil.rmtree(folder / "attempts", ignore_errors=True)
            return None
        output = attempt.last_output.strip() or f"exit code {attempt.exit_code}"
        note_failure(folder, output, attempt.notebook)
        return f"failed: table {table.number}: {output.splitlines()[-1]} ({folder})"

    def _parameters(self, options: RunOptions) -> dict[str, Any]:
        return {
            "profile": self.profile.name,
            "seeds": list(self.seeds),
            "data": options.data,
            "runs": options.runs,
            "overrides": self.overrides,
            "limit_epochs": options.limit_epochs,
            "workers": options.workers,
            "device": options.device,
            "precision": options.precision,
        }


def _check(overrides: dict[str, Any], base: ExperimentConfig) -> None:
    try:
        base.with_changes(**overrides)
    except ValidationError as error:
        raise UserError(describe_validation(error, ExperimentConfig)) from None
