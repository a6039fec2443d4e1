"""A number as it is printed, with the place where it is printed."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True)
class Printed:
    """A number that the paper prints, and where.

    Attributes:
        digits: the number with the digits that are printed: 75.0 is not 75.
    """

    digits: Decimal
    source: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.digits)

    @property
    def text(self) -> str:
        """The number as printed."""
        return str(self.digits)

    @property
    def half_digit(self) -> Decimal:
        """Half a unit of the last printed digit: what rounding can have moved it by."""
        return Decimal(1).scaleb(self.digits.as_tuple().exponent) / 2


class Missing(StrEnum):
    """Why a cell has no number."""

    NOT_PRINTED = "-"  # the paper prints a dash
    LOST = "lost"  # the paper has the column, our copy of it has lost it
