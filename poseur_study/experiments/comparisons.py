"""The paper's comparisons of methods, and Figure 1, which draws two of them.

Table 2a: heatmaps or Poseur, backbone by backbone. Table 2b: from large crops to very small ones. Table 3: end to
end, on whole images. Table 4: MPII. Table 5: the state of the art on COCO val. Table 6: COCO test-dev, whose ground
truth is not public. Figure 1: AP over GFLOPs, from rows of Tables 2a and 5.
"""

from dataclasses import replace

from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.keypoints import MPII_16
from poseur_study.experiments.claim_tests import (
    COMPARABLE,
    better_at_same_backbone,
    direction,
    equivalence,
    magnitude,
    printed_direction,
    printed_effect,
    questions_of_claims,
)
from poseur_study.experiments.end_to_end import NOT_BUILT, VARIES
from poseur_study.experiments.experiment import PCKH, ClaimTest, Row, Table
from poseur_study.experiments.paper_rows import (
    HRFORMER_WEIGHTS,
    METHOD_KNOBS,
    METHODS_ALIGNED,
    OWN_RECIPES,
    comparison,
    method_row,
)
from poseur_study.paper.formula import Cell
from poseur_study.paper.method_pairs import same_backbone_pairs
from poseur_study.paper.subject import MethodKind
from poseur_study.paper.tables import paper_tables

Pair = tuple[str, str]

MPII_SIZE = "256 × 256"
NO_TEST_DEV = "COCO test-dev has no public ground truth: only its evaluation server can score results"

_HRNET_PAIR = ("poseur_hrnet_w32", "hrnet_w32")
_LOW_RESOLUTION_PAIRS = tuple((f"poseur_{low}", f"simba_{low}") for low in ("mobilenet", "resnet50"))
"""Poseur and heatmaps in Table 2a, with the backbone of high resolution and with those of low."""


def _effect_beyond(table: str, pair: Pair, other: Pair) -> float:
    return printed_effect(table, *pair) - printed_effect(table, *other)


TABLE_2A = comparison(
    "2a",
    title="Heatmap methods, by backbone",
    notebook="table_2a_backbones.ipynb",
    question="Is Poseur better than heatmaps on the same backbone, and by more where the backbone's maps are coarse?",
    claims=(
        magnitude("over-simba-mobilenet", "poseur_mobilenet", "simba_mobilenet", "over_simba_mobile"),
        printed_direction("resnet50-over-simba-and-hrnet", "2a", "poseur_resnet50", "simba_resnet50"),
        printed_direction("resnet50-over-simba-and-hrnet", "2a", "poseur_resnet50", "hrnet_w32"),
        printed_direction("better-with-all-backbones", "2a", *_HRNET_PAIR),
        equivalence(
            "mobilenet-comparable",
            "poseur_mobilenet",
            "simba_resnet50",
            printed_effect("2a", "poseur_mobilenet", "simba_resnet50"),
            margin=COMPARABLE,
            better_side=1,
        ),
        *(
            direction("more-at-low-resolution", *pair, _effect_beyond("2a", pair, _HRNET_PAIR), beyond=_HRNET_PAIR)
            for pair in _LOW_RESOLUTION_PAIRS
        ),
    ),
    base_reason=f"256 × 192 and 5 decoder layers (caption). {METHODS_ALIGNED} So says Sec. 4.4.",
    alternatives=(
        "Poseur with noise and the released score (mean of 1 - σ; box + mean + max), as in the other tables; the paper "
        "names neither here.",
        "SimpleBaseline by its own recipe: Table 5 prints another AP and other GFLOPs for it.",
    ),
    open_questions=questions_of_claims("settings-aligned", "layers-of-table-5"),
    columns=("GFLOPs", "AP"),
)

