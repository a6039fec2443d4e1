"""Claims of the tables, made of the paper's claims and of its printed cells: no number is typed again."""

from decimal import Decimal

from poseur_study.experiments.experiment import EQUIVALENCE_MARGIN, Claim, ClaimKind, Metric, UnmeasuredColumn
from poseur_study.paper.claims import claim
from poseur_study.paper.compare import same_backbone
from poseur_study.paper.formula import Cell


def stated(
    of: str,
    kind: ClaimKind,
    better: str,
    than: str,
    effect: float | None = None,
    *,
    metric: Metric | UnmeasuredColumn = "AP",
    margin: Decimal | float = EQUIVALENCE_MARGIN,
    beyond: tuple[str, str] | None = None,
) -> Claim:
    """What a claim of the text (by its key `of`) says of two rows; `effect` is the paper's, where it has one."""
    paper = claim(of)
    return Claim(
        key=f"{of}: {better} over {than}" + ("" if beyond is None else f" beyond {beyond[0]} over {beyond[1]}"),
        text=paper.statement,
        source=paper.place,
        kind=kind,
        better=better,
        than=than,
        paper_effect=effect,
        metric=metric,
        beyond=beyond,
        of=of,
        margin=float(margin),
    )


def printed_effect(table: str, better: str, than: str) -> float:
    """The difference of two printed AP."""
    return float((Cell(table, better, "AP") - Cell(table, than, "AP")).value)


def greater(of: str, table: str, better: str, than: str) -> Claim:
    """A claim that one row of a table is better than another; the paper's effect is that of the printed cells."""
    return stated(of, ClaimKind.DIRECTION, better, than, printed_effect(table, better, than))


def better_at_same_backbone(of: str, table: str) -> tuple[Claim, ...]:
    """Poseur above every other method of a table at the same backbone, size and testing."""
    return tuple(greater(of, table, ours.row, other.row) for ours, other in same_backbone((table,)).pairs)


def doubts(*keys: str) -> tuple[str, ...]:
    """What the paper's own numbers say to claims of the text, as the audit has it: open questions of a table."""
    return tuple(_doubt(key) for key in keys)


def _doubt(key: str) -> str:
    paper = claim(key)
    found = paper.check.find()
    return f"{paper.statement} The paper's own numbers ({found.agreement}): {found.computed}. {paper.remark}".strip()
