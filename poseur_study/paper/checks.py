"""How a claim is held against the paper's own numbers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import NamedTuple

from poseur_study.paper.formula import Cell, Formula, Text
from poseur_study.paper.tables import Printed, text_number

MOST_PAIRS = 4  # that a finding spells out


class Agreement(StrEnum):
    """What the paper's own numbers say to a claim."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    UNCHECKABLE = "cannot be checked"


class Finding(NamedTuple):
    """A check's result, in words that a table can show.

    Attributes:
        claimed: what the text says.
        within_rounding: a contradiction that the rounding of the printed digits may explain.
    """

    agreement: Agreement
    claimed: str
    computed: str
    within_rounding: bool = False


class Check(ABC):
    """How a claim is checked."""

    @abstractmethod
    def find(self) -> Finding:
        """Hold the claim against the numbers."""

    def formulas(self) -> tuple[Formula, ...]:
        """What is computed, for the page and for the claim's sources."""
        return tuple(_formulas_in(tuple(vars(self).values())))


@dataclass(frozen=True)
class Equals(Check):
    """A number of the text (by its key) is what the formula gives, once rounded to the digits that the text has."""

    number: str
    computed: Formula

    def find(self) -> Finding:
        """Agrees if the rounded result is the text's number."""
        number, (low, high) = text_number(self.number), self.computed.range
        same = round_like(self.computed.value, number) == number.digits
        overlap = low <= number.digits + number.half_digit and number.digits - number.half_digit <= high
        return Finding(_agreement(same), number.with_unit, _equation(self.computed), not same and overlap)


@dataclass(frozen=True)
class Above(Check):
    """The first of every pair is above the second."""

    pairs: tuple[tuple[Formula, Formula], ...]

    def find(self) -> Finding:
        """Agrees if every pair is in the claimed order; of many pairs the closest is shown."""
        wrong = [pair for pair in self.pairs if not pair[0].value > pair[1].value]
        close = [pair for pair in wrong if pair[0].range.high > pair[1].range.low]
        shown = wrong or self.pairs
        if len(shown) > MOST_PAIRS:
            shown = [min(shown, key=lambda pair: pair[0].value - pair[1].value)]
        signs = "; ".join(f"{left} {'>' if left.value > right.value else '≤'} {right}" for left, right in shown)
        if len(shown) < len(wrong or self.pairs):
            signs = f"{len(self.pairs)} pairs, the closest: {signs}"
        return Finding(_agreement(not wrong), "greater", signs, bool(wrong) and len(close) == len(wrong))


@dataclass(frozen=True)
class Within(Check):
    """Every difference is at most a margin, the rule for claims of no effect; `word` is the paper's ("slightly")."""

    word: str
    differences: tuple[Formula, ...]
    margin: Decimal

    def find(self) -> Finding:
        """Agrees if no difference is larger than the margin."""
        close = all(abs(one.value) <= self.margin for one in self.differences)
        within = f"within ±{self.margin}" if self.margin else "no difference"
        return Finding(_agreement(close), f"{self.word}: {within}", "; ".join(map(_equation, self.differences)))


@dataclass(frozen=True)
class Among(Check):
    """A number of the text (by its key) is one of those that there are; `what` says of what."""

    number: str
    what: str
    known: tuple[int, ...]

    def find(self) -> Finding:
        """Agrees if it is there."""
        number = text_number(self.number)
        known = f"{self.what}: {', '.join(map(str, self.known))}"
        return Finding(_agreement(number.digits in self.known), number.with_unit, known)

    def formulas(self) -> tuple[Formula, ...]:
        """The text's number."""
        return (Text(self.number),)


@dataclass(frozen=True)
class All(Check):
    """Several checks of one sentence: it agrees if all do; what contradicts is shown first."""

    checks: tuple[Check, ...]

    def find(self) -> Finding:
        """One that contradicts outweighs the others."""
        found = [check.find() for check in self.checks]
        wrong = [one for one in found if one.agreement == Agreement.CONTRADICTS]
        shown = wrong or found
        return Finding(
            _agreement(not wrong),
            "; ".join(dict.fromkeys(one.claimed for one in shown)),
            "; ".join(one.computed for one in shown),
            bool(wrong) and all(one.within_rounding for one in wrong),
        )


@dataclass(frozen=True)
class Unnamed(Check):
    """A number of the text (by its key) whose rows the paper does not name: readings are computed, none decides."""

    number: str
    readings: tuple[Formula, ...]

    def find(self) -> Finding:
        """Cannot be checked; every reading is shown."""
        computed = " or ".join(map(_equation, self.readings))
        return Finding(Agreement.UNCHECKABLE, text_number(self.number).with_unit, f"rows not named: {computed}")


@dataclass(frozen=True)
class Unchecked(Check):
    """The paper prints nothing that decides it."""

    why: str

    def find(self) -> Finding:
        """Cannot be checked."""
        return Finding(Agreement.UNCHECKABLE, "—", self.why)


def round_like(value: Decimal, printed: Printed) -> Decimal:
    """A value with as many decimals as a printed number has; halves away from zero."""
    return value.quantize(Decimal(1).scaleb(printed.digits.as_tuple().exponent), ROUND_HALF_UP)


def shown(value: Decimal) -> str:
    """A result with its own digits, but two decimals at most."""
    short = value if value.as_tuple().exponent >= -2 else value.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{short:f}".replace("-", "−")


def _formulas_in(attribute: object) -> Iterator[Formula]:
    if isinstance(attribute, Formula):
        yield attribute
    elif isinstance(attribute, Check):
        yield from attribute.formulas()
    elif isinstance(attribute, tuple):
        for one in attribute:
            yield from _formulas_in(one)


def _agreement(holds: bool) -> Agreement:
    return Agreement.AGREES if holds else Agreement.CONTRADICTS


def _equation(of: Formula) -> str:
    return str(of) if isinstance(of, Cell | Text) else f"{of} = {shown(of.value)}"
