"""The attention explorer's notebook, executed without widgets for the report: on the best run with weights."""

from pathlib import Path

from poseur_lib.errors import UserError
from poseur_study.execution.papermill_job import execute_and_keep
from poseur_study.experiments.profiles import Profile
from poseur_study.explorer.runs import find_runs
from poseur_study.runs.project import as_noted
from poseur_study.runs.store import EXPLORER_TABLE, NOTEBOOK_FILE, RunStore

EXPLORER_NOTEBOOK = "explore_attention.ipynb"


def execute_explorer(profile: Profile, store: RunStore) -> Path:
    """Execute the explorer's notebook for the report; an earlier copy stays if it fails.

    The best run with self-attention is taken, as a page without it shows less than half, else the best of all.

    Raises:
        UserError: no run of the profile can be looked into, or the notebook failed.
    """
    runs = [run for run in find_runs([store.folder.parent]) if run.usable and run.profile == profile.name]
    if not runs:
        raise UserError(f"no run of profile {profile.name} has weights and keypoint queries to look into")
    parameters = {"run": runs[0].run_id, "runs": as_noted(store.folder.parent), "interactive": False}
    kept = explorer_notebook(store)
    outcome = execute_and_keep(EXPLORER_NOTEBOOK, parameters, kept.parent, threads=1)
    if outcome.problem is not None:
        raise UserError(f"{EXPLORER_NOTEBOOK} failed: {outcome.problem}")
    return kept


def explorer_notebook(store: RunStore) -> Path:
    """Where the explorer's notebook lies once it was executed."""
    return store.table_folder(EXPLORER_TABLE) / NOTEBOOK_FILE
