"""Claims of the supplement (Supp. Sec. 1 to 8)."""

from decimal import Decimal

from poseur_study.paper.checks import Above, All, Among, Equals, Unchecked, Unnamed, Within
from poseur_study.paper.claim import Claim, Kind
from poseur_study.paper.compare import SAME
from poseur_study.paper.formula import Cell, Largest, Number, Text
from poseur_study.paper.tables import paper_tables

_METRICS = ("AP", "AP50", "AP75", "AP_M", "AP_L")
# Res2 to Res5 have strides 4, 8, 16 and 32.
_PIXELS = Number(Decimal(256)) * 192 / 4**2 + Number(Decimal(256)) * 192 / 8**2
_PIXELS += Number(Decimal(256)) * 192 / 16**2 + Number(Decimal(256)) * 192 / 32**2
_FULL, _NEAR = Cell("S1", "epochs_325", "AP"), Cell("S1", "epochs_275", "AP")
_DECODER = {name: Cell("S4", name, "GFLOPs (Dec.)") for name in ("msda", "emsda")}
_PROJECTIONS = Text("default_layers") * (Text("pixels") - Text("queries")) * Text("embedding") * Text("embedding")
_MAIN_TABLES = tuple(sorted({int(number[0]) for number in paper_tables() if number[0].isdigit()}))

