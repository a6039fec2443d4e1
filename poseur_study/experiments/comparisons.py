"""Table 2a: heatmaps or Poseur, backbone by backbone.

Table 2b: heatmaps or Poseur, from large crops to very small ones.

Table 3: end-to-end detectors, which are not in the study.

Table 4: MPII, of which there is no reader here yet.

Table 5: the comparison with the state of the art on COCO val.

Table 6: COCO test-dev, whose ground truth is not public.

Figure 1: AP over GFLOPs, from rows of Tables 2a and 5.
"""

from poseur_study.experiments.claims import better_at_same_backbone, doubts, greater, printed_effect, stated
from poseur_study.experiments.experiment import Claim, ClaimKind, Row, Table
from poseur_study.experiments.method_rows import (
    HRFORMER_WEIGHTS,
    METHOD_KNOBS,
    METHODS_ALIGNED,
    OWN_RECIPES,
    method_row,
    short_label,
)
from poseur_study.paper.compare import COMPARABLE, same_backbone
from poseur_study.paper.figure_1 import FIGURE_1 as POINTS
from poseur_study.paper.figure_1 import Point
from poseur_study.paper.formula import Cell
from poseur_study.paper.subject import MethodKind
from poseur_study.paper.tables import paper_tables, said

_PAPER_2A = paper_tables()["2a"]

_HRNET = ("poseur_hrnet_w32", "hrnet_w32")

TABLE_2A = Table(
    number="2a",
    title="Heatmap methods, by backbone",
    notebook="table_2a_backbones.ipynb",
    question="Is Poseur better than heatmaps on the same backbone, and by more where the backbone's maps are coarse?",
    factor=_PAPER_2A.words,
    varies=METHOD_KNOBS,
    rows=tuple(method_row("2a", row.key) for row in _PAPER_2A.rows),
    claims=(
        stated(
            "over-simba-mobilenet",
            ClaimKind.MAGNITUDE,
            "poseur_mobilenet",
            "simba_mobilenet",
            said("over_simba_mobile").value,
        ),
        greater("resnet50-over-simba-and-hrnet", "2a", "poseur_resnet50", "simba_resnet50"),
        greater("resnet50-over-simba-and-hrnet", "2a", "poseur_resnet50", "hrnet_w32"),
        greater("better-with-all-backbones", "2a", *_HRNET),
        stated(
            "mobilenet-comparable",
            ClaimKind.EQUIVALENCE,
            "poseur_mobilenet",
            "simba_resnet50",
            printed_effect("2a", "poseur_mobilenet", "simba_resnet50"),
            margin=COMPARABLE,
        ),
        *(
            stated(
                "more-at-low-resolution",
                ClaimKind.DIRECTION,
                f"poseur_{low}",
                f"simba_{low}",
                printed_effect("2a", f"poseur_{low}", f"simba_{low}") - printed_effect("2a", *_HRNET),
                beyond=_HRNET,
            )
            for low in ("mobilenet", "resnet50")
        ),
    ),
    base={},
    base_reason=f"256 × 192 and 5 decoder layers (caption). {METHODS_ALIGNED} So says Sec. 4.4.",
    alternatives=(
        "Poseur with noise and the released score (mean of 1 - σ; box + mean + max), as in the other tables; the paper "
        "names neither here.",
        "SimpleBaseline by its own recipe: Table 5 prints another AP and other GFLOPs for it.",
    ),
    open_questions=doubts("settings-aligned", "layers-of-table-5"),
    columns=("GFLOPs", "AP"),
    deltas=False,
)

_PAPER_2B = paper_tables()["2b"]


def _lost(method: str, size: int) -> float:
    return printed_effect("2b", f"{method}_256", f"{method}_{size}")


TABLE_2B = Table(
    number="2b",
    title="Heatmap methods, by input size",
    notebook="table_2b_input_sizes.ipynb",
    question="Is Poseur better than SimpleBaseline at every crop size, and do heatmaps lose more on small crops?",
    factor=_PAPER_2B.words,
    varies=METHOD_KNOBS[:3],
    rows=tuple(method_row("2b", row.key) for row in _PAPER_2B.rows),
    claims=(
        *(greater("better-at-all-sizes", "2b", f"poseur_{size}", f"simba_{size}") for size in (64, 128, 256)),
        *(
            stated(
                "heatmaps-lose-more",
                ClaimKind.DIRECTION,
                "simba_256",
                f"simba_{size}",
                _lost("simba", size) - _lost("poseur", size),
                beyond=("poseur_256", f"poseur_{size}"),
            )
            for size in (128, 64)
        ),
        stated("gain-at-64", ClaimKind.MAGNITUDE, "poseur_64", "simba_64", said("gain_at_64").value),
    ),
    base={},
    base_reason=f"ResNet-50 and 3 decoder layers (caption). {METHODS_ALIGNED}",
    alternatives=(
        "Boxes are made to the crop's shape before they are enlarged: at 64 × 64 and 128 × 128 a square crop holds "
        "more background than at 256 × 192, in both methods' rows alike.",
        "Heatmaps at a quarter of the crop with a Gaussian of 2 cells, whatever the size.",
    ),
    open_questions=(
        *doubts("gain-at-64"),
        "How much of a pair's difference is the codec's: a heatmap method cannot pass its ceiling, which is displayed "
        "beside each row. Crops of the small profiles have a quarter of the paper's sides, so that their two smaller "
        "sizes leave whole cells next to nothing: there the pairs compare codecs, not networks.",
    ),
    columns=("Params", "GFLOPs", "AP"),
    deltas=False,
)

