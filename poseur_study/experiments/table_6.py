"""Table 6: COCO test-dev, whose ground truth is not public."""

from poseur_study.experiments.claims import better_at_same_backbone, doubts, stated
from poseur_study.experiments.experiment import ClaimKind, Table
from poseur_study.experiments.method_rows import (
    HRFORMER_WEIGHTS,
    METHOD_KNOBS,
    METHODS_ALIGNED,
    OWN_RECIPES,
    method_row,
)
from poseur_study.paper.tables import paper_tables
from poseur_study.paper.text import said

NOT_RUN = "COCO test-dev has no public ground truth: only its evaluation server can score results"
_PAPER = paper_tables()["6"]

TABLE_6 = Table(
    number="6",
    title="State of the art, COCO test-dev",
    notebook="table_6_coco_test_dev.ipynb",
    question="Is Poseur better than the other top-down methods on COCO test-dev?",
    factor=_PAPER.words,
    varies=METHOD_KNOBS,
    rows=tuple(method_row("6", row.key, not_run=NOT_RUN) for row in _PAPER.rows),
    claims=(
        stated(
            "over-udp-testdev",
            ClaimKind.MAGNITUDE,
            "poseur_hrnet_w48",
            "udp_hrnet_w48",
            said("over_udp_testdev").value,
        ),
        *better_at_same_backbone("better-at-same-backbone", "6"),
    ),
    base={},
    base_reason=f"384 × 288 and 6 decoder layers (caption). {METHODS_ALIGNED}",
    alternatives=("The dagger of three rows is not explained; Table 3's stands for flip and multi-scale testing.",),
    open_questions=(
        OWN_RECIPES,
        HRFORMER_WEIGHTS,
        *doubts("over-udp-testdev"),
        "Our copy of the table has lost one column: its four number columns are AP, AP50, AP75 and AP_M.",
    ),
    columns=("AP", "AP50", "AP75", "AP_M", "AP_L"),
    deltas=False,
)
