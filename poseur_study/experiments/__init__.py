"""The tables that there are."""

from collections.abc import Sequence

from poseur_lib.errors_folded import unknown_name
from poseur_study.experiments.ablations import TABLE_1A
from poseur_study.experiments.analyses import CALIBRATION
from poseur_study.experiments.beside_rle import TABLE_S5, TABLE_S6
from poseur_study.experiments.comparisons import TABLE_2A
from poseur_study.experiments.experiment import Table
from poseur_study.experiments.figure_1 import FIGURE_1
from poseur_study.experiments.figure_s1 import FIGURE_S1
from poseur_study.experiments.figure_s2 import FIGURE_S2
from poseur_study.experiments.noisy_proposals import NOISY_PROPOSALS
from poseur_study.experiments.supplement import TABLE_S1, TABLE_S2, TABLE_S3, TABLE_S4
from poseur_study.experiments.table_1b import TABLE_1B
from poseur_study.experiments.table_1c import TABLE_1C
from poseur_study.experiments.table_1d import TABLE_1D
from poseur_study.experiments.table_1e import TABLE_1E
from poseur_study.experiments.table_2b import TABLE_2B
from poseur_study.experiments.table_3 import TABLE_3
from poseur_study.experiments.table_4 import TABLE_4
from poseur_study.experiments.table_5 import TABLE_5
from poseur_study.experiments.table_6 import TABLE_6

ABLATIONS = (TABLE_1A, TABLE_1B, TABLE_1C, TABLE_1D, TABLE_1E)
COMPARISONS = (TABLE_2A, TABLE_2B, TABLE_3, TABLE_4, TABLE_5, TABLE_6)
SUPPLEMENT = (TABLE_S1, TABLE_S2, TABLE_S3, TABLE_S4, TABLE_S5, TABLE_S6)
FIGURES = (FIGURE_1, FIGURE_S1, FIGURE_S2, CALIBRATION, NOISY_PROPOSALS)
TABLES = (*ABLATIONS, *COMPARISONS, *SUPPLEMENT, *FIGURES)


def tables(numbers: Sequence[str] = ()) -> tuple[Table, ...]:
    """The tables of these numbers, in the paper's order; all of them if none is given.

    Raises:
        UserError: there is no such table.
    """
    for number in numbers:
        if number not in [table.number for table in TABLES]:
            raise unknown_name("table", number, [table.number for table in TABLES])
    return tuple(table for table in TABLES if not numbers or table.number in numbers)
