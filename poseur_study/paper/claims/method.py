"""Claims of the introduction, the related work and the method (Sec. 1 to 3)."""

from poseur_study.paper.checks import Above, All, Equals, Unchecked
from poseur_study.paper.claim import Claim, Kind
from poseur_study.paper.compare import above_heatmaps, same_backbone
from poseur_study.paper.formula import Cell, Text
from poseur_study.paper.subject import MethodKind

_R50 = Cell("5", "poseur_resnet50", "AP")
_SIMBA = Cell("5", "simba_resnet50", "AP")
_DECODER = Cell("S4", "emsda", "GFLOPs (Dec.)")

INTRODUCTION = (
    Claim(
        "best-regression",
        "Abstract; Sec. 5",
        "Poseur is significantly better than every earlier regression method.",
        Kind.EFFECT,
        same_backbone(("3", "4", "5", "6"), [MethodKind.REGRESSION]),
        "Methods with the same backbone and input size. No run was repeated: whether it is significant cannot be told.",
    ),
    Claim(
        "favourable-to-heatmaps",
        "Abstract; Sec. 5",
        "Poseur compares favourably with the best heatmap-based methods, on val and on test-dev.",
        Kind.EFFECT,
        Above(above_heatmaps("5", "poseur_hrformer_b_384") + above_heatmaps("6", "poseur_hrformer_b")),
    ),
    Claim(
        "first-of-its-kind",
        "Abstract",
        "No regression-based method has done so before.",
        Kind.QUALITATIVE,
        Unchecked("a claim of priority: the tables hold a few earlier regression methods only"),
    ),
    Claim(
        "better-with-all-backbones",
        "Sec. 1; Fig. 1",
        "Poseur is better than heatmap-based methods with a variety of backbones.",
        Kind.EFFECT,
        same_backbone(("2a", "5"), [MethodKind.HEATMAP]),
    ),
    Claim(
        "more-at-low-resolution",
        "Sec. 1; Fig. 1",
        "The gain is larger with backbones of low resolution (MobileNet-V2, ResNet) than with HRNet.",
        Kind.EFFECT,
        Above(
            tuple(
                (
                    Cell("2a", f"poseur_{low}", "AP") - Cell("2a", f"simba_{low}", "AP"),
                    Cell("2a", "poseur_hrnet_w32", "AP") - Cell("2a", "hrnet_w32", "AP"),
                )
                for low in ("mobilenet", "resnet50")
            )
        ),
    ),
    Claim(
        "fewer-flops",
        "Sec. 1, first contribution",
        "With ResNet-50 Poseur needs {fewer_flops} % fewer FLOPs than SimpleBaseline.",
        Kind.COST,
        Equals(
            "fewer_flops",
            100 * (1 - Cell("5", "poseur_resnet50", "GFLOPs") / Cell("5", "simba_resnet50", "GFLOPs")),
        ),
        "The rows are those whose AP differ by the {over_simba} of the same sentence. Table 1e has "
        "{1e/layers_6/GFLOPs} for the same model, and would give 49 %; Table 2a's pair, "
        "{2a/poseur_resnet50/GFLOPs} and {2a/simba_resnet50/GFLOPs}, would give 45 %.",
    ),
    Claim(
        "over-simba",
        "Sec. 1, first contribution",
        "With ResNet-50 Poseur is {over_simba} AP better than SimpleBaseline on val.",
        Kind.EFFECT,
        Equals("over_simba", _R50 - _SIMBA),
        "SimpleBaseline with ResNet-50 at 256 × 192 has {5/simba_resnet50/AP} here, {2b/simba_256/AP} in Table 2b "
        "and {2a/simba_resnet50/AP} in Table 2a.",
    ),
    Claim(
        "over-rle",
        "Sec. 1, second contribution",
        "With ResNet-50 Poseur is {over_rle} AP better than RLE on val.",
        Kind.EFFECT,
        Equals("over_rle", _R50 - Cell("5", "rle_resnet50", "AP")),
    ),
    Claim(
        "over-udp-testdev",
        "Sec. 1, second contribution",
        "With HRNet-W48 Poseur is {over_udp_testdev} AP better than UDP-Pose on test-dev.",
        Kind.EFFECT,
        Equals("over_udp_testdev", Cell("6", "poseur_hrnet_w48", "AP") - Cell("6", "udp_hrnet_w48", "AP")),
        "On val (Table 5) the same two methods do differ by {over_udp_testdev}.",
    ),
    Claim(
        "over-pointset",
        "Sec. 1, third contribution",
        "End to end with HRNet-W48, Poseur is {over_pointset} AP better than PointSet Anchor on val.",
        Kind.EFFECT,
        Equals("over_pointset", Cell("3", "poseur_hrnet_w48_scales", "AP") - Cell("3", "pointset_hrnet_w48", "AP")),
        "Both with flip and multi-scale testing.",
    ),
    Claim(
        "light-decoder",
        "Sec. 1; Sec. 2",
        "The decoder is light: it costs less than the rest of the network.",
        Kind.COST,
        Above(((Cell("1e", "layers_3", "GFLOPs") - _DECODER, _DECODER),)),
        "What is not the decoder is what remains of Table 1e's row with three layers.",
    ),
    Claim(
        "cheaper-than-prtr",
        "Sec. 2",
        "PRTR is costly; Poseur is not, and reaches a much higher AP.",
        Kind.COST,
        Above(
            tuple(
                pair
                for ours, theirs in (("resnet50", "resnet50_384"), ("hrnet_w32", "hrnet_w32_384"))
                for pair in (
                    (Cell("5", f"prtr_{theirs}", "GFLOPs"), Cell("5", f"poseur_{ours}", "GFLOPs")),
                    (Cell("5", f"poseur_{ours}", "AP"), Cell("5", f"prtr_{theirs}", "AP")),
                )
            )
        ),
        "PRTR's crops are larger: 384 × 288.",
    ),
)

METHOD = (
    Claim(
        "noise-makes-robust",
        "Sec. 3.1, Keypoint encoder",
        "Training with noisy proposals makes the decoder robust to wrong coarse proposals.",
        Kind.QUALITATIVE,
        Unchecked("Table 1b shows a gain in AP; no experiment disturbs the coarse proposals"),
    ),
    Claim(
        "score-gain",
        "Sec. 3.3, Prediction uncertainty estimation",
        "The keypoint score adds {score_gain} AP to the same model, from {without_score} to {with_score}.",
        Kind.EFFECT,
        All(
            (
                Equals("score_gain", Cell("1c", "ours", "AP") - Text("without_score")),
                Equals("with_score", Cell("1c", "ours", "AP")),
            )
        ),
        "Table 1c, which Sec. 4.2 cites for it, has no row without a score: {without_score} stands in the text alone.",
    ),
    Claim(
        "score-same-recall",
        "Sec. 3.3, Prediction uncertainty estimation",
        "With and without the keypoint score the average recall is almost the same.",
        Kind.EFFECT,
        Unchecked("no AR is printed"),
    ),
    Claim(
        "score-is-probability",
        "Sec. 3.3, Eq. 6 and 8",
        "A keypoint's score is the probability that the keypoint lies within a of its prediction.",
        Kind.QUALITATIVE,
        Unchecked("no share of keypoints within a is printed"),
    ),
    Claim(
        "laplace-comparable",
        "Sec. 3.3, Eq. 6 and 8",
        "Integrating the Laplace density instead of the flow's gives a comparable AP.",
        Kind.EFFECT,
        Unchecked("no AP with Eq. 6 is printed"),
    ),
)
