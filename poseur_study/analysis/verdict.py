"""The one enumeration of verdicts, and the rules by which a claim's effect, or a printed figure, becomes one.

The rule of an effect is printed on the page (`rule_text`). A printed AP or AR is held against
that of a released checkpoint, or of models retrained with the paper's recipe (`level`): both are of the same images,
COCO's val2017, so which images there are is no part of their difference. Another training is, by Student's t over the
seeds; of a released checkpoint, which is the paper's own model, nothing is.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from poseur_lib.config.base import Frozen
from poseur_study.analysis.effect import CHANCE
from poseur_study.analysis.interval import Estimate
from poseur_study.experiments.experiment import EQUIVALENCE_MARGIN, QUOTED, ClaimTest, EffectKind
from poseur_study.paper.checks import Agreement


class Evidence(StrEnum):
    """What a result rests on; only the first four can reproduce or contradict the paper."""

    ARITHMETIC = "arithmetic on the paper's own numbers"
    COST = "cost"
    RELEASED = "released checkpoint"
    RETRAINED = "COCO / MPII retrained"
    LSP = "LSP, retrained"
    GENERATED = "generated people"
    NONE = "no evidence"


TRAINED_HERE = (Evidence.RETRAINED, Evidence.LSP, Evidence.GENERATED)
"""What another training would have given is part of these results; a released checkpoint is what the paper's is."""

MIN_SEEDS = 2

HOLM_RULE = (
    "Of a table with several claims, an interval counts as above or below 0, or as within or outside a margin, only "
    "where p, adjusted by Holm for {}, is below 0.05; that it lacks the paper's figure is not adjusted."
)

ONE_SEED_RULE = "Trainings of one seed decide nothing: what another seed would give is then unknown."


ON_COCO, ON_LSP, ON_GENERATED = "", ", on LSP", ", on generated people"
ELSEWHERE = {Evidence.LSP: ON_LSP, Evidence.GENERATED: ON_GENERATED}
"""Real people of another data set, and generated ones: the paper's direction is all that they can have."""


class Verdict(StrEnum):
    """What a claim has come to."""

    REPRODUCED = "reproduced"
    CONTRADICTED = "contradicted"
    WITHIN_MARGIN = "within the margin"
    OUTSIDE_MARGIN = "outside the margin"
    OUTSIDE_BETTER = "better than claimed"
    OUTSIDE_WORSE = "worse than claimed"
    INCONCLUSIVE = "inconclusive"
    SAME_DIRECTION_LSP = "same direction, on LSP"
    OPPOSITE_DIRECTION_LSP = "opposite direction, on LSP"
    WITHIN_MARGIN_LSP = "within the margin, on LSP"
    OUTSIDE_MARGIN_LSP = "outside the margin, on LSP"
    OUTSIDE_BETTER_LSP = "better than claimed, on LSP"
    OUTSIDE_WORSE_LSP = "worse than claimed, on LSP"
    INCONCLUSIVE_LSP = "inconclusive, on LSP"
    SAME_DIRECTION = "same direction, on generated people"
    OPPOSITE_DIRECTION = "opposite direction, on generated people"
    WITHIN_MARGIN_GENERATED = "within the margin, on generated people"
    OUTSIDE_MARGIN_GENERATED = "outside the margin, on generated people"
    OUTSIDE_BETTER_GENERATED = "better than claimed, on generated people"
    OUTSIDE_WORSE_GENERATED = "worse than claimed, on generated people"
    INCONCLUSIVE_GENERATED = "inconclusive, on generated people"
    ONE_SEED = "undecided (one seed)"
    FEW_SEEDS = "undecided (fewer seeds than were registered)"
    LONGER = "undecided (a longer training decides)"
    NO_EVIDENCE = "no evidence (smoke)"
    TOO_LITTLE = "no evidence (too little data or training, or other boxes)"
    UNLIKE_PAPER = "no verdict (unlike the paper)"
    NOT_RUN = "not run"
    UNDECIDED = "cannot be checked"

    @property
    def good(self) -> bool:
        """True if the claim holds, on whatever people."""
        return any(self == of_outcome[True] for of_outcome in OF_OUTCOME.values())

    @property
    def bad(self) -> bool:
        """True if it does not."""
        worse = any(self == sides[-1] for sides in OUTSIDE.values())
        return worse or any(self == of_outcome[False] for of_outcome in OF_OUTCOME.values())

    @property
    def better(self) -> bool:
        """True if what is said to be as good is better by more than the margin: decided, and not against the claim."""
        return any(self == sides[1] for sides in OUTSIDE.values())

    @property
    def short(self) -> str:
        """Without what a page says once: `inconclusive` of `inconclusive, on generated people`."""
        return self.value.removesuffix(ON_GENERATED).removesuffix(ON_LSP)

    @property
    def colour(self) -> str:
        """`good`, `bad` or `soft`: the colour of the verdict on every page and in every figure."""
        return "good" if self.good else "bad" if self.bad else "soft"


