"""Table 1d: which feature levels does the decoder need?"""

from poseur_study.experiments.claims import greater
from poseur_study.experiments.experiment import Row, Table
from poseur_study.experiments.table_1b import TABLE_1B
from poseur_study.paper.tables import paper_tables

_PAPER = paper_tables()["1d"]


def _row(number: int) -> Row:
    paper = _PAPER.rows[number - 1]
    levels = [level.lower() for level, tick in paper.words.items() if tick]
    return Row(
        key=paper.key,
        label=" + ".join(levels),
        ticks=tuple(paper.words.values()),
        changes={"model.head.feature_levels": levels},
        paper=("1d", paper.key),
    )


TABLE_1D = Table(
    number="1d",
    title="Feature levels",
    notebook="table_1d_feature_levels.ipynb",
    question="Does the AP grow with every feature level that the decoder may attend to?",
    factor=_PAPER.words,
    varies=("model.head.feature_levels",),
    rows=tuple(_row(number) for number in (1, 2, 3, 4)),
    claims=tuple(greater("levels-values", "1d", f"levels_{n}", f"levels_{n - 1}") for n in (2, 3, 4)),
    base={**TABLE_1B.base, **TABLE_1B.row("with").changes},
    base_reason=(
        "The default model of Sec. 4.1 with 3 decoder layers, noise included: its row with all four levels has the AP "
        "and the GFLOPs of Table 1e's row with 3 layers, and is the same run here."
    ),
    alternatives=("Without noise: the text does not say. Table 1b's rows are both below this table's last one.",),
    open_questions=(
        "The coarse stage pools the neck's coarsest map (released code), which every row has: only what the decoder "
        "sees changes.",
    ),
    columns=("Params", "GFLOPs", "AP", "AR"),
)