TABLE_2B = comparison(
    "2b",
    title="Heatmap methods, by input size",
    notebook="table_2b_input_sizes.ipynb",
    question="Is Poseur better than SimpleBaseline at every crop size, and do heatmaps lose more on small crops?",
    varies=METHOD_KNOBS[:3],
    claims=(
        *(printed_direction("better-at-all-sizes", "2b", f"poseur_{size}", f"simba_{size}") for size in (64, 128, 256)),
        *(
            direction(
                "heatmaps-lose-more",
                *lost["simba"],
                _effect_beyond("2b", *lost.values()),
                beyond=lost["poseur"],
                caveat="No method can lose more AP than it has: where both end near 0, who was ahead loses more.",
            )
            for size in (128, 64)
            for lost in [{method: (f"{method}_256", f"{method}_{size}") for method in ("simba", "poseur")}]
        ),
        magnitude("gain-at-64", "poseur_64", "simba_64"),
    ),
    base_reason=f"ResNet-50 and 3 decoder layers (caption). {METHODS_ALIGNED}",
    alternatives=(
        "Boxes are made to the crop's shape before they are enlarged: at 64 × 64 and 128 × 128 a square crop holds "
        "more background than at 256 × 192, in both methods' rows alike.",
        "Heatmaps at a quarter of the crop with a Gaussian of 2 cells, whatever the size.",
    ),
    open_questions=(
        *questions_of_claims("gain-at-64"),
        "How much of a pair's difference is the codec's: a heatmap method that learns its targets exactly has its "
        "quantisation bound, which is displayed beside each row. Crops of the small profiles have a quarter of the "
        "paper's sides, so that their two smaller sizes leave whole cells next to nothing: there the pairs compare "
        "codecs, not networks.",
    ),
    columns=("Params", "GFLOPs", "AP"),
)

TABLE_3 = comparison(
    "3",
    title="End-to-end methods",
    notebook="table_3_end_to_end.ipynb",
    question="Is Mask R-CNN with Poseur as its keypoint head better than the other end-to-end methods?",
    varies=VARIES,
    not_run=NOT_BUILT,
    claims=(
        magnitude("over-mask-rcnn", "poseur_resnet101", "mask_rcnn_resnet101"),
        magnitude("over-pointset", "poseur_hrnet_w48_scales", "pointset_hrnet_w48"),
        *better_at_same_backbone("better-at-same-backbone", "3"),
    ),
    base_reason=(
        "Sec. 4.3: 180,000 iterations at batch 32, scale jittering with random crops, and else Detectron2's keypoint "
        "baseline. Size, rate and steps at that length are not stated; here 1024 x 1024 pixels, 0.04, and 140,000 and "
        "167,000, by linear scaling of 0.02 and of 210,000 and 250,000 of 270,000 at batch 16. Detectron2 scores "
        "people by their boxes; RLE and Poseur by Eq. 5."
    ),
    alternatives=(
        "EMSDA on the backbone's maps before the pyramid (“multi-scale backbone feature maps”): Detectron2 counts the "
        "pyramid to the backbone.",
        "600 queries with the noisy groups among them: then 8 people an image instead of 35.",
        "Sigma, noise and the decoder's loss in units of the image: here in units of the box, as on crops.",
        "Keypoints outside a proposal without target, as on crops: here they are targets of RLE and Poseur.",
        "Anchors of the pooled level 64 pixels apart, as in Detectron2: here torchvision's, the canvas by its cells, "
        "which is less where the level below has an odd number of cells.",
        "The proposals' boxes by plain L1, as in Detectron2: here torchvision's smooth L1, straight from 1/9 on.",
    ),
    open_questions=(
        *questions_of_claims("over-mask-rcnn"),
        "Flip and multi-scale testing (†) have settings nowhere: here short sides 600, 800 and 1000.",
        f"Without multi-scale testing Poseur with HRNet-W48 has {Cell('3', 'poseur_hrnet_w48', 'AP')} AP; the row "
        "of PointSet Anchor is one with it.",
    ),
    columns=("AP", "AP50", "AP75"),
    least=("mask_rcnn_resnet101", 20.0),
)

TABLE_4 = comparison(
    "4",
    title="MPII",
    notebook="table_4_mpii.ipynb",
    question="Is Poseur better than heatmap-based and other regression methods on MPII?",
    size=MPII_SIZE,
    base={"data.keypoint_set": MPII_16.name},
    boxes=BoxSource.GROUND_TRUTH,
    claims=(magnitude("over-hrnet-mpii", "poseur_hrnet_w32", "hrnet_w32", metric=PCKH, caveat=OWN_RECIPES),),
    base_reason=(
        "MPII's 16 joints, crops of 256 × 256 by its centre and scale as HRNet's code makes them, 3 decoder layers as "
        f"the default of Sec. 4.1. {METHODS_ALIGNED} PCKh@0.5 is the mean over all labelled joints of all people, but "
        "pelvis and thorax: a kind of joint weighs by how often it is labelled (HRNet's code)."
    ),
    alternatives=(
        "The paper states neither the crop (256 × 256 is usual on MPII) nor the number of decoder layers. The released "
        "configuration for MPII, of ResNet-50, has 6.",
    ),
    open_questions=(
        OWN_RECIPES,
        "Which mean the printed numbers are, over all joints or over kinds of joints: the table does not say, and they "
        "differ by as much as the claim.",
    ),
    columns=(PCKH,),
)

