"""Table 5: the comparison with the state of the art on COCO val."""

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

_PAPER = paper_tables()["5"]

TABLE_5 = Table(
    number="5",
    title="State of the art, COCO val",
    notebook="table_5_coco_val.ipynb",
    question="Is Poseur better than every heatmap-based and regression-based method at the same backbone?",
    factor=_PAPER.words,
    varies=METHOD_KNOBS,
    rows=tuple(method_row("5", row.key) for row in _PAPER.rows),
    claims=(
        stated("over-simba", ClaimKind.MAGNITUDE, "poseur_resnet50", "simba_resnet50", said("over_simba").value),
        stated("over-rle", ClaimKind.MAGNITUDE, "poseur_resnet50", "rle_resnet50", said("over_rle").value),
        stated(
            "over-udp-val",
            ClaimKind.MAGNITUDE,
            "poseur_hrformer_b",
            "udp_hrnet_w48_384",
            said("over_udp_val").value,
        ),
        *better_at_same_backbone("better-at-same-backbone", "5"),
    ),
    base={},
    base_reason=f"6 decoder layers, 3 with HRFormer-T and -S (caption). {METHODS_ALIGNED}",
    alternatives=(
        "Table 2a has 5 layers for three of the rows, and prints the same AP.",
        "Photometric distortion, cutout and a batch of 128 as Sec. 4.1 has them: distortion and cutout for Poseur with "
        "HRNet-W48 and HRFormer-B, the batch for every row with HRFormer-B.",
    ),
    open_questions=(OWN_RECIPES, HRFORMER_WEIGHTS, *doubts("layers-of-table-5", "over-simba")),
    columns=("GFLOPs", "AP", "AP50", "AP75", "AP_M", "AP_L"),
    deltas=False,
)
