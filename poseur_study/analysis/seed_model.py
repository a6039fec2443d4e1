"""How far trainings that differ by nothing but their seed are apart: one model for all arms of a profile.

An arm is a configuration without its seed and its pretraining's. Trainings on crops and on whole images do other
things with their people, and are never pooled with one another; nor are those on crops of several sizes, as on very
small ones all seeds end near 0. With arm and seed as factors, the number of a training is

    y = m[arm] + b[device, seed] + e,    e ~ N(0, s²) with one s for every arm.

Seeds are a factor within a device, and an arm counts only where all its trainings were made on one: devices differ
systematically. In a balanced design the least squares below are the analysis of variance with two factors, whose
residual has (A − 1)(S − 1) degrees of freedom for each device's A arms and S seeds.

Whether one s can stand for every arm is asked by Bartlett's test. Levene's, which needs no normal residuals, finds
nothing with three seeds an arm: where 8 of 17 arms spread three times as far it rejects none of a thousand tables, at
five times 6, and Bartlett's 67 % and 98 %. Bartlett's takes residuals for normal, and rejects long tails as well; by
Shapiro and Wilk those of profile mini's trainings have a p of 0.64.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

from poseur_lib.config.base import Frozen
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.experiments.experiment import MEASURED
from poseur_study.runs.run_id import RunConfig
from poseur_study.runs.store import RunStore, runs_of

UNEQUAL = 0.05


class Spread(Frozen):
    """How far a training's number is from what its arm and its seed give, as pooled over arms.

    Attributes:
        deviation: s, in points; `freedom`: its degrees of freedom.
        bartlett: p of `equal_spread` over the arms; None: of one arm.
    """

    deviation: float
    freedom: int
    arms: int
    trainings: int
    bartlett: float | None

    @property
    def unequal(self) -> bool:
        """True if the arms do not spread alike: then one number cannot stand for all."""
        return self.bartlett is not None and self.bartlett < UNEQUAL


def equal_spread(groups: Sequence[Float[np.ndarray, " _"]]) -> float:
    """p of Bartlett's test that all groups, of two numbers or more each, have one variance.

    Where the numbers of some groups are all the same, p is its limit: 0, for they do not spread as the others do, or
    1 if those of every group are.
    """
    still = [float(np.ptp(one)) == 0 for one in groups]
    if any(still):
        return 1.0 if all(still) else 0.0
    return float(stats.bartlett(*groups).pvalue)


def arm_of(config: RunConfig) -> str:
    """What all seeds of a run share, as JSON: some profiles pretrain a backbone for every seed."""
    return config.model_dump_json(exclude={"seed": True, "pretext": {"seed"}})


def trainings(store: RunStore, fingerprint: str, boxes: BoxSource) -> pd.DataFrame:
    """Every finished run of a folder on one data set, a line each.

    Columns: run_id, arm, seed, device, epochs, whole_images (True if trained on these), size (of a crop), and its
    metrics (points).
    """
    lines = []
    for run in runs_of(store):
        record, metrics = run.record, run.record.of(boxes)
        if record.provenance.data_fingerprint == fingerprint and metrics is not None:
            config, of = record.config, metrics.model_dump()
            whole = config.data.whole_image is not None
            known = (run.run_id, arm_of(config), config.seed, record.provenance.computed_on, config.train.epochs, whole,
                     config.data.input_size)  # fmt: skip
            lines.append((*known, *(of[name] for name in MEASURED)))
    return pd.DataFrame(lines, columns=["run_id", "arm", "seed", "device", "epochs", "whole_images", "size", *MEASURED])


def pooled(runs: pd.DataFrame, metric: str) -> Spread | None:
    """The model's residual; None where arms and seeds leave none. An arm of one training has no part in it.

    Args:
        runs: arm, seed, device and the metric, a line a training.
    """
    runs = runs.dropna(subset=metric)
    by_arm = runs.groupby("arm")
    runs = runs[(by_arm["device"].transform("nunique") == 1) & (by_arm["seed"].transform("nunique") > 1)]
    if runs.empty:
        return None
    factors = [pd.get_dummies(runs["arm"]), pd.get_dummies(runs["device"] + " " + runs["seed"].astype(str))]
    design, values = np.hstack(factors).astype(float), runs[metric].to_numpy(float)
    fitted, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    freedom = len(values) - int(rank)
    if freedom < 1:
        return None
    groups = [of[metric].to_numpy(float) for _, of in runs.groupby("arm")]
    return Spread(
        deviation=float(np.sqrt(np.sum((values - design @ fitted) ** 2) / freedom)),
        freedom=freedom,
        arms=len(groups),
        trainings=len(values),
        bartlett=equal_spread(groups) if len(groups) > 1 else None,
    )