TABLE_5 = comparison(
    "5",
    title="State of the art, COCO val",
    notebook="table_5_coco_val.ipynb",
    question="Is Poseur better than every heatmap-based and regression-based method at the same backbone?",
    claims=(
        magnitude("over-simba", "poseur_resnet50", "simba_resnet50", caveat=OWN_RECIPES),
        magnitude("over-rle", "poseur_resnet50", "rle_resnet50", caveat=OWN_RECIPES),
        magnitude("over-udp-val", "poseur_hrformer_b", "udp_hrnet_w48_384", caveat=OWN_RECIPES),
        *better_at_same_backbone("better-at-same-backbone", "5"),
    ),
    base_reason=f"6 decoder layers, 3 with HRFormer-T and -S (caption). {METHODS_ALIGNED}",
    alternatives=("Table 2a has 5 layers for three of the rows, and prints the same AP.",),
    open_questions=(OWN_RECIPES, HRFORMER_WEIGHTS, *questions_of_claims("layers-of-table-5", "over-simba")),
    columns=("GFLOPs", "AP", "AP50", "AP75", "AP_M", "AP_L"),
)

TABLE_6 = comparison(
    "6",
    title="State of the art, COCO test-dev",
    notebook="table_6_coco_test_dev.ipynb",
    question="Is Poseur better than the other top-down methods on COCO test-dev?",
    not_run=NO_TEST_DEV,
    claims=(
        magnitude("over-udp-testdev", "poseur_hrnet_w48", "udp_hrnet_w48"),
        *better_at_same_backbone("better-at-same-backbone", "6"),
    ),
    base_reason=f"384 × 288 and 6 decoder layers (caption). {METHODS_ALIGNED}",
    alternatives=("The dagger of three rows is not explained; Table 3's stands for flip and multi-scale testing.",),
    open_questions=(
        OWN_RECIPES,
        HRFORMER_WEIGHTS,
        *questions_of_claims("over-udp-testdev"),
        "Our copy of the table has lost one column: its four number columns are AP, AP50, AP75 and AP_M.",
    ),
    columns=("AP", "AP50", "AP75", "AP_M", "AP_L"),
)

POINTS = (
    *(("2a", row) for row in ("simba_mobilenet", "simba_resnet50", "hrnet_w32")),
    *(("2a", f"poseur_{row}") for row in ("mobilenet", "resnet50", "hrnet_w32")),
    *(("5", row) for row in ("simba_resnet152", "hrnet_w48_384")),
    *(("5", f"hrformer_{row}") for row in ("t", "s", "b", "b_384")),
    *(("5", f"poseur_{row}") for row in ("resnet152", "hrnet_w48_384")),
    *(("5", f"poseur_hrformer_{row}") for row in ("t", "s", "b", "b_384")),
)
"""Figure 1's points, by table and row. The caption names no rows: these are all of the tables with AP and GFLOPs, one
for a method at a backbone and size. Table 2a comes first, because its deconvolutional baselines with MobileNet-V2 and
ResNet are those that the caption names."""


def _point(table: str, row: str) -> Row:
    subject = paper_tables()[table].row(row).subject
    ticks = (subject.method, subject.backbone, subject.input)
    return replace(method_row(table, row), key=f"{table}/{row}", ticks=ticks)


def _of_2a(pair: Pair) -> Pair:
    return (f"2a/{pair[0]}", f"2a/{pair[1]}")


def _better_than_heatmaps() -> tuple[ClaimTest, ...]:
    """Poseur above heatmaps, wherever the figure has both at one backbone and size."""
    return tuple(
        direction(
            "better-with-all-backbones",
            f"{ours.table}/{ours.row}",
            f"{other.table}/{other.row}",
            printed_effect(ours.table, ours.row, other.row),
        )
        for ours, other in same_backbone_pairs(("2a", "5"), [MethodKind.HEATMAP])
        if {(ours.table, ours.row), (other.table, other.row)} <= set(POINTS)
    )


FIGURE_1 = Table(
    number="figure_1",
    title="AP over GFLOPs",
    notebook="figure_1_ap_over_gflops.ipynb",
    question="Does Poseur lie above heatmap methods at every cost, and by more where the backbone's maps are coarse?",
    factor=("Method", "Backbone", "Input size"),
    varies=METHOD_KNOBS,
    rows=tuple(_point(table, row) for table, row in POINTS),
    claims=(
        *_better_than_heatmaps(),
        *(
            direction(
                "more-at-low-resolution",
                *_of_2a(pair),
                _effect_beyond("2a", pair, _HRNET_PAIR),
                beyond=_of_2a(_HRNET_PAIR),
            )
            for pair in _LOW_RESOLUTION_PAIRS
        ),
    ),
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
)
