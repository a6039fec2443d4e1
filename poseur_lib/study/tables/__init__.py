"""The tables that there are."""

from collections.abc import Sequence

from poseur_lib.cli.errors import unknown_name
from poseur_lib.study.declaration import Table
from poseur_lib.study.tables.table_1b import TABLE_1B
from poseur_lib.study.tables.table_1c import TABLE_1C

TABLES = (TABLE_1B, TABLE_1C)


def tables(numbers: Sequence[str] = ()) -> tuple[Table, ...]:
    """The tables of these numbers, in the paper's order; all of them if none is given.

    Raises:
        UserError: there is no such table.
    """
    for number in numbers:
        if number not in [table.number for table in TABLES]:
            raise unknown_name("table", number, [table.number for table in TABLES])
    return tuple(table for table in TABLES if not numbers or table.number in numbers)
