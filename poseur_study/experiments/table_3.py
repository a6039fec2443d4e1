"""Table 3: end-to-end detectors, which are not in the study."""

from poseur_study.experiments.claims import doubts, stated
from poseur_study.experiments.experiment import ClaimKind, Row, Table
from poseur_study.experiments.method_rows import short_label
from poseur_study.paper.formula import Cell
from poseur_study.paper.tables import paper_tables
from poseur_study.paper.text import said

NOT_RUN = "end-to-end detectors (Mask R-CNN, PointSet Anchor, PRTR without crops) are not in the study"
_PAPER = paper_tables()["3"]

TABLE_3 = Table(
    number="3",
    title="End-to-end methods",
    notebook="table_3_end_to_end.ipynb",
    question="Is Mask R-CNN with Poseur as its keypoint head better than the other end-to-end methods?",
    factor=_PAPER.words,
    varies=(),
    rows=tuple(
        Row(
            key=row.key,
            label=short_label(row.subject),
            ticks=tuple(row.words.values()),
            paper=("3", row.key),
            method=row.subject.method,
            not_run=NOT_RUN,
        )
        for row in _PAPER.rows
    ),
    claims=(
        stated(
            "over-mask-rcnn",
            ClaimKind.MAGNITUDE,
            "poseur_resnet101",
            "mask_rcnn_resnet101",
            said("over_mask_rcnn").value,
        ),
        stated(
            "over-pointset",
            ClaimKind.MAGNITUDE,
            "poseur_hrnet_w48_scales",
            "pointset_hrnet_w48",
            said("over_pointset").value,
        ),
    ),
    base={},
    base_reason="None: no row is run. The table stands here so that its numbers and claims are in the ledger.",
    alternatives=(),
    open_questions=(
        *doubts("over-mask-rcnn"),
        f"Without multi-scale testing Poseur with HRNet-W48 has {Cell('3', 'poseur_hrnet_w48', 'AP')} AP; the row "
        "of PointSet Anchor is one with it.",
    ),
    columns=("AP", "AP50", "AP75"),
    deltas=False,
)
