"""What the runs of Supp. Fig. 2 attend to, mean over seeds: the matrices, and shares against what all take."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.measured_values import StoredSample, estimates
from poseur_study.analysis.table_data import RESAMPLES
from poseur_study.experiments.analyses import DEFAULT_ROW
from poseur_study.measurements.measure import Measurements, measure_rows
from poseur_study.measurements.self_attention import AttendingPerson, AttentionRun, measure_attention
from poseur_study.table_study import TableStudy


@dataclass(frozen=True, eq=False)
class Attention:
    """A row's self-attention.

    Attributes:
        layers: mean over people, heads and seeds; rows attend to columns.
        mean_pose: (x, y) in [0, 1] of the crop.
        shares: by measure, per cent of the weight on others that goes to related keypoints, of each layer and last of
            their mean; `whoever`: if every keypoint took of others as all do; `beyond`: the one less the other.
        chance: the same with equal weights.
        people: some people, of the first seed's run.
    """

    layers: Float[np.ndarray, "N K K"]
    mean_pose: Float[np.ndarray, "K 2"]
    shares: Mapping[str, tuple[Estimate | None, ...]]
    whoever: Mapping[str, tuple[Estimate | None, ...]]
    beyond: Mapping[str, tuple[Estimate | None, ...]]
    chance: Mapping[str, float]
    people: tuple[AttendingPerson, ...]
    n_seeds: int
    n_people: int
    n_images: int


def measured_attention(study: TableStudy) -> Measurements[AttentionRun]:
    """Every run of the table, where there are weights or it was measured before."""
    settings = {"resamples": RESAMPLES}
    return measure_rows(study, "attention", AttentionRun, partial(measure_attention, study), settings)


def attention(study: TableStudy, measured: Measurements[AttentionRun]) -> Attention | None:
    """The row's self-attention; None where no run of it was measured."""
    runs = [measured.of[DEFAULT_ROW, seed] for seed in measured.seeds(DEFAULT_ROW)]
    if not runs:
        return None
    images, first = study.dataset.val_images, runs[0]
    return Attention(
        layers=np.mean([run.layers for run in runs], axis=0),
        mean_pose=np.mean([run.mean_pose for run in runs], axis=0),
        shares={name: estimates([run.shares[name] for run in runs], images) for name in first.shares},
        whoever={name: estimates([run.whoever[name] for run in runs], images) for name in first.shares},
        beyond={name: estimates([_beyond(run, name) for run in runs], images) for name in first.shares},
        chance=first.chance,
        people=first.people,
        n_seeds=len(runs),
        n_people=len(study.dataset.val.people()),
        n_images=images,
    )


def claim_effects(of: Attention | None) -> Mapping[str, Estimate | None]:
    """What the table's claims rest on."""
    return {} if of is None else {name: of_layers[-1] for name, of_layers in of.beyond.items()}


def _beyond(run: AttentionRun, name: str) -> tuple[StoredSample, ...]:
    return tuple(one.minus(other) for one, other in zip(run.shares[name], run.whoever[name], strict=True))
