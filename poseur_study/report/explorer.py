"""The attention explorer as a page: its notebook without widgets, executed on a run of a profile with weights.

It is the best one with self-attention, else the best one: a page without self-attention shows less than half.
"""

import os
import shutil
from pathlib import Path

from poseur_lib.errors import UserError
from poseur_study.execution.papermill_job import execute_notebook
from poseur_study.experiments.profiles import Profile
from poseur_study.explorer.runs import find_runs
from poseur_study.runs.project import as_noted
from poseur_study.runs.store import NOTEBOOK_FILE, RunStore

NOTEBOOK = "explore_attention.ipynb"
PAGE = "explorer.html"
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
    attempt = execute_notebook(NOTEBOOK, parameters, folder / "attempts", threads=1)
    if attempt.exit_code:
        raise UserError(f"{NOTEBOOK} failed: {attempt.last_output.strip() or f'exit code {attempt.exit_code}'}")
    os.replace(attempt.notebook, folder / NOTEBOOK_FILE)
    shutil.rmtree(folder / "attempts", ignore_errors=True)
    return folder / NOTEBOOK_FILE
