"""How far trainings that differ by nothing but their seed are apart: one model for all arms of a profile.

An arm is a configuration without its seed and its pretraining's. Trainings on crops and on whole images do other
things with their people, and are never pooled with one another; nor are those on crops of several sizes, as on very
small ones all seeds end near 0, or of several lengths, by epochs and by people in each. With arm and seed as factors,
the number of a training is

    y = m[arm] + b[device, seed] + e,    e ~ N(0, s²) with one s for every arm.

Seeds are a factor within a device, and an arm counts only where all its trainings were made on one: devices differ
systematically. In a balanced design the least squares below are the analysis of variance with two factors, whose
residual has (A − 1)(S − 1) degrees of freedom for each device's A arms and S seeds. An arm that is alone on its device
is fitted exactly and says nothing, so it has no part; nor has one whose trainings all end at the same number, as at
0 AP. Between arms on two devices b does not cancel; it is left out, as profile mini's trainings show none of it (-0.04
points² beside 0.69 by their mean squares).

Whether one s can stand for every arm is asked by Bartlett's test of the trainings' numbers. Levene's, which needs no
normal residuals, finds nothing with three seeds an arm: where 8 of 17 arms spread three times as far it rejects none of
a thousand tables, at five times 6, and Bartlett's 67 % and 98 %. Bartlett's takes residuals for normal, and rejects
long tails as well. The same test of the model's residuals, from which b is gone, is shown beside it, deciding nothing.
On mini's 51 trainings on crops of one size the two had 0.14 and 0.03, and one deviation stood for all; since Poseur was
trained with MobileNet-V2, whose three seeds lie 3.8 AP apart, they have 0.005 and 0.002, and every claim has its own.
What unequal arms cost: of 17 with three seeds each, 8 of which spread three times as far, 93.9 % of the pooled
intervals of two arms' differences hold the truth, and 95.1 % where all spread alike (3,000 tables of normal numbers).
"""

import numpy as np
import pandas as pd
from scipy import stats

from poseur_lib.config.base import Frozen
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.experiments.experiment import MEASURED
from poseur_study.runs.run_id import RunConfig
from poseur_study.runs.store import RunStore, runs_of

UNEQUAL, TINY = 0.05, 1e-9
ALIKE = ["epochs", "people_per_epoch", "whole_images", "size"]
"""What trainings have in common whose spread over seeds is pooled."""


class Spread(Frozen):
    """How far a training's number is from what its arm and its seed give, as pooled over arms.

    Attributes:
        metric: whose number it is.
        size: of the crops; `whole_images`: True if trained on these.
        epochs, people_per_epoch: as declared; 0: everybody (and of epochs, a record of before they were noted).
        deviation: s, in points; `freedom`: its degrees of freedom.
        bartlett: p of Bartlett's test over the arms' numbers; `of_residuals`: over what the model leaves of them.
    """

    metric: str
    size: tuple[int, int]
    whole_images: bool
    deviation: float
    freedom: int
    arms: int
    trainings: int
    bartlett: float
    of_residuals: float
    epochs: int = 0
    people_per_epoch: int = 0

    @property
    def unequal(self) -> bool:
        """True if the arms do not spread alike: then one number cannot stand for all."""
        return self.bartlett < UNEQUAL


def arm_of(config: RunConfig) -> str:
    """What all seeds of a run share, as JSON: some profiles pretrain a backbone for every seed."""
    return config.model_dump_json(exclude={"seed": True, "pretext": {"seed"}})


def trainings(store: RunStore, fingerprint: str, boxes: BoxSource) -> pd.DataFrame:
    """Every finished run of a folder on one data set, a line each.

    Columns: run_id, arm, seed, device, epochs, people_per_epoch (as declared, whatever the batches leave over; 0:
    everybody), whole_images (True if trained on these), size (of a crop), and its metrics (points).
    """
    columns = ["run_id", "arm", "seed", "device", "epochs", "people_per_epoch", "whole_images", "size", *MEASURED]
    lines = []
    for run in runs_of(store):
        record, metrics = run.record, run.record.of(boxes)
        if record.provenance.data_fingerprint == fingerprint and metrics is not None:
            config, of = record.config, metrics.model_dump()
            whole = config.data.whole_image is not None
            known = (run.run_id, arm_of(config), config.seed, record.provenance.computed_on, config.train.epochs,
                     config.train.people_per_epoch or 0, whole, config.data.input_size)  # fmt: skip
            lines.append((*known, *(of[name] for name in MEASURED)))
    return pd.DataFrame(lines, columns=columns)


def pooled(runs: pd.DataFrame, metric: str, seed_is_factor: bool = True) -> Spread | None:
    """The model's residual; None where arms and seeds leave none.

    An arm has no part in it that has one training, or several devices, or one number for all of its trainings, or that
    is alone on its device, where seeds are a factor.

    Args:
        runs: arm, seed, device, what `ALIKE` names and the metric, a line a training, all of one length and size.
        seed_is_factor: False leaves b in the residual, and arms need no others beside them.
    """
    runs = runs.dropna(subset=metric)
    by_arm = runs.groupby("arm")
    told = by_arm["device"].transform("nunique").eq(1) & by_arm["seed"].transform("nunique").gt(1)
    runs = runs[told & by_arm[metric].transform(np.ptp).gt(0)]
    if seed_is_factor:
        runs = runs[runs.groupby("device")["arm"].transform("nunique") > 1]
    if runs.empty:
        return None
    blocks = runs["device"] + " " + runs["seed"].astype(str)
    factors = [pd.get_dummies(runs["arm"]), *([pd.get_dummies(blocks)] if seed_is_factor else [])]
    design, values = np.hstack(factors).astype(float), runs[metric].to_numpy(float)
    fitted, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    freedom = len(values) - int(rank)
    if freedom < 1:
        return None
    residuals = pd.Series(values - design @ fitted, runs.index)
    return Spread(
        metric=metric,
        size=runs["size"].iloc[0],
        whole_images=bool(runs["whole_images"].iloc[0]),
        epochs=int(runs["epochs"].iloc[0]),
        people_per_epoch=int(runs["people_per_epoch"].iloc[0]),
        deviation=float(np.sqrt(np.sum(residuals**2) / freedom)),
        freedom=freedom,
        arms=runs["arm"].nunique(),
        trainings=len(values),
        bartlett=_bartlett(runs[metric], runs["arm"]),
        of_residuals=_bartlett(residuals, runs["arm"]),
    )


def _bartlett(numbers: pd.Series, arms: pd.Series) -> float:
    """p of the test that all arms have one variance; its limit where some have none, as residuals may; 1 of one arm."""
    deviations = numbers.groupby(arms).std()
    if len(deviations) == 1 or (none := deviations < TINY).all():
        return 1.0
    if none.any():
        return 0.0
    p = float(stats.bartlett(*(of.to_numpy(float) for _, of in numbers.groupby(arms))).pvalue)
    return 1.0 if np.isnan(p) else p  # SciPy's, of a statistic that rounding has made negative: equal variances
