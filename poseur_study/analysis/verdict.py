"""The one enumeration of verdicts, and the rules by which a claim's effect, or a printed figure, becomes one.

The rule of an effect is fixed before a run and printed on the page (`rule_text`). A printed AP or AR is held against
that of a released checkpoint, or of models retrained with the paper's recipe (`level`): both are of the same images,
COCO's val2017, so which images there are is no part of their difference. Another training is, by Student's t over the
seeds; of a released checkpoint, which is the paper's own model, nothing is.
"""

from enum import StrEnum

from poseur_lib.config.base import Frozen
from poseur_study.analysis.interval import Estimate
from poseur_study.experiments.experiment import EQUIVALENCE_MARGIN, ClaimTest, EffectKind
from poseur_study.paper.checks import Agreement


class Evidence(StrEnum):
    """What a result rests on; only the first four can reproduce or contradict the paper."""

    ARITHMETIC = "arithmetic on the paper's own numbers"
    COST = "cost"
    RELEASED = "released checkpoint"
    RETRAINED = "COCO / MPII retrained"
    GENERATED = "generated people"
    NONE = "no evidence"


TRAINED_HERE = (Evidence.RETRAINED, Evidence.GENERATED)
"""What another training would have given is part of these results; a released checkpoint is what the paper's is."""

MIN_SEEDS = 2

ONE_SEED_RULE = "Trainings of one seed decide nothing: what another seed would give is then unknown."


class Verdict(StrEnum):
    """What a claim has come to."""

    REPRODUCED = "reproduced"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    SAME_DIRECTION = "same direction, on generated people"
    OPPOSITE_DIRECTION = "opposite direction, on generated people"
    NO_EFFECT = "no effect found, on generated people"
    ONE_SEED = "undecided (one seed)"
    NO_EVIDENCE = "no evidence (smoke)"
    TOO_LITTLE = "no evidence (too little data or training)"
    NOT_RUN = "not run"
    UNDECIDED = "cannot be checked"


def arithmetic_verdict(agreement: Agreement) -> Verdict:
    """The verdict on a statement that the paper's own numbers decide, in every profile."""
    return {
        Agreement.AGREES: Verdict.REPRODUCED,
        Agreement.CONTRADICTS: Verdict.CONTRADICTED,
        Agreement.UNCHECKABLE: Verdict.UNDECIDED,
    }[agreement]


def cost_verdict(holds: bool) -> Verdict:
    """The verdict on a cost that our counters decide, in every profile."""
    return Verdict.REPRODUCED if holds else Verdict.CONTRADICTED


def verdict(claim: ClaimTest, effect: Estimate | None, evidence: Evidence, smoke: bool) -> Verdict:
    """The verdict on a claim; `rule_text` says it in words."""
    if effect is None:
        return Verdict.NOT_RUN
    if smoke:
        return Verdict.NO_EVIDENCE
    if evidence == Evidence.NONE:
        return Verdict.TOO_LITTLE
    if evidence in TRAINED_HERE and effect.n_seeds < MIN_SEEDS:
        return Verdict.ONE_SEED
    if evidence == Evidence.GENERATED:
        return _on_generated_people(claim, effect)
    if claim.kind == EffectKind.EQUIVALENCE:
        return equivalence(claim.margin, effect)
    if effect.high < 0:
        return Verdict.CONTRADICTED
    if claim.kind == EffectKind.DIRECTION:
        return Verdict.REPRODUCED if effect.low > 0 else Verdict.INCONCLUSIVE
    if not effect.low <= claim.paper_effect <= effect.high:
        return Verdict.CONTRADICTED
    return Verdict.REPRODUCED if effect.low > 0 else Verdict.INCONCLUSIVE


def rule_text(claim: ClaimTest) -> str:
    """The rule for a claim of this kind, in words."""
    generated = (
        "On generated people the same interval gives: same direction (above 0), opposite direction (below 0), "
        f"no effect found (it contains 0). {ONE_SEED_RULE}"
    )
    match claim.kind:
        case EffectKind.DIRECTION:
            return (
                "Direction: reproduced if the 95 % interval of the difference lies above 0, contradicted if below, "
                f"inconclusive otherwise. {generated}"
            )
        case EffectKind.MAGNITUDE:
            return (
                f"Magnitude: reproduced if the 95 % interval of the difference lies above 0 and contains the paper's "
                f"{claim.paper_effect:+.1f}; contradicted if it lies below 0 or does not contain "
                f"{claim.paper_effect:+.1f}; inconclusive if it contains both. {generated}"
            )
        case EffectKind.EQUIVALENCE:
            margin = f"±{claim.margin:.1f}"
            return (
                f"Equivalence with margin {claim.margin:.1f}: reproduced if the whole 95 % interval lies within "
                f"{margin}, contradicted if all of it lies outside, inconclusive otherwise. On generated people: same "
                f"direction (as claimed) if the whole interval lies within {margin}, opposite if all of it lies "
                f"outside, no effect found otherwise. {ONE_SEED_RULE}"
            )


def equivalence(margin: float, effect: Estimate) -> Verdict:
    """The verdict on "no more than a margin": the whole interval within it, all of it outside, or neither."""
    if -margin <= effect.low and effect.high <= margin:
        return Verdict.REPRODUCED
    return Verdict.CONTRADICTED if effect.low > margin or effect.high < -margin else Verdict.INCONCLUSIVE


def _on_generated_people(claim: ClaimTest, effect: Estimate) -> Verdict:
    if claim.kind == EffectKind.EQUIVALENCE:
        return {
            Verdict.REPRODUCED: Verdict.SAME_DIRECTION,
            Verdict.CONTRADICTED: Verdict.OPPOSITE_DIRECTION,
            Verdict.INCONCLUSIVE: Verdict.NO_EFFECT,
        }[equivalence(claim.margin, effect)]
    if effect.low > 0:
        return Verdict.SAME_DIRECTION
    return Verdict.OPPOSITE_DIRECTION if effect.high < 0 else Verdict.NO_EFFECT


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
