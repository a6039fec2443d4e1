"""Claims of the experiments: settings and ablations (Sec. 4.1 and 4.2)."""

from decimal import Decimal

from poseur_study.paper.checks import Above, All, Equals, Unchecked, Within
from poseur_study.paper.claim import Claim, Kind
from poseur_study.paper.compare import SAME
from poseur_study.paper.formula import Cell, Text

_SIZES = ("256", "128", "64")
_LAYERS = tuple(Cell("1e", f"layers_{n}", "AP") for n in (3, 4, 5, 6))
_LEVELS = tuple(Cell("1d", f"levels_{n}", "AP") for n in (1, 2, 3, 4))

ABLATIONS = (
    Claim(
        "coco-people",
        "Sec. 4.1, Datasets",
        "COCO has about {people} 000 people with {keypoints} keypoints.",
        Kind.ARITHMETIC,
        Unchecked("a fact of COCO, not of the tables"),
    ),
    Claim(
        "default-model",
        "Sec. 4.1, Model settings",
        "Ablations use ResNet-50 at 256 × 192 with {default_layers} decoder layers unless they say otherwise.",
        Kind.ARITHMETIC,
        Within(
            "one model, one AP",
            tuple(Cell("1e", "layers_3", "AP") - Cell(*cell, "AP") for cell in (("1a", "ours"), ("1b", "with"))),
            Decimal(0),
        ),
        "If it held, the best rows of Tables 1a and 1b would be the row of Table 1e with 3 layers. They are not; the "
        "paper does not say what else differs.",
    ),
    Claim(
        "default-model-cost",
        "Tables 1d and 1e",
        "Table 1d's four levels and Table 1e's three layers are the same default model.",
        Kind.COST,
        Within(
            "one model, one cost",
            tuple(Cell("1d", "levels_4", one) - Cell("1e", "layers_3", one) for one in ("GFLOPs", "Params")),
            Decimal(0),
        ),
        "By our count Table 1d counts the two flows of the training loss, Table 1e does not and is cut, not rounded.",
    ),
    Claim(
        "radius",
        "Sec. 4.1, Inference",
        "The radius a is {radius} in Eq. 7.",
        Kind.QUALITATIVE,
        Unchecked("a slip: Eq. 6 and 8 have an a, Eq. 7 has none"),
    ),
    Claim(
        "coarse-gain",
        "Sec. 4.2, Initialization of keypoint queries",
        "With {learned_layers} layers learned reference points have {learned_points} AP, {coarse_gain} less than the "
        "coarse proposal.",
        Kind.EFFECT,
        All(
            (
                Equals("learned_points", Cell("1a", "deformable_detr", "AP")),
                Equals("coarse_gain", Cell("1a", "ours", "AP") - Cell("1a", "deformable_detr", "AP")),
            )
        ),
    ),
    Claim(
        "noise-gain",
        "Sec. 4.2, Noisy reference points sampling strategy",
        "Noisy reference points add {noise_gain} AP.",
        Kind.EFFECT,
        Equals("noise_gain", Cell("1b", "with", "AP") - Cell("1b", "without", "AP")),
    ),
    Claim(
        "noise-is-free",
        "Sec. 4.2, Noisy reference points sampling strategy",
        "They cost nothing at inference.",
        Kind.COST,
        Unchecked("Table 1b prints no cost; it follows from the method, which leaves them out at inference"),
    ),
    Claim(
        "levels-values",
        "Sec. 4.2, Varying the levels of feature map",
        "One to four levels give {one_level}, {two_levels}, {three_levels} and {four_levels} AP, more with each level.",
        Kind.EFFECT,
        All(
            (
                *(
                    Equals(key, cell)
                    for key, cell in zip(
                        ("one_level", "two_levels", "three_levels", "four_levels"), _LEVELS, strict=True
                    )
                ),
                Above(tuple(zip(_LEVELS[1:], _LEVELS[:-1], strict=True))),
            )
        ),
    ),
    Claim(
        "score-gain-again",
        "Sec. 4.2, Uncertainty estimation",
        "The proposed score adds {score_gain_again} AP to the model without one.",
        Kind.EFFECT,
        Equals("score_gain_again", Cell("1c", "ours", "AP") - Text("without_score")),
        "Table 1c is cited, and has no such row.",
    ),
    Claim(
        "score-over-rle",
        "Sec. 4.2, Uncertainty estimation",
        "The proposed score is {score_over_rle} AP better than RLE's.",
        Kind.EFFECT,
        Equals("score_over_rle", Cell("1c", "ours", "AP") - Cell("1c", "rle", "AP")),
    ),
    Claim(
        "layers-grow",
        "Sec. 4.2, Varying decoder layers",
        "The AP grows over the first three decoder layers.",
        Kind.EFFECT,
        Unchecked("Table 1e starts at three layers"),
    ),
    Claim(
        "layers-saturate",
        "Sec. 4.2, Varying decoder layers",
        "The AP saturates at the sixth decoder layer.",
        Kind.EFFECT,
        Within("saturates", (_LAYERS[3] - _LAYERS[2],), SAME),
        "It has the AP of five layers; four have {1e/layers_4/AP}.",
    ),
    Claim(
        "better-at-all-sizes",
        "Sec. 4.2, Varying the input size",
        "Poseur is better than SimpleBaseline at every input size.",
        Kind.EFFECT,
        Above(tuple((Cell("2b", f"poseur_{size}", "AP"), Cell("2b", f"simba_{size}", "AP")) for size in _SIZES)),
    ),
    Claim(
        "heatmaps-lose-more",
        "Sec. 4.2, Varying the input size",
        "Heatmap-based methods lose more at low resolution.",
        Kind.EFFECT,
        Above(
            tuple(
                (
                    Cell("2b", "simba_256", "AP") - Cell("2b", f"simba_{size}", "AP"),
                    Cell("2b", "poseur_256", "AP") - Cell("2b", f"poseur_{size}", "AP"),
                )
                for size in _SIZES[1:]
            )
        ),
    ),
    Claim(
        "gain-at-64",
        "Sec. 4.2, Varying the input size",
        "At 64 × 64 Poseur is {gain_at_64} AP better than SimpleBaseline.",
        Kind.EFFECT,
        Equals("gain_at_64", Cell("2b", "poseur_64", "AP") - Cell("2b", "simba_64", "AP")),
    ),
)
