"""Whether a moving average of the weights makes trainings differ less from seed to seed."""

import math

import numpy as np
from scipy.special import stdtrit

from poseur_lib.config.base import Frozen
from poseur_study.analysis.interval import student_half_width
from poseur_study.evidence.evidence import Origin


class SeedScores(Frozen):
    """AP of one training in the detector's boxes: by its last step's weights, and by their moving average."""

    seed: int
    last: float
    average: float


class WeightAverage(Frozen):
    """Trainings that differ in their seed alone, each judged in both ways.

    Attributes:
        decay: of the average, a step of the optimiser each.
        steps: of a training.
    """

    origin: Origin
    run: str
    decay: float
    steps: int
    scores: tuple[SeedScores, ...]

    def gain(self) -> tuple[float, float, float]:
        """Mean of average less last, in points of AP, and its 95 % interval by Student's t over seeds."""
        gains = [one.average - one.last for one in self.scores]
        mean, half = float(np.mean(gains)), student_half_width(gains)
        return mean, mean - half, mean + half

    def deviations(self) -> tuple[float, float]:
        """Standard deviations over seeds: by the last weights, by the average."""
        last, average = (np.std([getattr(one, name) for one in self.scores], ddof=1) for name in ("last", "average"))
        return float(last), float(average)

    def ratio(self) -> tuple[float, float, float]:
        """The average's deviation over the last weights', and its 95 % interval.

        The two are of the same trainings, so the interval is that of paired variances (Morgan 1939, Pitman 1939).
        """
        pairs = np.array([[one.last, one.average] for one in self.scores])
        last, average = self.deviations()
        correlation, freedom = float(np.corrcoef(pairs.T)[0, 1]), len(pairs) - 2
        k = 1 + 2 * (1 - correlation**2) * stdtrit(freedom, 0.975) ** 2 / freedom
        low, high = k - math.sqrt(k**2 - 1), k + math.sqrt(k**2 - 1)
        return average / last, average / last * math.sqrt(low), average / last * math.sqrt(high)
