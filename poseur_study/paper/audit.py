"""The audit: every claim with its finding, cells that speak of one thing and differ, and where AP lies by size.

AP is no mean of AP_M and AP_L, but for one data set and one kind of boxes it lies at about the same place between them
for every method: the share s = (AP_L − AP) / (AP_L − AP_M) says how much of the way to the medium people it is. No
sentence of the paper makes that observation.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from poseur_study.paper.checks import Agreement, Finding, round_like
from poseur_study.paper.claims import Claim, paper_claims
from poseur_study.paper.formula import Cell, Operation
from poseur_study.paper.subject import Subject
from poseur_study.paper.tables import Printed, paper_tables

RULE = (
    "A number agrees if the printed cells give it, once rounded to the digits that the text states; it contradicts "
    "otherwise, and the page says where the rounding of the printed digits may explain it. “Better” agrees if every "
    "pair of cells is in that order. A claim of no difference agrees within its margin: 0.3 AP unless shown otherwise. "
    "What the paper prints no number for, or does not name the rows of, cannot be checked."
)
SIZE_COLUMNS = ("AP", "AP_M", "AP_L")


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


@dataclass(frozen=True)
class SizeMix:
    """A row that has AP, AP_M and AP_L, and where the first lies between the others."""

    table: str
    row: str
    label: str
    poseur: bool
    share: Operation


def audit(claims: Sequence[Claim] | None = None) -> tuple[Audited, ...]:
    """Check the claims; None: all."""
    return tuple(Audited(claim, claim.check.find()) for claim in (claims_of(()) if claims is None else claims))


def claims_of(kinds: Sequence[str]) -> tuple[Claim, ...]:
    """The claims of some kinds, in the order of the text; of all if none is given."""
    return tuple(one for one in paper_claims().values() if not kinds or one.kind in kinds)


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
        f"Of {len(audited)} statements of its text, {number[Agreement.AGREES]} follow from the numbers of its tables, "
        f"{number[Agreement.CONTRADICTS]} contradict them ({within_rounding(audited)} perhaps by rounding), and "
        f"{number[Agreement.UNCHECKABLE]} cannot be checked by them."
    )


def same_subject(column: str) -> tuple[Group, ...]:
    """The groups of two cells or more that speak of the same plain method, most different first."""
    found: dict[Subject, list[Cell]] = {}
    for number, table in paper_tables().items():
        for row in table.rows:
            if not row.variant and isinstance(row.cells.get(column), Printed):
                found.setdefault(row.subject, []).append(Cell(number, row.key, column))
    groups = [Group(subject, column, tuple(cells)) for subject, cells in found.items() if len(cells) > 1]
    return tuple(sorted(groups, key=lambda group: -group.spread))


def size_mixes() -> tuple[SizeMix, ...]:
    """Every row of every table with AP, AP_M and AP_L."""
    found = []
    for number, table in paper_tables().items():
        for row in table.rows:
            if all(isinstance(row.cells.get(name), Printed) for name in SIZE_COLUMNS):
                ap, medium, large = (Cell(number, row.key, name) for name in SIZE_COLUMNS)
                share = Operation("/", Operation("-", large, ap), Operation("-", large, medium))
                found.append(SizeMix(number, row.key, row.label, row.subject.is_poseur, share))
    return tuple(found)
