"""Calibration: is a keypoint's score the probability that Sec. 3.3 says it is?"""

from dataclasses import replace

from poseur_study.experiments.claims import stated
from poseur_study.experiments.experiment import Claim, ClaimKind, Row, Table
from poseur_study.experiments.method_rows import METHOD_KNOBS, METHODS_ALIGNED, OWN_RECIPES, method_row

POSEUR = "poseur"
MARGIN = 5.0
"""Per cent: a score that is off by less, on average, still says roughly what it claims."""
SCORE_CLAIM = "score is a probability"


def _row(key: str, table: str, of: str) -> Row:
    row = method_row(table, of)
    return replace(row, key=key, label=row.method, ticks=(row.method, "ResNet-50"))


def _claim() -> Claim:
    claim = stated("score-is-probability", ClaimKind.EQUIVALENCE, POSEUR, POSEUR, margin=MARGIN)
    words = "expected calibration error of Eq. 8 with σ at the configured a, per cent"
    return replace(claim, key=SCORE_CLAIM, measured=words)


CALIBRATION = Table(
    number="calibration",
    title="Is the score what it says?",
    notebook="calibration.ipynb",
    question="Is Poseur's keypoint score the share of keypoints that lie within a of their prediction?",
    factor=("Method", "Backbone"),
    varies=METHOD_KNOBS,
    rows=(_row(POSEUR, "2b", "poseur_256"), _row("rle", "5", "rle_resnet50"), _row("simba", "2a", "simba_resnet50")),
    claims=(_claim(),),
    base={},
    base_reason=f"The default model of Sec. 4.1: ResNet-50, 256 × 192, 3 decoder layers, noise. {METHODS_ALIGNED}",
    alternatives=(
        "Another error than the larger one of both axes: Eq. 8 multiplies the axes' probabilities, which is the "
        "probability to be within a on both.",
        "Bins of equal width instead of equal number for the scores: a score that is near 1 for almost every keypoint "
        "then lies in one bin, within which its errors cancel.",
    ),
    open_questions=(
        "Under the released loss sigma is not the Laplace scale: with a flat flow that would be 2 sqrt(2) sigma. The "
        "flow is not flat, so that neither has to be the size of the error.",
        "Predictions are the record's: with flip test, whose mean pose is a little better than either pose, while its "
        "sigma is the mean of both.",
        "At a = 0.2, a fifth of the crop, nearly every keypoint of a good model is near enough, and a score of 100 % "
        "for all of them would be nearly right: the smaller radii beside it ask whether the score knows more.",
        "Until the runs of seed 1 had been trained, the expected calibration error was taken in bins of equal width, "
        "and keypoints counted up to the outer edge of their crops. Bins of equal number, and crops that end at the "
        "centre of the last pixel, as everywhere else here, were chosen after that.",
        "RLE's and heatmaps' scores claim to be no probability of this kind: they are judged by ranking alone.",
        OWN_RECIPES,
    ),
    columns=("AP", "AR"),
    deltas=False,
)
