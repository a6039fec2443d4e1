"""The audit of the paper as a page: its notebook, executed for the report, and the paper's numbers as CSV.

The attention explorer as a page: its notebook without widgets, executed on a run of a profile with weights.

It is the best one with self-attention, else the best one: a page without self-attention shows less than half.
"""

import csv
import io
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from poseur_lib.errors import UserError
from poseur_lib.files import write_atomically
from poseur_study.execution.papermill_job import execute_notebook
from poseur_study.experiments.profiles import Profile
from poseur_study.explorer.runs import find_runs
from poseur_study.paper.audit import audit, summary
from poseur_study.paper.tables import Missing, paper_tables
from poseur_study.runs.project import as_noted
from poseur_study.runs.store import FAILED_NOTEBOOK_FILE, NOTEBOOK_FILE, RunStore, clear_failure, note_failure

AUDIT_NOTEBOOK = "paper_audit.ipynb"

AUDIT_PAGE = "audit.html"

CLAIMS_CSV, CELLS_CSV = "paper_claims.csv", "paper_cells.csv"


def execute_audit(folder: Path) -> Path:
    """Execute the audit's notebook, which needs no run, and return the executed copy: of a failure as far as it got."""
    clear_failure(folder)
    attempt = execute_notebook(AUDIT_NOTEBOOK, {}, folder / "attempts", threads=1)
    if attempt.exit_code == 0:
        os.replace(attempt.notebook, folder / NOTEBOOK_FILE)
        shutil.rmtree(folder / "attempts", ignore_errors=True)
        return folder / NOTEBOOK_FILE
    note_failure(folder, attempt.last_output.strip() or f"exit code {attempt.exit_code}", attempt.notebook)
    return folder / FAILED_NOTEBOOK_FILE


def audit_summary() -> str:
    """How many claims agree, contradict and cannot be checked, in a sentence."""
    return summary(audit())


def write_audit_csv(folder: Path) -> None:
    """Every claim with its finding, and every cell of every table of the paper."""
    write_atomically(folder / CLAIMS_CSV, _claims().encode())
    write_atomically(folder / CELLS_CSV, _cells().encode())


def _claims() -> str:
    header = ("claim", "kind", "place", "text", "stated", "computed", "finding", "maybe rounding", "sources", "remark")
    lines = (
        (
            one.claim.key, one.claim.kind, one.claim.place, one.claim.statement, one.finding.claimed,
            one.finding.computed, one.finding.agreement, "yes" if one.finding.within_rounding else "no",
            "; ".join(one.claim.sources), one.claim.remark,
        )
        for one in audit()
    )  # fmt: skip
    return _csv(header, lines)


def _cells() -> str:
    header = ("table", "row", "label", "method", "backbone", "input", "decoder layers", "set", "column", "printed")
    lines = (
        (
            table.number, row.key, row.label, row.subject.method, row.subject.backbone, row.subject.input,
            row.subject.layers, row.subject.on, column, cell.value if isinstance(cell, Missing) else cell.text,
        )
        for table in paper_tables().values()
        for row in table.rows
        for column, cell in row.cells.items()
    )  # fmt: skip
    return _csv(header, lines)


def _csv(header: tuple[str, ...], lines: Iterable[tuple]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()


EXPLORER_NOTEBOOK = "explore_attention.ipynb"

EXPLORER_PAGE = "explorer.html"

FOLDER = "explorer"

NAME = "Attention"


def executed_explorer(store: RunStore) -> Path | None:
    """The notebook as it was executed last; None where it never was."""
    notebook = store.table_folder(FOLDER) / NOTEBOOK_FILE
    return notebook if notebook.exists() else None


def execute_explorer(profile: Profile, store: RunStore) -> Path:
    """Execute the notebook for the report; an earlier copy stays if it fails.

    Raises:
        UserError: no run of the profile can be looked into, or the notebook failed.
    """
    runs = [run for run in find_runs([store.folder.parent]) if run.usable and run.profile == profile.name]
    if not runs:
        raise UserError(f"no run of profile {profile.name} has weights and keypoint queries to look into")
    folder = store.table_folder(FOLDER)
    parameters = {"run": runs[0].run_id, "runs": as_noted(store.folder.parent), "interactive": False}
    attempt = execute_notebook(EXPLORER_NOTEBOOK, parameters, folder / "attempts", threads=1)
    if attempt.exit_code:
        raise UserError(
            f"{EXPLORER_NOTEBOOK} failed: {attempt.last_output.strip() or f'exit code {attempt.exit_code}'}"
        )
    os.replace(attempt.notebook, folder / NOTEBOOK_FILE)
    shutil.rmtree(folder / "attempts", ignore_errors=True)
    return folder / NOTEBOOK_FILE
