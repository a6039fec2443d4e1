"""Finished runs of a table on a tiny data set, untrained: a record, predictions and weights, without training."""

from pathlib import Path

import torch

from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.files import MODEL_FILE, WEIGHTS_FILES
from poseur_lib.models.build import build_model
from poseur_lib.training.curve import CurvePoint
from poseur_study.experiments.notebook_parameters import RunSettings
from poseur_study.experiments.profiles import profile
from poseur_study.runs.run_steps import measure_run, open_run, predict_run, write_run
from poseur_study.table_study import TableStudy

RANDOM_WEIGHTS = {"train.epochs": 1, "pretext": None, "model.backbone.weights": "none"}


def open_study(number: str, data: Path, runs: Path, seeds: tuple[int, ...] = (0,)) -> TableStudy:
    """A table of profile smoke; those that it trains at full length start from random weights here too."""
    overrides = RANDOM_WEIGHTS if number in profile("smoke").full_tables else {}
    where = {"data": str(data), "runs": str(runs), "seeds": list(seeds), "overrides": overrides}
    how = {"profile": "smoke", "limit_epochs": 0, "workers": 0, "device": "cpu", "precision": "32"}
    return TableStudy(number, **where, **how)


def finish(study: TableStudy, row_key: str, seed: int = 0) -> None:
    """Make a row's run with a model of random weights."""
    planned = study.data.runs[row_key, seed]
    settings = RunSettings(
        profile="smoke", data=study.settings.data, runs=study.settings.runs, overrides=planned.changes, seed=seed,
        run_id=planned.run_id, device="cpu", progress=False,
    )  # fmt: skip
    run = open_run(settings)
    run.folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed + 1)
    save_weights(run.folder / MODEL_FILE, build_model(planned.config), planned.config)
    predictions = predict_run(run)
    row = CurvePoint(epoch=1, step=1, images=1, seconds=1.0, loss=0.0, terms={})
    write_run(run, (row,), predictions, measure_run(run, predictions))


def drop_weights(study: TableStudy) -> None:
    """Leave only the records of all runs."""
    for run in study.plan:
        for name in WEIGHTS_FILES:
            (study.store.path(run.run_id) / name).unlink(missing_ok=True)
