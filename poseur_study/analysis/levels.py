"""A printed AP or AR beside that of a released checkpoint, or of models retrained with the paper's recipe.

Both are of the same images, COCO's val2017, so which images there are is no part of their difference: another training
is, by Student's t over the seeds, and of a released checkpoint, which is the paper's own model, nothing.
"""

from poseur_lib.config.base import Frozen
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.verdict import MIN_SEEDS, ONE_SEED_RULE, Evidence, Verdict, equivalence
from poseur_study.experiments.experiment import EQUIVALENCE_MARGIN

RULE = (
    "A printed figure is compared on the paper's own images, so the difference's interval holds the spread over seeds "
    "alone, and of a released checkpoint there is none: reproduced if all of it lies within "
    f"±{EQUIVALENCE_MARGIN:.1f} of the printed one, contradicted if all of it lies outside, inconclusive otherwise. "
    f"{ONE_SEED_RULE}"
)


class Level(Frozen):
    """Ours minus the printed figure, in points, and the verdict."""

    difference: Estimate
    evidence: Evidence
    verdict: Verdict


def level(paper: str | None, ours: Estimate | None, evidence: Evidence) -> Level | None:
    """A printed figure beside ours; None where one is missing, or ours is no evidence of a figure on COCO.

    Args:
        paper: the digits as printed.
        ours: its `seeds_half` is the interval; that of the images is left out.
    """
    if paper is None or ours is None or evidence not in (Evidence.RELEASED, Evidence.RETRAINED):
        return None
    value = ours.value - float(paper)
    half = 0.0 if evidence == Evidence.RELEASED else ours.seeds_half or 0.0
    difference = ours.model_copy(update={"value": value, "low": value - half, "high": value + half, "images_half": 0.0})
    few = evidence == Evidence.RETRAINED and ours.n_seeds < MIN_SEEDS
    verdict = Verdict.ONE_SEED if few else equivalence(EQUIVALENCE_MARGIN, difference)
    return Level(difference=difference, evidence=evidence, verdict=verdict)
