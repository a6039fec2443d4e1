"""Arithmetic on printed numbers: exact in decimals, with the range that the rounding of the printed digits leaves."""

import ast
import operator
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from poseur_lib.errors import UserError
from poseur_study.paper.tables import Printed, paper_tables, printed_cell, table_name, text_number

APPLIED = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
SHOWN = {"+": "+", "-": "−", "*": "×", "/": "/"}
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
REFERENCE = re.compile(r"\{([^}]*)\}")


class Range(NamedTuple):
    """From the least to the largest value that is printed as it is."""

    low: Decimal
    high: Decimal


class Formula:
    """A number computed from the paper's own; see `formula`.

    Attributes:
        range: what the value can be before the printed numbers were rounded.
    """

    value: Decimal
    range: Range

    def leaves(self) -> tuple["Cell | Text", ...]:
        """The printed numbers that it is made of."""
        return ()


@dataclass(frozen=True)
class Number(Formula):
    """A number of arithmetic, no claim of the paper: exact."""

    value: Decimal

    @property
    def range(self) -> Range:
        """Itself."""
        return Range(self.value, self.value)

    def __str__(self) -> str:
        return str(self.value)


class PrintedFormula(Formula):
    """A printed number, with its place: a cell, or a number of the text."""

    printed: Printed

    @property
    def value(self) -> Decimal:
        """The number as printed."""
        return self.printed.digits

    @property
    def range(self) -> Range:
        """Half a digit to both sides."""
        return Range(self.value - self.printed.half_digit, self.value + self.printed.half_digit)

    @property
    def place(self) -> str:
        """The section that prints it; of a cell, its row and column."""
        return self.printed.source

    def leaves(self) -> tuple["Cell | Text", ...]:
        """Itself."""
        return (self,)

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class Cell(PrintedFormula):
    """A cell of a table. Raises UserError if there is no such table, row or column, or the cell has no number."""

    table: str
    row: str
    column: str

    def __post_init__(self) -> None:
        printed_cell(self.table, self.row, self.column)

    @property
    def printed(self) -> Printed:
        """The cell."""
        return printed_cell(self.table, self.row, self.column)

    @property
    def place(self) -> str:
        """`Table 2b, Poseur, 64 × 64, AP`."""
        return f"{table_name(self.table)}, {paper_tables()[self.table].row(self.row).label}, {self.column}"


@dataclass(frozen=True)
class Text(PrintedFormula):
    """A number of the text. Raises UserError if there is none of this key."""

    key: str

    def __post_init__(self) -> None:
        text_number(self.key)

    @property
    def printed(self) -> Printed:
        """The number and its section."""
        return text_number(self.key)


@dataclass(frozen=True)
class Operation(Formula):
    """Two formulas and a sign."""

    sign: Literal["+", "-", "*", "/"]
    left: Formula
    right: Formula

    @property
    def value(self) -> Decimal:
        """The result."""
        return APPLIED[self.sign](self.left.value, self.right.value)

    @property
    def range(self) -> Range:
        """Of all corners, the least and the largest: right for these four signs and positive divisors."""
        corners = [APPLIED[self.sign](a, b) for a in self.left.range for b in self.right.range]
        return Range(min(corners), max(corners))

    def leaves(self) -> tuple["Cell | Text", ...]:
        """Those of both sides."""
        return self.left.leaves() + self.right.leaves()

    def __str__(self) -> str:
        left, right = str(self.left), str(self.right)
        if self.sign in "*/" and isinstance(self.left, Operation) and self.left.sign in "+-":
            left = f"({left})"
        if isinstance(self.right, Operation) and (self.sign == "/" or (self.right.sign in "+-" and self.sign != "+")):
            right = f"({right})"
        return f"{left} {SHOWN[self.sign]} {right}"


def reference(name: str) -> Cell | Text:
    """What `{table/row/column}` or `{key}` stands for: a cell, or a number of the text."""
    return Cell(*name.split("/")) if "/" in name else Text(name)


def formula(text: str) -> Formula:
    """`100 * (1 - {5/poseur_resnet50/GFLOPs} / {5/simba_resnet50/GFLOPs})`: braces hold what `reference` takes.

    Raises:
        UserError: it is something else, or names what the paper does not print.
    """
    code = REFERENCE.sub(lambda match: repr(match[1]), text)
    try:
        return _parsed(ast.parse(code, mode="eval").body, code)
    except SyntaxError:
        raise UserError(f"{text!r} is no formula") from None


def _parsed(node: ast.expr, code: str) -> Formula:
    match node:
        case ast.Constant(value=str(name)):
            return reference(name)
        case ast.Constant(value=int() | float()):
            return Number(Decimal(ast.get_source_segment(code, node)))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in SIGNS:
            return Operation(SIGNS[type(sign)], _parsed(left, code), _parsed(right, code))
    raise UserError(f"{ast.get_source_segment(code, node)!r} is no formula")
