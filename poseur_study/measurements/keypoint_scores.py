"""The scores that a keypoint can be given, by name: those that claim to be probabilities, and the others."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float

from poseur_lib.config import ExperimentConfig, PoseurConfig
from poseur_lib.evaluation.dataset_predictions import PosePredictions
from poseur_lib.losses.rle import laplace_scale
from poseur_lib.scoring.keypoint_folded import laplace_scores
from poseur_lib.scoring.uncertainty import density_scores

SIGMA = "Eq. 8 with σ"
LAPLACE = "Eq. 8 with b"
FLOW = "Eq. 6"
PROBABILITIES = (SIGMA, LAPLACE, FLOW)
OWN = "its own score"


def laplace_per_sigma(config: ExperimentConfig) -> float:
    """b / sigma of the Laplace factor that the loss of a run of Poseur or RLE fits: 2 sqrt(2) as released."""
    head = config.model.head
    count = head.loss.log_sigma_count if isinstance(head, PoseurConfig) else head.log_sigma_count
    return float(laplace_scale(torch.ones(()), log_sigma_count=count))


def probabilities(
    predictions: PosePredictions, config: ExperimentConfig, radius: float
) -> Mapping[str, Float[np.ndarray, "N K"]]:
    """Poseur's scores that are, by what Sec. 3.3 says of them, the probability to be within `radius` on both axes.

    Eq. 8 with sigma in the place of b is the paper's and the released code's; with b of the loss it is what Eq. 7 says;
    Eq. 6 is the flow's density by quadrature, and is left out where the record holds no table of its masses.
    """
    sigma = torch.from_numpy(predictions.sigma)
    count = config.model.head.loss.log_sigma_count
    scores = {
        SIGMA: laplace_scores(sigma, radius).numpy(),
        LAPLACE: laplace_scores(laplace_scale(sigma, log_sigma_count=count), radius).numpy(),
    }
    if predictions.flow_masses is not None:
        scores[FLOW] = density_scores(predictions.sigma, predictions.flow_masses, radius, log_sigma_count=count)
    return scores
