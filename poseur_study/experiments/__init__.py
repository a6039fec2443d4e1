"""The tables that there are."""

from collections.abc import Sequence

from poseur_lib.errors import UserError, unknown_name
from poseur_study.experiments.ablations import TABLE_1A, TABLE_1B, TABLE_1C, TABLE_1D, TABLE_1E
from poseur_study.experiments.analyses import CALIBRATION, FIGURE_S1, FIGURE_S2, NOISY_PROPOSALS, SCORING
from poseur_study.experiments.budget import BUDGET
from poseur_study.experiments.comparisons import FIGURE_1, TABLE_2A, TABLE_2B, TABLE_3, TABLE_4, TABLE_5, TABLE_6
from poseur_study.experiments.experiment import Table
from poseur_study.experiments.supplement import TABLE_S1, TABLE_S2, TABLE_S3, TABLE_S4, TABLE_S5, TABLE_S6

ABLATIONS = (TABLE_1A, TABLE_1B, TABLE_1C, TABLE_1D, TABLE_1E)
COMPARISONS = (TABLE_2A, TABLE_2B, TABLE_3, TABLE_4, TABLE_5, TABLE_6)
SUPPLEMENT = (TABLE_S1, TABLE_S2, TABLE_S3, TABLE_S4, TABLE_S5, TABLE_S6)
FIGURES = (FIGURE_1, FIGURE_S1, FIGURE_S2, CALIBRATION, SCORING, NOISY_PROPOSALS)
TABLES = (*ABLATIONS, *COMPARISONS, *SUPPLEMENT, *FIGURES)
STUDIES = (*TABLES, BUDGET)
"""The budget study is run when it is named: it has forty runs a seed, and no claim of its own."""


def tables(numbers: Sequence[str] = ()) -> tuple[Table, ...]:
    """The tables of these numbers, in the paper's order; if none is given all but the budget study.

    Raises:
        UserError: there is no such table.
    """
    for number in numbers:
        if not isinstance(number, str):
            raise UserError(f"table {number!r}: give its number as a string, such as '1b'")
        if number not in [table.number for table in STUDIES]:
            raise unknown_name("table", number, [table.number for table in STUDIES])
    return tuple(table for table in STUDIES if table.number in numbers) if numbers else TABLES
