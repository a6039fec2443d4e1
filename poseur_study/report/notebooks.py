"""The notebooks that the report executes itself, and the paper's numbers as CSV.

The audit of the paper needs no run. The attention explorer, without widgets, looks into the best run of a profile with
weights: the best one with self-attention, as a page without it shows less than half, else the best of all.
"""

import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from poseur_lib.errors import UserError
from poseur_study.execution.papermill_job import Attempt, execute_notebook
from poseur_study.experiments.profiles import Profile
from poseur_study.explorer.runs import find_runs
from poseur_study.paper.audit import audit
from poseur_study.paper.tables import Missing, paper_tables
from poseur_study.runs.project import as_noted
from poseur_study.runs.store import FAILED_NOTEBOOK_FILE, NOTEBOOK_FILE, RunStore, clear_failure, note_failure

AUDIT_NOTEBOOK, EXPLORER_NOTEBOOK = "paper_audit.ipynb", "explore_attention.ipynb"


def execute_audit(folder: Path) -> Path:
    """Execute the audit's notebook in a folder and return the executed copy: of a failure as far as it got."""
    clear_failure(folder)
    attempt = _execute(AUDIT_NOTEBOOK, {}, folder)
    if attempt.exit_code == 0:
        return folder / NOTEBOOK_FILE
    note_failure(folder, _why(attempt), attempt.notebook)
    return folder / FAILED_NOTEBOOK_FILE


def execute_explorer(profile: Profile, store: RunStore) -> Path:
    """Execute the explorer's notebook for the report; an earlier copy stays if it fails.

    Raises:
        UserError: no run of the profile can be looked into, or the notebook failed.
    """
    runs = [run for run in find_runs([store.folder.parent]) if run.usable and run.profile == profile.name]
    if not runs:
        raise UserError(f"no run of profile {profile.name} has weights and keypoint queries to look into")
    parameters = {"run": runs[0].run_id, "runs": as_noted(store.folder.parent), "interactive": False}
    attempt = _execute(EXPLORER_NOTEBOOK, parameters, explorer_notebook(store).parent)
    if attempt.exit_code:
        raise UserError(f"{EXPLORER_NOTEBOOK} failed: {_why(attempt)}")
    return explorer_notebook(store)


def explorer_notebook(store: RunStore) -> Path:
    """Where the explorer's notebook lies once it was executed."""
    return store.table_folder("explorer") / NOTEBOOK_FILE


def _execute(name: str, parameters: dict[str, Any], folder: Path) -> Attempt:
    """Execute a notebook; one that succeeds replaces the folder's."""
    attempt = execute_notebook(name, parameters, folder / "attempts", threads=1)
    if attempt.exit_code == 0:
        os.replace(attempt.notebook, folder / NOTEBOOK_FILE)
        shutil.rmtree(folder / "attempts", ignore_errors=True)
    return attempt


def _why(attempt: Attempt) -> str:
    return attempt.last_output.strip() or f"exit code {attempt.exit_code}"


def claims_csv() -> str:
    """Every claim of the paper with its finding."""
    rows = [
        {
            "claim": one.claim.key, "kind": one.claim.kind, "place": one.claim.place, "text": one.claim.statement,
            "stated": one.finding.claimed, "computed": one.finding.computed, "finding": one.finding.agreement,
            "maybe rounding": "yes" if one.finding.within_rounding else "no", "sources": "; ".join(one.claim.sources),
            "remark": one.claim.remark,
        }
        for one in audit()
    ]  # fmt: skip
    return pd.DataFrame(rows).to_csv(index=False)


def cells_csv() -> str:
    """Every cell of every table of the paper."""
    rows = [
        {
            "table": table.number, "row": row.key, "label": row.label, "method": row.subject.method,
            "backbone": row.subject.backbone, "input": row.subject.input, "decoder layers": row.subject.layers,
            "set": row.subject.on, "column": column,
            "printed": cell.value if isinstance(cell, Missing) else cell.text,
        }
        for table in paper_tables().values()
        for row in table.rows
        for column, cell in row.cells.items()
    ]  # fmt: skip
    return pd.DataFrame(rows, dtype=object).to_csv(index=False)
