"""Tests of the paper's claims on a table's rows; every effect is a printed number, and none is typed again."""

from dataclasses import replace
from typing import Any

from poseur_study.experiments.experiment import ClaimTest, EffectKind
from poseur_study.paper.claims import paper_claim
from poseur_study.paper.formula import Cell
from poseur_study.paper.method_pairs import same_backbone_pairs
from poseur_study.paper.tables import text_number

COMPARABLE = text_number("coarse_gain").value
"""The margin of "comparable", in AP: the smallest gain that Sec. 4.2 prints for a component.

It prints 0.6 for the coarse proposal and for noisy reference points, more for the score; a feature level more may bring
0.2 (74.2 to 74.4).
"""


def claim_test(
    of: str, kind: EffectKind, better: str, than: str, paper_effect: float | None = None, **more: Any
) -> ClaimTest:
    """What a claim of the text (by its key `of`) says of two rows; `more` are further attributes of the test."""
    claim, beyond = paper_claim(of), more.get("beyond")
    key = f"{of}: {better} over {than}" + ("" if beyond is None else f" beyond {beyond[0]} over {beyond[1]}")
    known = {"key": key, "text": claim.statement, "source": claim.place, "paper_effect": paper_effect, "of": of}
    return ClaimTest(**{**known, "kind": kind, "better": better, "than": than, **more})


def direction(of: str, better: str, than: str, paper_effect: float | None = None, **more: Any) -> ClaimTest:
    """The first row is better than the second."""
    return claim_test(of, EffectKind.DIRECTION, better, than, paper_effect, **more)


def equivalence(of: str, better: str, than: str, paper_effect: float | None = None, **more: Any) -> ClaimTest:
    """Both rows are as good."""
    return claim_test(of, EffectKind.EQUIVALENCE, better, than, paper_effect, **more)


def magnitude(of: str, better: str, than: str, number: str = "", **more: Any) -> ClaimTest:
    """The first row is better by a number of the text, whose key is that of the claim where none is given."""
    effect = text_number(number or of.replace("-", "_")).value
    return claim_test(of, EffectKind.MAGNITUDE, better, than, effect, **more)


def printed_effect(table: str, better: str, than: str) -> float:
    """The difference of two printed AP."""
    return float(Cell(table, better, "AP").value - Cell(table, than, "AP").value)


def printed_direction(of: str, table: str, better: str, than: str) -> ClaimTest:
    """The first row is better than the second, as the printed AP are."""
    return direction(of, better, than, printed_effect(table, better, than))


def trend(of: str, *rows: str, table: str = "") -> ClaimTest:
    """The metric rises along rows at equal steps; the paper's rise is that of a table's printed AP, where one is named.

    The key says that the test is of the line through all rows: differences of neighbours are claims of their own.
    """
    claim = direction(of, rows[-1], rows[0], trend=rows, key=f"{of}: trend over {len(rows)} rows")
    if not table:
        return claim
    rise = sum(weight * float(Cell(table, row, "AP").value) for row, weight in claim.weights.items())
    return replace(claim, paper_effect=round(rise, 2))


def better_at_same_backbone(of: str, table: str) -> tuple[ClaimTest, ...]:
    """Poseur is better than every other method of a table at the same backbone, size and testing."""
    return tuple(printed_direction(of, table, ours.row, other.row) for ours, other in same_backbone_pairs((table,)))


def questions_of_claims(*keys: str) -> tuple[str, ...]:
    """What the paper's own numbers say to claims of the text, as the audit has it: open questions of a table."""
    said = "{0.statement} The paper's own numbers ({1.agreement}): {1.computed}. {0.remark}"
    return tuple(said.format(claim, claim.check.find()).strip() for claim in map(paper_claim, keys))
