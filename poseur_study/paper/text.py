"""The numbers that the paper prints outside its tables, read from `text.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import MappingProxyType

from poseur_lib.errors import UserError
from poseur_study.paper.printed import Printed

FILE = Path(__file__).with_name("text.toml")


@dataclass(frozen=True)
class Said(Printed):
    """A number of the text; `source` is its section.

    Attributes:
        words: a few words of the place, to find it by.
        in_words: how the number is written if not in digits.
    """

    unit: str
    words: str
    in_words: str | None = None

    @property
    def text(self) -> str:
        """The number as printed."""
        return self.in_words or str(self.digits)

    @property
    def with_unit(self) -> str:
        """`4.7 AP`; a number in words has none."""
        return self.in_words or f"{self.digits} {self.unit}"


@cache
def said_numbers() -> Mapping[str, Said]:
    """Every number of the text by its key, in the order of the text.

    Raises:
        UserError: an entry lacks a value, unit, place or words, or has something else.
    """
    found = {}
    for key, entry in tomllib.loads(FILE.read_text(), parse_float=Decimal).items():
        try:
            values = dict(entry)
            value, place = values.pop("value"), values.pop("place")
            found[key] = Said(digits=Decimal(value), source=place, **values)
        except (KeyError, TypeError) as error:
            raise UserError(f"{FILE.name}: {key}: {error}") from None
    return MappingProxyType(found)


def said(key: str) -> Said:
    """A number of the text.

    Raises:
        UserError: there is none of this key.
    """
    known = said_numbers()
    if key not in known:
        raise UserError(f"the paper's text has no number {key!r}; known: {', '.join(known)}")
    return known[key]