NO_DETECTORS = "end-to-end detectors (Mask R-CNN, PointSet Anchor, PRTR without crops) are not in the study"

_PAPER_3 = paper_tables()["3"]

TABLE_3 = Table(
    number="3",
    title="End-to-end methods",
    notebook="table_3_end_to_end.ipynb",
    question="Is Mask R-CNN with Poseur as its keypoint head better than the other end-to-end methods?",
    factor=_PAPER_3.words,
    varies=(),
    rows=tuple(
        Row(
            key=row.key,
            label=short_label(row.subject),
            ticks=tuple(row.words.values()),
            paper=("3", row.key),
            method=row.subject.method,
            not_run=NO_DETECTORS,
        )
        for row in _PAPER_3.rows
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

NO_MPII = "there is no reader of MPII and no PCKh here yet"

_PAPER_4 = paper_tables()["4"]

TABLE_4 = Table(
    number="4",
    title="MPII",
    notebook="table_4_mpii.ipynb",
    question="Is Poseur better than heatmap-based and other regression methods on MPII?",
    factor=_PAPER_4.words,
    varies=METHOD_KNOBS,
    rows=tuple(method_row("4", row.key, not_run=NO_MPII) for row in _PAPER_4.rows),
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

_PAPER_5 = paper_tables()["5"]

TABLE_5 = Table(
    number="5",
    title="State of the art, COCO val",
    notebook="table_5_coco_val.ipynb",
    question="Is Poseur better than every heatmap-based and regression-based method at the same backbone?",
    factor=_PAPER_5.words,
    varies=METHOD_KNOBS,
    rows=tuple(method_row("5", row.key) for row in _PAPER_5.rows),
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

NO_TEST_DEV = "COCO test-dev has no public ground truth: only its evaluation server can score results"

_PAPER_6 = paper_tables()["6"]

TABLE_6 = Table(
    number="6",
    title="State of the art, COCO test-dev",
    notebook="table_6_coco_test_dev.ipynb",
    question="Is Poseur better than the other top-down methods on COCO test-dev?",
    factor=_PAPER_6.words,
    varies=METHOD_KNOBS,
    rows=tuple(method_row("6", row.key, not_run=NO_TEST_DEV) for row in _PAPER_6.rows),
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

_HRNET_POINTS = (Point("2a", "poseur_hrnet_w32"), Point("2a", "hrnet_w32"))


def _key(of: Point | Cell) -> str:
    return f"{of.table}/{of.row}"


def _row(point: Point) -> Row:
    subject = paper_tables()[point.table].row(point.row).subject
    ticks = (subject.method, subject.backbone, subject.input)
    return Row(**{**vars(method_row(*point)), "key": _key(point), "ticks": ticks})


def _better() -> tuple[Claim, ...]:
    """Poseur above heatmaps, wherever the figure has both at one backbone and size."""
    pairs = same_backbone(("2a", "5"), [MethodKind.HEATMAP]).pairs
    points = {_key(point) for point in POINTS}
    return tuple(
        stated("better-with-all-backbones", ClaimKind.DIRECTION, _key(a), _key(b), float((a - b).value))
        for a, b in pairs
        if {_key(a), _key(b)} <= points
    )


def _more(low: str) -> Claim:
    ours, theirs = Point("2a", f"poseur_{low}"), Point("2a", f"simba_{low}")
    effect = (ours.ap - theirs.ap) - (_HRNET_POINTS[0].ap - _HRNET_POINTS[1].ap)
    beyond = (_key(_HRNET_POINTS[0]), _key(_HRNET_POINTS[1]))
    pair = (_key(ours), _key(theirs))
    return stated("more-at-low-resolution", ClaimKind.DIRECTION, *pair, float(effect.value), beyond=beyond)


FIGURE_1 = Table(
    number="figure_1",
    title="AP over GFLOPs",
    notebook="figure_1_ap_over_gflops.ipynb",
    question="Does Poseur lie above heatmap methods at every cost, and by more where the backbone's maps are coarse?",
    factor=("Method", "Backbone", "Input size"),
    varies=METHOD_KNOBS,
    rows=tuple(_row(point) for point in POINTS),
    claims=(*_better(), _more("mobilenet"), _more("resnet50")),
    base={},
    base_reason=(
        "The rows of Tables 2a (5 decoder layers) and 5 (6, or 3 with HRFormer-T and -S), and their runs: the figure "
        f"prints no numbers of its own. {METHODS_ALIGNED}"
    ),
    alternatives=(
        "The caption names no rows. Heatmap methods with MobileNet-V2 and ResNet-50 are Table 2a's, whose "
        "deconvolutions the caption describes; Table 5 prints another AP for ResNet-50.",
    ),
    open_questions=(HRFORMER_WEIGHTS,),
    columns=("GFLOPs", "AP"),
    deltas=False,
    scatter=True,
)
