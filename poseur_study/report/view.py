"""What a report is about: the tables that have a page, their results, and the runs behind them."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from poseur_study.analysis.error_breakdown import Breakdown
from poseur_study.analysis.result_types import TableResult, stored_breakdown, stored_result
from poseur_study.display.learning import LabelledRun
from poseur_study.experiments import TABLES
from poseur_study.experiments.experiment import Table
from poseur_study.experiments.profiles import Profile
from poseur_study.runs.record import RECORD_FILE, Record
from poseur_study.runs.store import ERROR_FILE, NOTEBOOK_FILE, RESULT_FILE, RunState, RunStore

INDEX = "index.html"


@dataclass(frozen=True)
class Link:
    """A link of a page."""

    text: str
    target: str


@dataclass(frozen=True, eq=False)
class StudyView:
    """A profile's runs as a report shows them; everything is read once."""

    profile: Profile
    store: RunStore

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """The tables that have a page."""
        return tuple(table for table in TABLES if self.missing(table) is None)

    @cached_property
    def results(self) -> dict[str, TableResult]:
        """Of the tables that have a page, by number."""
        found = {table.number: stored_result(self.store, table.number) for table in self.tables}
        return {number: result for number, result in found.items() if result is not None}

    @cached_property
    def breakdowns(self) -> dict[str, Breakdown]:
        """Why effects are there, of the tables where that was computed."""
        found = {table.number: stored_breakdown(self.store, table.number) for table in self.tables}
        return {number: one for number, one in found.items() if one is not None}

    @cached_property
    def run_ids(self) -> tuple[str, ...]:
        """All runs that ended, well or not."""
        folders = sorted(self.store.folder.iterdir()) if self.store.folder.is_dir() else []
        return tuple(path.name for path in folders if any((path / mark).exists() for mark in (RECORD_FILE, ERROR_FILE)))

    @cached_property
    def records(self) -> dict[str, Record]:
        """Of the runs that are done."""
        done = [run_id for run_id in self.run_ids if self.store.recorded_state(run_id).done]
        return {run_id: self.store.record(run_id) for run_id in done}

    def began(self, table: Table) -> datetime | None:
        """When the first of a table's runs did, evaluations of released checkpoints apart; None without any."""
        if table.number not in self.results:
            return None
        run_ids = [run_id for row in self.results[table.number].rows for run_id in row.run_ids]
        runs = [self.records[run_id].provenance for run_id in run_ids if run_id in self.records]
        return min((run.began for run in runs), default=None)

    @cached_property
    def behind(self) -> dict[str, tuple[str, ...]]:
        """The runs behind the tables shown, pretraining included, with the rows that need them."""
        found: dict[str, list[str]] = {}
        for table in self.tables:
            for row in self.results[table.number].rows:
                for run_id in row.run_ids:
                    found.setdefault(run_id, []).append(f"{table.name}: {row.label}")
        for run_id in list(found):
            for parent in self.records[run_id].parents if run_id in self.records else ():
                found.setdefault(parent, ["pretraining"])
        return {run_id: tuple(rows) for run_id, rows in found.items() if run_id in self.run_ids}

    @cached_property
    def others(self) -> tuple[str, ...]:
        """Runs that are in the folder and behind no table that is shown."""
        return tuple(run_id for run_id in self.run_ids if run_id not in self.behind)

    def labelled(self, number: str) -> tuple[LabelledRun, ...]:
        """A table's finished runs, each once, by the first row that it is of."""
        found: dict[str, LabelledRun] = {}
        for row in self.results[number].rows:
            for run_id in row.run_ids:
                if run_id in self.records:
                    found.setdefault(run_id, LabelledRun(row.label, self.records[run_id]))
        shared = len(found) < sum(len(row.run_ids) for row in self.results[number].rows)
        if shared and len({run.label for run in found.values()}) == 1:
            return tuple(LabelledRun("the run of all rows", run.record) for run in found.values())
        return tuple(found.values())

    def missing(self, table: Table) -> str | None:
        """Why a table has no page; None where it can have one."""
        folder, name = self.store.table_folder(table.number), f"{table.name} ({table.title})"
        if not (folder / RESULT_FILE).exists():
            return f"{name} failed." if self.failure(table) else f"{name} was not run."
        if not (folder / NOTEBOOK_FILE).exists():
            return f"{name} has results, but its notebook was executed elsewhere: poseur study run makes the page."
        return None

    def failure(self, table: Table) -> str | None:
        """Why the last attempt to make a table failed, one line; an earlier one's results may be there all the same."""
        file = self.store.table_folder(table.number) / ERROR_FILE
        return file.read_text().strip().splitlines()[-1] if file.exists() else None

    @cached_property
    def failures(self) -> tuple[tuple[Link, str], ...]:
        """Tables and runs whose last attempt failed: the page that shows it, and why, one line."""
        tables = [
            (Link(table.name, failure_page(table)), why) for table in TABLES if (why := self.failure(table)) is not None
        ]
        failed = [run_id for run_id in self.run_ids if self.store.state(run_id) == RunState.FAILED]
        runs = [(Link(run_id, run_page(run_id)), self.store.error(run_id) or "no message") for run_id in failed]
        return (*tables, *runs)


def run_page(run_id: str) -> str:
    """File name of a run's page."""
    return f"runs/{run_id}.html"


def failure_page(table: Table) -> str:
    """File name of the page that shows how a table's last attempt failed."""
    return f"runs/failed_table_{table.number}.html"


def table_page(table: Table) -> str:
    """File name of a table's page."""
    return f"table_{table.number}.html"
