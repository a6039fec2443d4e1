"""Table 4: MPII, of which there is no reader here yet."""

from poseur_study.experiments.claims import stated
from poseur_study.experiments.experiment import ClaimKind, Table
from poseur_study.experiments.method_rows import METHOD_KNOBS, METHODS_ALIGNED, OWN_RECIPES, method_row
from poseur_study.paper.tables import paper_tables
from poseur_study.paper.text import said

NOT_RUN = "there is no reader of MPII and no PCKh here yet"
_PAPER = paper_tables()["4"]

TABLE_4 = Table(
    number="4",
    title="MPII",
    notebook="table_4_mpii.ipynb",
    question="Is Poseur better than heatmap-based and other regression methods on MPII?",
    factor=_PAPER.words,
    varies=METHOD_KNOBS,
    rows=tuple(method_row("4", row.key, not_run=NOT_RUN) for row in _PAPER.rows),
    claims=(
        stated(
            "over-hrnet-mpii",
            ClaimKind.MAGNITUDE,
            "poseur_hrnet_w32",
            "hrnet_w32",
            said("over_hrnet_mpii").value,
            metric="Mean",
        ),
    ),
    base={},
    base_reason=f"3 decoder layers, as the default of Sec. 4.1. {METHODS_ALIGNED}",
    alternatives=("The paper states neither the crop (256 × 256 is usual on MPII) nor the number of decoder layers.",),
    open_questions=(OWN_RECIPES, "With MPII's 16 keypoints and PCKh the rows can run as they are declared."),
    columns=("Mean",),
    deltas=False,
)
