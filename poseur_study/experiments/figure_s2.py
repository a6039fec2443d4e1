"""Supplementary Figure 2: which keypoints do the queries attend to?"""

from dataclasses import replace

from poseur_study.experiments.claims import stated
from poseur_study.experiments.experiment import Claim, ClaimKind, Table
from poseur_study.experiments.table_1b import TABLE_1B

ROW = "with"
SHOWN = "left_shoulder"
NAMED = ("left_elbow", "left_wrist", "left_ear")
"""The keypoints to which the paper sees its left shoulder attend."""
SHOULDER_CLAIM, RELATION_CLAIM = "the named keypoints", "neighbours and mirror partners"


def _claim(of: str, key: str, words: str) -> Claim:
    return replace(stated(of, ClaimKind.DIRECTION, ROW, ROW), key=key, measured=words)


FIGURE_S2 = Table(
    number="figure_s2",
    title="Self-attention between keypoints",
    notebook="figure_s2_self_attention.ipynb",
    question="Do the keypoint queries attend to the keypoints that are related to them?",
    factor=TABLE_1B.factor,
    varies=(),
    rows=(replace(TABLE_1B.row(ROW), label="default model", changes={}),),
    claims=(
        _claim(
            "shoulder-attends",
            SHOULDER_CLAIM,
            "weight of the left shoulder on left elbow, wrist and ear, % beyond what all keypoints take of them",
        ),
        _claim(
            "attention-relates",
            RELATION_CLAIM,
            "weight of all on skeleton neighbours and mirror partners, % beyond what all keypoints take of them",
        ),
    ),
    base={**TABLE_1B.base, **TABLE_1B.row(ROW).changes},
    base_reason=(
        "The default model of Sec. 4.1, which is the run with noise of Table 1b. The supplement does not say which "
        "model, layer or head its figure shows; its section speaks of the model of Supp. Table 2."
    ),
    alternatives=(
        "Six layers, as in Supp. Table 2. Another layer or head: the figure has every layer, as the mean of its heads.",
    ),
    open_questions=(
        "The paper's figure shows one person. Here the same is drawn for some people, and averaged over the val split.",
        "A weight says whose value is taken, not what it does: the value may carry little, and the residual carries "
        "the keypoint's own.",
        "Of the weight on others, mean over layers and heads. What a keypoint takes of itself is left out, as a line "
        "to itself cannot be drawn.",
        "The claims are held against one taste for all keypoints: the matrix a_i b_j with the same column sums. Until "
        "the runs of seed 1 had been looked at they were held against equal weight, which a matrix with bright columns "
        "passes though no keypoint asks for its own relations; the stricter measure was chosen after that. What the "
        "former one would have said stands below the reading.",
    ),
)
