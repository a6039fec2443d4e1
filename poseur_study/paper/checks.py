"""How a claim is held against the paper's own numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import NamedTuple

from poseur_study.paper.formula import Cell, Formula, Text
from poseur_study.paper.tables import Printed, said

MOST_PAIRS = 4  # that a finding spells out


class Agreement(StrEnum):
    """What the paper's own numbers say to a claim."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    UNCHECKABLE = "cannot be checked"


class Finding(NamedTuple):
    """A check's result, in words that a table can show.

    Attributes:
        within_rounding: a contradiction that the rounding of the printed digits may explain.
    """

    agreement: Agreement
    stated: str
    computed: str
    within_rounding: bool = False


class Check:
    """How a claim is checked."""

    def find(self) -> Finding:
        """Hold the claim against the numbers."""
        raise NotImplementedError

    def formulas(self) -> Iterator[Formula]:
        """What is computed, for the page and for the claim's sources."""
        return iter(())


@dataclass(frozen=True)
class Equals(Check):
    """A stated number is what the formula gives, once rounded to the digits that are stated.

    Attributes:
        stated: key of the text's number.
    """

    stated: str
    computed: Formula

    def find(self) -> Finding:
        """Agrees if the rounded result is the stated number."""
        number, (low, high) = said(self.stated), self.computed.range
        same = round_like(self.computed.value, number) == number.digits
        overlap = low <= number.digits + number.half_digit and number.digits - number.half_digit <= high
        agreement = Agreement.AGREES if same else Agreement.CONTRADICTS
        return Finding(agreement, number.with_unit, _equation(self.computed), not same and overlap)

    def formulas(self) -> Iterator[Formula]:
        """The one formula."""
        yield self.computed


@dataclass(frozen=True)
class Above(Check):
    """Everything on the left is above its right neighbour."""

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
        agreement = Agreement.CONTRADICTS if wrong else Agreement.AGREES
        return Finding(agreement, "greater", signs, bool(wrong) and len(close) == len(wrong))

    def formulas(self) -> Iterator[Formula]:
        """Both sides of every pair."""
        for pair in self.pairs:
            yield from pair


@dataclass(frozen=True)
class Within(Check):
    """Every difference is at most a margin, the rule for claims of no effect.

    Attributes:
        word: the paper's, such as "almost the same".
    """

    word: str
    differences: tuple[Formula, ...]
    margin: Decimal

    def find(self) -> Finding:
        """Agrees if no difference is larger than the margin."""
        close = all(abs(one.value) <= self.margin for one in self.differences)
        computed = "; ".join(_equation(one) for one in self.differences)
        within = f"within ±{self.margin}" if self.margin else "no difference"
        agreement = Agreement.AGREES if close else Agreement.CONTRADICTS
        return Finding(agreement, f"{self.word}: {within}", computed)

    def formulas(self) -> Iterator[Formula]:
        """The differences."""
        yield from self.differences


@dataclass(frozen=True)
class Among(Check):
    """A stated number is one of those that there are.

    Attributes:
        stated: key of the text's number.
        what: they are, in words.
    """

    stated: str
    what: str
    known: tuple[int, ...]

    def find(self) -> Finding:
        """Agrees if it is there."""
        there = said(self.stated).digits in self.known
        agreement = Agreement.AGREES if there else Agreement.CONTRADICTS
        return Finding(agreement, said(self.stated).with_unit, f"{self.what}: {', '.join(map(str, self.known))}")

    def formulas(self) -> Iterator[Formula]:
        """The stated number."""
        yield Text(self.stated)


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
            Agreement.CONTRADICTS if wrong else Agreement.AGREES,
            "; ".join(dict.fromkeys(one.stated for one in shown)),
            "; ".join(one.computed for one in shown),
            bool(wrong) and all(one.within_rounding for one in wrong),
        )

    def formulas(self) -> Iterator[Formula]:
        """Those of all."""
        for check in self.checks:
            yield from check.formulas()


@dataclass(frozen=True)
class Unnamed(Check):
    """A stated number whose rows the paper does not name: the readings are computed, none decides.

    Attributes:
        stated: key of the text's number.
    """

    stated: str
    readings: tuple[Formula, ...]

    def find(self) -> Finding:
        """Cannot be checked; every reading is shown."""
        number = said(self.stated)
        computed = " or ".join(_equation(one) for one in self.readings)
        return Finding(Agreement.UNCHECKABLE, number.with_unit, f"rows not named: {computed}")

    def formulas(self) -> Iterator[Formula]:
        """The readings."""
        yield from self.readings


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


def _equation(of: Formula) -> str:
    printed = isinstance(of, Cell | Text)
    return str(of) if printed else f"{of} = {shown(of.value)}"
