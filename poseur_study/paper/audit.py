"""The audit: every claim with its finding, and cells that speak of one thing and differ."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from poseur_study.paper.checks import Agreement, Finding, round_like
from poseur_study.paper.claim import Claim
from poseur_study.paper.claims import CLAIMS
from poseur_study.paper.formula import Cell
from poseur_study.paper.subject import Subject
from poseur_study.paper.tables import Missing, PaperTable, paper_tables

RULE = (
    "A number agrees if the printed cells give it, once rounded to the digits that the text states; it contradicts "
    "otherwise, and the page says where the rounding of the printed digits may explain it. “Better” agrees if every "
    "pair of cells is in that order. A claim of no difference agrees within its margin: 0.3 AP unless shown otherwise. "
    "What the paper prints no number for, or does not name the rows of, cannot be checked."
)


@dataclass(frozen=True)
class Audited:
    """A claim and what the paper's own numbers say to it."""

    claim: Claim
    finding: Finding


@dataclass(frozen=True)
class Group:
    """Cells of one column that speak of the same subject."""

    subject: Subject
    column: str
    cells: tuple[Cell, ...]

    @property
    def differ(self) -> bool:
        """True if they are not all the same number, as far as the coarser of two prints it."""
        numbers = [cell.printed for cell in self.cells]
        coarse = max(numbers, key=lambda one: one.half_digit)
        return len({round_like(one.digits, coarse) for one in numbers}) > 1

    @property
    def spread(self) -> Decimal:
        """The largest minus the smallest."""
        values = [cell.value for cell in self.cells]
        return max(values) - min(values)


def audit(claims: Sequence[Claim] = CLAIMS) -> tuple[Audited, ...]:
    """Check the claims."""
    return tuple(Audited(claim, claim.check.find()) for claim in claims)


def claims_of(kinds: Sequence[str]) -> tuple[Claim, ...]:
    """The claims of some kinds, in the order of the text; of all if none is given."""
    return tuple(one for one in CLAIMS if not kinds or one.kind in kinds)


def counts(audited: Sequence[Audited]) -> Mapping[Agreement, int]:
    """How many claims there are of each agreement; every one is named."""
    found = Counter(one.finding.agreement for one in audited)
    return {agreement: found[agreement] for agreement in Agreement}


def within_rounding(audited: Sequence[Audited]) -> int:
    """How many contradictions the rounding of the printed digits may explain."""
    return sum(one.finding.within_rounding for one in audited)


def summary(audited: Sequence[Audited]) -> str:
    """The counts as a sentence."""
    number = counts(audited)
    return (
        f"Of {len(audited)} claims, {number[Agreement.AGREES]} agree with the paper's own numbers, "
        f"{number[Agreement.CONTRADICTS]} contradict them ({within_rounding(audited)} of these may be rounding), and "
        f"{number[Agreement.UNCHECKABLE]} cannot be checked by them."
    )


def same_subject(column: str, tables: Mapping[str, PaperTable] | None = None) -> tuple[Group, ...]:
    """The groups of two cells or more that speak of the same plain method, most different first."""
    found: dict[Subject, list[Cell]] = {}
    for number, table in (tables or paper_tables()).items():
        for row in table.rows:
            if not row.variant and not isinstance(row.cells.get(column, Missing.NOT_PRINTED), Missing):
                found.setdefault(row.subject, []).append(Cell(number, row.key, column))
    groups = [Group(subject, column, tuple(cells)) for subject, cells in found.items() if len(cells) > 1]
    return tuple(sorted(groups, key=lambda group: -group.spread))
