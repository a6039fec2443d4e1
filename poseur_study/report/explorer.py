"""The attention explorer's notebook, executed without widgets for the report: on the best run with weights."""

from pathlib import Path

from poseur_lib.data.coco import CocoPeople, annotation_path
from poseur_lib.errors import UserError
from poseur_lib.keypoints import keypoint_set
from poseur_study.execution.papermill_job import execute_and_keep
from poseur_study.experiments.profiles import Profile
from poseur_study.explorer.runs import find_runs
from poseur_study.runs.datasets import data_folder
from poseur_study.runs.project import as_noted
from poseur_study.runs.store import EXPLORER_TABLE, NOTEBOOK_FILE, RunStore

EXPLORER_NOTEBOOK = "explore_attention.ipynb"


def execute_explorer(profile: Profile, store: RunStore, data: str = "") -> Path:
    """Execute the explorer's notebook for the report; an earlier copy stays if it fails.

    The best run with self-attention is taken, as a page without it shows less than half, else the best of all.

    Args:
        data: folder in COCO's layout whose val set is shown; "" takes the profile's own.

    Raises:
        UserError: no run of the profile can be looked into, there is no val set of its keypoints, or the notebook
            failed.
    """
    runs = [run for run in find_runs([store.folder.parent]) if run.usable and run.profile == profile.name]
    if not runs:
        raise UserError(f"no run of profile {profile.name} has weights and keypoint queries to look into")
    of_run = runs[0].record.config.data
    root = data_folder(profile, data, of_run.keypoints_name)
    if not (path := annotation_path(root, "val")).is_file():
        made = f": `poseur study run --profile {profile.name}` makes it, or give another with --data"
        raise UserError(f"data set {root} does not exist, or has no {path.name}{'' if data else made}")
    CocoPeople(root, "val", keypoint_set(of_run.keypoint_set))  # without it the page would be empty, and no cell fail
    where = {"runs": as_noted(store.folder.parent), "data": as_noted(root) if data else ""}
    parameters = {"run": runs[0].run_id, **where, "interactive": False}
    kept = explorer_notebook(store)
    outcome = execute_and_keep(EXPLORER_NOTEBOOK, parameters, kept.parent, threads=1)
    if outcome.problem is not None:
        raise UserError(f"{EXPLORER_NOTEBOOK} failed: {outcome.problem}")
    return kept


def explorer_notebook(store: RunStore) -> Path:
    """Where the explorer's notebook lies once it was executed."""
    return store.table_folder(EXPLORER_TABLE) / NOTEBOOK_FILE
