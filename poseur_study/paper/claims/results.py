"""Claims of the experiments: the comparison with other methods (Sec. 4.3 and 4.4)."""

from decimal import Decimal

from poseur_study.paper.checks import Above, All, Equals, Unchecked, Within
from poseur_study.paper.claim import Claim, Kind
from poseur_study.paper.compare import COMPARABLE, same_backbone
from poseur_study.paper.formula import Cell

RESULTS = (
    Claim(
        "layers-of-table-2",
        "Caption of Table 2",
        "Poseur has five decoder layers in Table 2a and three in Table 2b.",
        Kind.COST,
        Within(
            "the rows of Table 1e",
            tuple(
                Cell(table, row, column) - Cell("1e", f"layers_{layers}", column)
                for table, row, layers in (("2a", "poseur_resnet50", 5), ("2b", "poseur_256", 3))
                for column in ("AP", "GFLOPs")
            ),
            Decimal(0),
        ),
    ),
    Claim(
        "layers-of-table-5",
        "Captions of Tables 2 and 5",
        "Poseur has six decoder layers in Table 5, one more than in Table 2a.",
        Kind.COST,
        Above(
            tuple(
                (Cell("5", f"poseur_{one}", "GFLOPs"), Cell("2a", f"poseur_{one}", "GFLOPs"))
                for one in ("mobilenet", "resnet50", "hrnet_w32")
            )
        ),
        "More layers cannot cost less, and all three pairs have the same AP. MobileNet-V2's "
        "{5/poseur_mobilenet/GFLOPs} may be rounded, HRNet-W32's {5/poseur_hrnet_w32/GFLOPs} cannot be.",
    ),
    Claim(
        "over-mask-rcnn",
        "Sec. 4.3",
        "With ResNet-101 Poseur is {over_mask_rcnn} AP better than the heatmap-based Mask R-CNN.",
        Kind.EFFECT,
        Equals("over_mask_rcnn", Cell("3", "poseur_resnet101", "AP") - Cell("3", "mask_rcnn_resnet101", "AP")),
        "{over_mask_rcnn} is the difference to the row below it, Mask R-CNN + RLE, which is regression-based.",
    ),
    Claim(
        "over-pointset-again",
        "Sec. 4.3",
        "With HRNet-W48 Poseur is {over_pointset_again} AP better than PointSet Anchor.",
        Kind.EFFECT,
        Equals(
            "over_pointset_again", Cell("3", "poseur_hrnet_w48_scales", "AP") - Cell("3", "pointset_hrnet_w48", "AP")
        ),
    ),
    Claim(
        "settings-aligned",
        "Sec. 4.4, Gains on low-resolution backbone",
        "All models and training settings of Table 2a are tightly aligned.",
        Kind.QUALITATIVE,
        Unchecked("no settings of the other methods are printed"),
        "SimpleBaseline's and HRNet's rows have other AP and GFLOPs than in Table 5.",
    ),
    Claim(
        "resnet50-over-simba-and-hrnet",
        "Sec. 4.4, Gains on low-resolution backbone",
        "Poseur with ResNet-50 is better than SimpleBaseline and even than HRNet-W32, at a much lower cost.",
        Kind.EFFECT,
        Above(
            (
                (Cell("2a", "poseur_resnet50", "AP"), Cell("2a", "simba_resnet50", "AP")),
                (Cell("2a", "poseur_resnet50", "AP"), Cell("2a", "hrnet_w32", "AP")),
                (Cell("2a", "hrnet_w32", "GFLOPs"), Cell("2a", "poseur_resnet50", "GFLOPs")),
            )
        ),
    ),
    Claim(
        "mobilenet-comparable",
        "Sec. 4.4, Gains on low-resolution backbone",
        "Poseur with MobileNet-V2 is comparable with SimpleBaseline with ResNet-50.",
        Kind.EFFECT,
        Within("comparable", (Cell("2a", "poseur_mobilenet", "AP") - Cell("2a", "simba_resnet50", "AP"),), COMPARABLE),
        "The margin is the least that Sec. 4.2 counts as a gain. SimpleBaseline's other two rows, "
        "{5/simba_resnet50/AP} in Table 5 and {2b/simba_256/AP} in Table 2b, lie below Poseur's.",
    ),
    Claim(
        "over-simba-mobilenet",
        "Sec. 4.4, Gains on low-resolution backbone",
        "With MobileNet-V2 Poseur is {over_simba_mobile} AP better than SimpleBaseline.",
        Kind.EFFECT,
        Equals("over_simba_mobile", Cell("2a", "poseur_mobilenet", "AP") - Cell("2a", "simba_mobilenet", "AP")),
    ),
    Claim(
        "mobilenet-one-ninth",
        "Sec. 4.4, Gains on low-resolution backbone",
        "It costs about {mobile_fraction} of SimpleBaseline with that backbone.",
        Kind.COST,
        Equals("mobile_fraction", Cell("2a", "simba_mobilenet", "GFLOPs") / Cell("2a", "poseur_mobilenet", "GFLOPs")),
    ),
    Claim(
        "better-at-same-backbone",
        "Sec. 4.4, Comparison with the state-of-the-art methods",
        "At the same backbone Poseur is better than every other method, regression or heatmap.",
        Kind.EFFECT,
        same_backbone(("2a", "2b", "3", "4", "5", "6", "S5")),
        "By AP (PCKh on MPII). By AP_M and AP_L on val it is not; the audit has a figure of it.",
    ),
    Claim(
        "best-on-val-and-testdev",
        "Sec. 4.4, Comparison with the state-of-the-art methods",
        "With HRFormer-B Poseur has {best_val} AP on val and {best_testdev} on test-dev.",
        Kind.ARITHMETIC,
        All(
            (
                Equals("best_val", Cell("5", "poseur_hrformer_b_384", "AP")),
                Equals("best_testdev", Cell("6", "poseur_hrformer_b", "AP")),
            )
        ),
    ),
    Claim(
        "over-udp-val",
        "Sec. 4.4, Comparison with the state-of-the-art methods",
        "With HRFormer-B at 256 × 192 Poseur is {over_udp_val} AP better than UDP-Pose at 384 × 288 on val.",
        Kind.EFFECT,
        Equals("over_udp_val", Cell("5", "poseur_hrformer_b", "AP") - Cell("5", "udp_hrnet_w48_384", "AP")),
    ),
    Claim(
        "over-hrnet-mpii",
        "Sec. 4.4, Comparison with the state-of-the-art methods",
        "On MPII Poseur is {over_hrnet_mpii} PCKh better than HRNet-W32 with the same backbone.",
        Kind.EFFECT,
        Equals("over_hrnet_mpii", Cell("4", "poseur_hrnet_w32", "Mean") - Cell("4", "hrnet_w32", "Mean")),
    ),
)
