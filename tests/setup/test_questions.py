"""The shares that docs/questions.md advises thresholds by are those of the recorded runs."""

import csv
import json
from pathlib import Path

import numpy as np
import torch

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.scoring.uncertainty import laplace_scores, rle_scores
from poseur_study.runs.predictions import from_bytes
from poseur_study.runs.record import PREDICTIONS_FILE

ROOT = Path(__file__).resolve().parents[2]
MINI = ROOT / "runs" / "mini"


def test_the_thresholds_that_are_advised_keep_what_is_said():
    said = " ".join((ROOT / "docs" / "questions.md").read_text().split())
    rows = json.loads((MINI / "tables" / "scoring" / "result.json").read_text())["rows"]
    (runs,) = [row["run_ids"] for row in rows if row["key"] == "poseur"]
    sigmas = [from_bytes((MINI / run / PREDICTIONS_FILE).read_bytes())[BoxSource.GROUND_TRUTH].sigma for run in runs]
    sigma = torch.from_numpy(np.concatenate(sigmas).astype(np.float32))

    def kept(scores: torch.Tensor, least: float) -> str:
        return f"{100 * (scores >= least).double().mean():.0f} %"

    eq8, rle = laplace_scores(sigma, 0.2), rle_scores(sigma)
    with (MINI / "tables" / "calibration" / "calibration.csv").open() as lines:
        bins = [one for one in csv.DictReader(lines) if (one["predicted"], one["radius"]) == ("Eq. 8 with σ", "0.2")]
    within = np.average([float(one["observed"]) for one in bins], weights=[float(one["part"]) for one in bins])
    assert f"{within:.0f} % are within a fifth of the crop; {kept(eq8, 0.5)} reach 0.5 by Eq. 8" in said
    assert f"and {kept(eq8, 0.1)} reach 0.1, while {kept(rle, 0.5)} reach 0.5 by RLE's score" in said
    assert "--keypoint-score laplace --threshold 0.1" in said and "laplace --threshold 0.5" not in said
