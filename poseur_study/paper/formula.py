"""Arithmetic on printed numbers: exact in decimals, with the range that the rounding of the printed digits leaves."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from poseur_study.paper.tables import Printed, paper_tables, printed, said, table_name

SIGNS = {"+": "+", "-": "−", "*": "×", "/": "/"}


class Range(NamedTuple):
    """From the least to the largest value that is printed as it is."""

    low: Decimal
    high: Decimal


class Formula:
    """A number computed from the paper's own; `+ - * /` and numbers of arithmetic (100 %) make new ones."""

    def __add__(self, other: "Operand") -> "Formula":
        return Operation("+", self, formula(other))

    def __sub__(self, other: "Operand") -> "Formula":
        return Operation("-", self, formula(other))

    def __rsub__(self, other: "Operand") -> "Formula":
        return Operation("-", formula(other), self)

    def __mul__(self, other: "Operand") -> "Formula":
        return Operation("*", self, formula(other))

    def __rmul__(self, other: "Operand") -> "Formula":
        return Operation("*", formula(other), self)

    def __truediv__(self, other: "Operand") -> "Formula":
        return Operation("/", self, formula(other))

    @property
    def value(self) -> Decimal:
        """The number."""
        raise NotImplementedError

    @property
    def range(self) -> Range:
        """What it can be before the printed numbers were rounded."""
        raise NotImplementedError

    def leaves(self) -> Iterator["Cell | Text"]:
        """The printed numbers that it is made of."""
        raise NotImplementedError


Operand = Formula | int | Decimal


@dataclass(frozen=True)
class Number(Formula):
    """A number of arithmetic, no claim of the paper: exact."""

    digits: Decimal

    @property
    def value(self) -> Decimal:
        """The number."""
        return self.digits

    @property
    def range(self) -> Range:
        """Itself."""
        return Range(self.digits, self.digits)

    def leaves(self) -> Iterator["Cell | Text"]:
        """None."""
        return iter(())

    def __str__(self) -> str:
        return str(self.digits)


class _Leaf(Formula):
    """A printed number."""

    @property
    def printed(self) -> Printed:
        """The number and its place."""
        raise NotImplementedError

    @property
    def value(self) -> Decimal:
        """The number as printed."""
        return self.printed.digits

    @property
    def range(self) -> Range:
        """Half a digit to both sides."""
        return Range(self.value - self.printed.half_digit, self.value + self.printed.half_digit)

    def leaves(self) -> Iterator["Cell | Text"]:
        """Itself."""
        return iter((self,))


@dataclass(frozen=True)
class Cell(_Leaf):
    """A cell of a table.

    Raises:
        UserError: there is no such table, row or column, or the cell has no number.
    """

    table: str
    row: str
    column: str

    def __post_init__(self) -> None:
        printed(self.table, self.row, self.column)

    @property
    def printed(self) -> Printed:
        """The cell."""
        return printed(self.table, self.row, self.column)

    @property
    def place(self) -> str:
        """`Table 2b, Poseur, 64 × 64, AP`."""
        return f"{table_name(self.table)}, {paper_tables()[self.table].row(self.row).label}, {self.column}"

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class Text(_Leaf):
    """A number of the text.

    Raises:
        UserError: there is none of this key.
    """

    key: str

    def __post_init__(self) -> None:
        said(self.key)

    @property
    def printed(self) -> Printed:
        """The number and its section."""
        return said(self.key)

    @property
    def place(self) -> str:
        """Its section."""
        return self.printed.source

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class Operation(Formula):
    """Two formulas and a sign."""

    sign: Literal["+", "-", "*", "/"]
    left: Formula
    right: Formula

    @property
    def value(self) -> Decimal:
        """The result."""
        return _apply(self.sign, self.left.value, self.right.value)

    @property
    def range(self) -> Range:
        """Of all corners, the least and the largest: right for these four signs and positive divisors."""
        corners = [_apply(self.sign, a, b) for a in self.left.range for b in self.right.range]
        return Range(min(corners), max(corners))

    def leaves(self) -> Iterator["Cell | Text"]:
        """Those of both sides."""
        yield from self.left.leaves()
        yield from self.right.leaves()

    def __str__(self) -> str:
        left = self._side(self.left, isinstance(self.left, Operation) and self.left.sums and not self.sums)
        right = self._side(self.right, self._needs_brackets(self.right))
        return f"{left} {SIGNS[self.sign]} {right}"

    @property
    def sums(self) -> bool:
        """True for a sum or a difference."""
        return self.sign in "+-"

    def _needs_brackets(self, right: Formula) -> bool:
        return isinstance(right, Operation) and (self.sign == "/" or (right.sums and self.sign != "+"))

    def _side(self, side: Formula, bracketed: bool) -> str:
        return f"({side})" if bracketed else str(side)


@dataclass(frozen=True)
class Largest(Formula):
    """The largest of some formulas' absolute values."""

    of: tuple[Formula, ...]

    @property
    def value(self) -> Decimal:
        """The largest."""
        return max(abs(one.value) for one in self.of)

    @property
    def range(self) -> Range:
        """The largest of the lower and of the upper ends."""
        ranges = [_absolute(one.range) for one in self.of]
        return Range(max(one.low for one in ranges), max(one.high for one in ranges))

    def leaves(self) -> Iterator["Cell | Text"]:
        """Those of all."""
        for one in self.of:
            yield from one.leaves()

    def __str__(self) -> str:
        return f"max of |{'|, |'.join(map(str, self.of))}|"


def formula(operand: Operand) -> Formula:
    """An operand as a formula."""
    return operand if isinstance(operand, Formula) else Number(Decimal(operand))


def _absolute(of: Range) -> Range:
    least = Decimal(0) if of.low <= 0 <= of.high else min(abs(of.low), abs(of.high))
    return Range(least, max(abs(of.low), abs(of.high)))


def _apply(sign: str, left: Decimal, right: Decimal) -> Decimal:
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            return left / right
