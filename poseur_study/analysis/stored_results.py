"""The results of tables as they lie in the folder of a profile's runs."""

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from poseur_lib.config.base import Frozen
from poseur_lib.errors import UserError
from poseur_study.analysis.error_breakdown import BREAKDOWN_FILE, Breakdown
from poseur_study.analysis.result_types import TableResult
from poseur_study.experiments import TABLES
from poseur_study.experiments.experiment import Table
from poseur_study.runs.store import RESULT_FILE, RunStore

Kind = TypeVar("Kind", bound=Frozen)


def table_results(store: RunStore) -> list[tuple[Table, TableResult]]:
    """The tables that have results, in the paper's order. Raises UserError if one is of another version."""
    found = [(table, stored_result(store, table.number)) for table in TABLES]
    return [(table, result) for table, result in found if result is not None]


def stored_result(store: RunStore, number: str) -> TableResult | None:
    """A table's results; None where it was not run. Raises UserError if they are of another version."""
    return _read(store.table_folder(number) / RESULT_FILE, TableResult)


def stored_breakdown(store: RunStore, number: str) -> Breakdown | None:
    """Why a table's effects are there; None where that was not computed. Raises UserError as `stored_result` does."""
    return _read(store.table_folder(number) / BREAKDOWN_FILE, Breakdown)


def _read(path: Path, kind: type[Kind]) -> Kind | None:
    if not path.exists():
        return None
    try:
        return kind.model_validate_json(path.read_text())
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        message = error.errors()[0]["msg"]
        raise UserError(f"{path} is of another version ({where}: {message}): run the table again") from None