OF_OUTCOME = {
    (False, ON_COCO): {True: Verdict.REPRODUCED, False: Verdict.CONTRADICTED, None: Verdict.INCONCLUSIVE},
    (True, ON_COCO): {True: Verdict.WITHIN_MARGIN, False: Verdict.OUTSIDE_MARGIN, None: Verdict.INCONCLUSIVE},
    (False, ON_LSP): {
        True: Verdict.SAME_DIRECTION_LSP, False: Verdict.OPPOSITE_DIRECTION_LSP, None: Verdict.INCONCLUSIVE_LSP,
    },
    (True, ON_LSP): {
        True: Verdict.WITHIN_MARGIN_LSP, False: Verdict.OUTSIDE_MARGIN_LSP, None: Verdict.INCONCLUSIVE_LSP,
    },
    (False, ON_GENERATED): {
        True: Verdict.SAME_DIRECTION, False: Verdict.OPPOSITE_DIRECTION, None: Verdict.INCONCLUSIVE_GENERATED,
    },
    (True, ON_GENERATED): {
        True: Verdict.WITHIN_MARGIN_GENERATED,
        False: Verdict.OUTSIDE_MARGIN_GENERATED,
        None: Verdict.INCONCLUSIVE_GENERATED,
    },
}  # fmt: skip
"""Of (an equivalence, on what people): the verdict if the claim holds, if it does not, if neither can be said."""
OUTSIDE = {
    ON_COCO: {1: Verdict.OUTSIDE_BETTER, -1: Verdict.OUTSIDE_WORSE},
    ON_LSP: {1: Verdict.OUTSIDE_BETTER_LSP, -1: Verdict.OUTSIDE_WORSE_LSP},
    ON_GENERATED: {1: Verdict.OUTSIDE_BETTER_GENERATED, -1: Verdict.OUTSIDE_WORSE_GENERATED},
}
"""By side, of an equivalence that has a better one."""


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


def verdict(
    claim: ClaimTest,
    effect: Estimate | None,
    evidence: Evidence,
    smoke: bool,
    p: float | None = None,
    unlike_paper: bool = False,
    seeds: Mapping[str, int] = MappingProxyType({}),
) -> Verdict:
    """The verdict on a claim; `rule_text` says it in words.

    Args:
        p: adjusted for the other claims of the table, or of its family; None: there are none.
        unlike_paper: trainings of its rows by the paper's recipe decide nothing (`Table.unlike_paper`).
        seeds: how many each row of the table has, for a claim that has `lengths`.
    """
    if effect is None:
        return Verdict.NOT_RUN
    if smoke:
        return Verdict.NO_EVIDENCE
    if evidence == Evidence.NONE:
        return Verdict.TOO_LITTLE
    if evidence == Evidence.RETRAINED and unlike_paper:
        return Verdict.UNLIKE_PAPER
    if evidence in TRAINED_HERE and effect.n_seeds < MIN_SEEDS:
        return Verdict.ONE_SEED
    if evidence in TRAINED_HERE and effect.n_seeds < claim.least_seeds:
        return Verdict.FEW_SEEDS
    if evidence in TRAINED_HERE and claim.lengths:
        own = next(place for place, rows in enumerate(claim.lengths) if claim.better in rows)
        if own != (deciding := claim.deciding(seeds)):
            return Verdict.LONGER if own < deciding else Verdict.FEW_SEEDS
    people = ELSEWHERE.get(evidence, ON_COCO)
    holds = _holds(claim, effect, people != ON_COCO, chance=p is not None and p >= CHANCE)
    equivalence = claim.kind == EffectKind.EQUIVALENCE
    if equivalence and claim.better_side and holds is False:
        return OUTSIDE[people][1 if effect.value * claim.better_side > 0 else -1]
    return OF_OUTCOME[equivalence, people][holds]


