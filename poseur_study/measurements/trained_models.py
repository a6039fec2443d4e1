"""The trained model behind a row and seed of a table, or one line that says why there is none."""

from dataclasses import dataclass, replace

from poseur_lib.checkpoints.checkpoint import trained_model
from poseur_lib.data.batches import Loader
from poseur_lib.evaluation.inference import inference_batches
from poseur_lib.models.pose_model import PoseModel
from poseur_lib.runtime import Runtime
from poseur_study.execution.retrain import NEW_RUNS
from poseur_study.execution.run_job import study_command
from poseur_study.experiments.experiment import Row
from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.store import RunState
from poseur_study.table_study import TableStudy


@dataclass(frozen=True, eq=False)
class RowModel:
    """The model of a row's run.

    Attributes:
        model: in evaluation mode on the CPU; None where there are no weights.
        missing: one line that says why there is no model, and what makes it; "" where there is one.
    """

    row: Row
    run: PlannedRun
    model: PoseModel | None
    missing: str = ""


def row_model(study: TableStudy, row_key: str, seed: int) -> RowModel:
    """The trained model of a row and seed; nothing is trained here.

    Raises:
        UserError: there is no such row or seed, or weights are there, and are cut off.
    """
    row, run = study.table.row(row_key), study.data.run(row_key, seed)
    state = study.store.state(run.run_id)
    if state == RunState.FINISHED:
        return RowModel(row, run, trained_model(study.store.path(run.run_id), run.config))
    why = f"its run is {state.value}"
    if state == RunState.RECORD_ONLY:
        gone = study.store.damaged_weights(run.run_id) or "the weights are gone"
        why = f"only the record of its run is here, {gone}; {retrain_command(study)} makes them"
    return RowModel(row, run, None, f"{row.label}, seed {seed}: {why}")


def retrain_command(study: TableStudy) -> str:
    """The command that trains a table's runs once more, in a folder of their own, and measures what needs weights."""
    of = study.settings
    return study_command(of.profile, study.table.number, study.seeds, of.data, NEW_RUNS, of.overrides)


def study_runtime(study: TableStudy) -> Runtime:
    """How a table's notebook computes with these models: on its device, without a progress line."""
    settings = study.settings
    return Runtime(data=study.dataset.root, device=settings.device, precision=settings.precision)


def val_crops(study: TableStudy, of: RowModel) -> Loader:
    """The val split's labelled people in order, cropped on the CPU as the run of a model that is there does."""
    runtime = replace(study_runtime(study), data_on_device="no")
    return inference_batches(study.dataset.val.people(), of.run.config, of.model.head.crop_rule, runtime)