SUPPLEMENT = (
    Claim(
        "total-epochs",
        "Supp. Sec. 1",
        "The paper trains for {total_epochs} epochs.",
        Kind.ARITHMETIC,
        Equals("total_epochs", Text("last_epoch")),
    ),
    Claim(
        "fully-trained-is-the-papers",
        "Supp. Sec. 1",
        "The last row of Supp. Table 1 is the fully trained model of the paper.",
        Kind.ARITHMETIC,
        Within(
            "the same row",
            (Largest(tuple(Cell("S1", "epochs_325", one) - Cell("5", "poseur_resnet50", one) for one in _METRICS)),),
            Decimal(0),
        ),
        "No row of Tables 1e, 2a and 5 has {S1/epochs_325/AP} AP with ResNet-50. Table 5's row is compared; AP_M "
        "differs most.",
    ),
    Claim(
        "shorter-is-slightly-lower",
        "Supp. Sec. 1",
        "275 or 250 epochs are only slightly worse.",
        Kind.EFFECT,
        Within("slightly", tuple(_FULL - Cell("S1", f"epochs_{n}", "AP") for n in (275, 250)), SAME),
    ),
    Claim(
        "schedule-is-not-the-reason",
        "Supp. Sec. 1",
        "The longer schedule is not the main reason for the gain over RLE, which trains for {rle_epochs} epochs.",
        Kind.EFFECT,
        Above(((_NEAR - Cell("5", "rle_resnet50", "AP"), _FULL - _NEAR),)),
        "What 275 epochs gain over RLE, against what the last 50 epochs add.",
    ),
    Claim(
        "attention-gain",
        "Supp. Sec. 2",
        "Without self-attention the AP falls from {with_attention} to {without_attention}.",
        Kind.EFFECT,
        All(
            (
                Equals("with_attention", Cell("S2", "with", "AP")),
                Equals("without_attention", Cell("S2", "without", "AP")),
            )
        ),
    ),
    Claim(
        "attention-relates",
        "Supp. Sec. 2",
        "Self-attention models the relationship between different keypoints.",
        Kind.QUALITATIVE,
        Unchecked("a conjecture from the AP of Supp. Table 2"),
    ),
    Claim(
        "shoulder-attends",
        "Supp. Sec. 2, Supp. Fig. 2",
        "The left shoulder's query attends to the most relevant keypoints: left elbow, left wrist and left ear.",
        Kind.QUALITATIVE,
        Unchecked("shown on one image"),
    ),
    Claim(
        "sharing-costs",
        "Supp. Sec. 3",
        "Sharing the decoder's weights costs {sharing_costs} AP.",
        Kind.EFFECT,
        Equals("sharing_costs", Cell("S3", "own", "AP") - Cell("S3", "shared", "AP")),
        "The {S3/own/Params} M parameters without sharing are no row of Table 1e: five layers have "
        "{1e/layers_5/Params} M, six have {1e/layers_6/Params} M.",
    ),
    Claim(
        "added-parameters",
        "Supp. Sec. 3",
        "With shared weights Poseur adds {added_params} M parameters to the backbone's {backbone_params} M.",
        Kind.COST,
        Equals("added_params", Cell("S3", "shared", "Params") - Text("backbone_params")),
    ),
    Claim(
        "pixels",
        "Supp. Sec. 4",
        "The feature maps Res2 to Res5 of a 256 × 192 crop have {pixels} pixels.",
        Kind.ARITHMETIC,
        Equals("pixels", _PIXELS),
    ),
    Claim(
        "queries",
        "Supp. Sec. 4",
        "There are {queries} queries, one a keypoint, and far fewer than pixels.",
        Kind.ARITHMETIC,
        All((Equals("queries", Text("keypoints")), Above(((Text("pixels"), 100 * Text("queries")),)))),
    ),
    Claim(
        "emsda-gflops",
        "Supp. Sec. 4",
        "EMSDA takes {emsda_gflops} GFLOPs where MSDA takes {msda_gflops}.",
        Kind.COST,
        All((Equals("msda_gflops", _DECODER["msda"]), Equals("emsda_gflops", _DECODER["emsda"]))),
    ),
    Claim(
        "cost-is-the-projection",
        "Supp. Sec. 4",
        "Most of MSDA's cost is the projection of every pixel, PC² a layer.",
        Kind.COST,
        Above(((_PROJECTIONS / Decimal("1e9"), _DECODER["msda"] / 2),)),
        "Layers × (pixels − queries) × channels², in GFLOPs, against half of the MSDA row.",
    ),
    Claim(
        "emsda-as-good",
        "Supp. Sec. 4; Sec. 3.1",
        "EMSDA's AP is almost the same as MSDA's.",
        Kind.EFFECT,
        Within("almost the same", (Cell("S4", "emsda", "AP") - Cell("S4", "msda", "AP"),), SAME),
        "AP75 falls from {S4/msda/AP75} to {S4/emsda/AP75}.",
    ),
    Claim(
        "poseur-over-rle-hrnet",
        "Supp. Sec. 5",
        "Poseur with ResNet-50 ({s5_poseur_ap} AP) is better than RLE with HRNet-W32 ({s5_rle_ap}).",
        Kind.EFFECT,
        All(
            (
                Equals("s5_poseur_ap", Cell("S5", "poseur_resnet50", "AP")),
                Equals("s5_rle_ap", Cell("S5", "rle_hrnet_w32", "AP")),
                Above(((Cell("S5", "poseur_resnet50", "AP"), Cell("S5", "rle_hrnet_w32", "AP")),)),
            )
        ),
    ),
    Claim(
        "faster-and-smaller",
        "Supp. Sec. 5",
        "It is faster ({s5_poseur_fps} against {s5_rle_fps} FPS) and trains in less memory ({s5_poseur_memory} against "
        "{s5_rle_memory} M).",
        Kind.COST,
        All(
            (
                Equals("s5_poseur_fps", Cell("S5", "poseur_resnet50", "FPS")),
                Equals("s5_rle_fps", Cell("S5", "rle_hrnet_w32", "FPS")),
                Equals("s5_poseur_memory", Cell("S5", "poseur_resnet50", "Memory")),
                Equals("s5_rle_memory", Cell("S5", "rle_hrnet_w32", "Memory")),
                Above(((Cell("S5", "poseur_resnet50", "FPS"), Cell("S5", "rle_hrnet_w32", "FPS")),)),
                Above(((Cell("S5", "rle_hrnet_w32", "Memory"), Cell("S5", "poseur_resnet50", "Memory")),)),
            )
        ),
    ),
    Claim(
        "test-memory",
        "Supp. Sec. 5",
        "At test time it takes slightly more memory ({test_memory_poseur} against {test_memory_rle} M).",
        Kind.COST,
        Above(((Text("test_memory_poseur"), Text("test_memory_rle")),)),
        "That it is more is checked, not that 27 % are slight.",
    ),
    Claim(
        "system-memory",
        "Supp. Sec. 5",
        "With the person detector most methods take the same memory, about {system_memory} M.",
        Kind.COST,
        Unchecked("no memory at test time is tabled"),
    ),
    Claim(
        "table-named",
        "Supp. Sec. 5",
        "The methods are those of Table {table_named} of the paper.",
        Kind.ARITHMETIC,
        Among("table_named", "tables of the paper", _MAIN_TABLES),
    ),
    Claim(
        "encoder-and-decoder",
        "Supp. Sec. 6",
        "Keypoint encoder and query decoder, without uncertainty estimation, add {encoder_decoder} AP to RLE with "
        "ResNet-50, all settings alike.",
        Kind.EFFECT,
        Unnamed(
            "encoder_decoder",
            tuple(
                formula - Cell("5", "rle_resnet50", "AP")
                for formula in (Cell("1b", "with", "AP"), Cell("1c", "rle", "AP"), Text("without_score"))
            ),
        ),
        "Neither AP is printed there. Table 1b's row with noise would fit; RLE's score (Table 1c) and no score "
        "(Sec. 3.3) would not.",
    ),
    Claim(
        "encoding-size",
        "Supp. Sec. 7",
        "Two encodings of {encoding_d} channels make one of {encoding_both}, the decoder's width.",
        Kind.ARITHMETIC,
        All((Equals("encoding_both", 2 * Text("encoding_d")), Equals("embedding", Text("encoding_both")))),
    ),
    Claim(
        "truncation",
        "Supp. Sec. 8",
        "Poseur finds keypoints outside the predicted box, heatmap-based Mask R-CNN cannot.",
        Kind.QUALITATIVE,
        Unchecked("shown on example images"),
    ),
)