def _holds(claim: ClaimTest, effect: Estimate, elsewhere: bool, chance: bool) -> bool | None:
    """What the interval says to the claim; None: neither. On other people a magnitude is held to its direction.

    Args:
        chance: among so many claims of a table, such an interval is no wonder.
    """
    if claim.kind == EffectKind.EQUIVALENCE:
        return None if chance else within(claim.margin, effect)
    if effect.high < 0 and not chance:
        return False
    if claim.kind == EffectKind.MAGNITUDE and not elsewhere and not effect.low <= claim.paper_effect <= effect.high:
        return False
    return True if effect.low > 0 and not chance else None


def within(margin: float, effect: Estimate) -> bool | None:
    """Whether the whole interval lies within ±margin; None if part of it does."""
    if -margin <= effect.low and effect.high <= margin:
        return True
    return False if effect.low > margin or effect.high < -margin else None


def rule_text(claim: ClaimTest) -> str:
    """The rule for a claim of this kind, in words."""
    holm_rule = HOLM_RULE.format(f"the claims of its family ({claim.family})" if claim.family else "all of them")
    seeds_rule = ONE_SEED_RULE
    if claim.least_seeds > MIN_SEEDS:
        seeds_rule = f"Trainings of fewer than {claim.least_seeds} seeds decide nothing, as was registered."
    if claim.lengths:
        seeds_rule += (
            f" Nor does any length but the longest of which all {len(claim.lengths[0])} methods have so many: of a "
            "shorter one it is said that a longer training decides."
        )
    generated = (
        "On generated people and on LSP the same interval gives: same direction (above 0), opposite direction (below "
        f"0), inconclusive (it contains 0). {holm_rule} {seeds_rule}"
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
            sides = "it says nothing of a direction"
            if claim.better_side:
                sides = f"{'above' if claim.better_side > 0 else 'below'} 0 is better than claimed, and not against it"
            little = f"Rows of {claim.metric} {claim.margin:.1f} or less have learnt too little to decide anything. "
            little = "" if claim.measured else little
            return (
                f"Equivalence: within the margin if the whole 95 % interval lies within ±{claim.margin:.1f}, outside "
                "the margin if all of it lies outside, inconclusive otherwise, on generated people and LSP too. "
                f"Outside, {sides}. {little}{holm_rule} {seeds_rule}"
            )


RULE = (
    "A printed figure is compared on the paper's own images, so the difference's interval holds the spread over seeds "
    "alone, and of a released checkpoint there is none: reproduced if all of it lies within "
    f"±{EQUIVALENCE_MARGIN:.1f} of the printed one, contradicted if all of it lies outside, inconclusive otherwise. "
    f"{ONE_SEED_RULE} {QUOTED}"
)


class Level(Frozen):
    """Ours minus the printed figure, in points, and the verdict."""

    difference: Estimate
    evidence: Evidence
    verdict: Verdict


def level(paper: str | None, ours: Estimate | None, evidence: Evidence, unlike_paper: bool = False) -> Level | None:
    """A printed figure beside ours; None where one is missing, or ours is no evidence of a figure on COCO.

    Args:
        paper: the digits as printed.
        ours: its `seeds_half` is the interval; that of the images is left out.
        unlike_paper: our trainings are not held against it (`Row.without_level`).
    """
    if paper is None or ours is None or evidence not in (Evidence.RELEASED, Evidence.RETRAINED):
        return None
    value = ours.value - float(paper)
    half = 0.0 if evidence == Evidence.RELEASED else ours.seeds_half or 0.0
    difference = ours.model_copy(update={"value": value, "low": value - half, "high": value + half, "images_half": 0.0})
    verdict = OF_OUTCOME[False, ON_COCO][within(EQUIVALENCE_MARGIN, difference)]
    if evidence == Evidence.RETRAINED and ours.n_seeds < MIN_SEEDS:
        verdict = Verdict.ONE_SEED
    if evidence == Evidence.RETRAINED and unlike_paper:
        verdict = Verdict.UNLIKE_PAPER
    return Level(difference=difference, evidence=evidence, verdict=verdict)
