"""Table 1a: do queries start better at the coarse proposal or at learned points?"""

from poseur_study.experiments.claims import stated
from poseur_study.experiments.experiment import ClaimKind, Row, Table
from poseur_study.experiments.table_1b import TABLE_1B
from poseur_study.paper.formula import Cell
from poseur_study.paper.text import said

TABLE_1A = Table(
    number="1a",
    title="Initial reference points",
    notebook="table_1a_initial_reference_points.ipynb",
    question="Is the coarse proposal a better start for the keypoint queries than reference points learned with them?",
    factor=("Initial Ref. Points",),
    varies=("model.head.initial_points",),
    rows=(
        Row(
            key="deformable_detr",
            label="learned points",
            ticks=("Def. DETR [40]",),
            changes={"model.head.initial_points": "learned"},
            paper=("1a", "deformable_detr"),
        ),
        Row(
            key="ours",
            label="coarse proposal",
            ticks=("Ours",),
            changes={"model.head.initial_points": "coarse"},
            paper=("1a", "ours"),
        ),
    ),
    claims=(stated("coarse-gain", ClaimKind.MAGNITUDE, "ours", "deformable_detr", said("coarse_gain").value),),
    base=TABLE_1B.row("without").changes,
    base_reason=(
        "No noise in either row: noisy reference points disturb the coarse proposal, which the learned row does not "
        "have, so with noise two things would differ. The rest is the default model of Sec. 4.1 with 3 decoder layers, "
        "as the text says. The row with the proposal is the row without noise of Table 1b."
    ),
    alternatives=(
        f"Noise in both rows. Table 1b's rows have {Cell('1b', 'without', 'AP')} AP without noise and "
        f"{Cell('1b', 'with', 'AP')} with it, both above the {Cell('1a', 'ours', 'AP')} here.",
        "Another score: RLE's score costs about one AP in Table 1c, which would fit the distance to Table 1b.",
        "A learned row that keeps the coarse stage as an auxiliary task. The caption tells the rows apart by the use "
        "of the fully connected layer, so here the learned row has neither the layer nor its loss.",
    ),
    open_questions=(
        "Deformable DETR predicts reference points from the query embedding by a linear layer; the paper does not say "
        "whether its baseline refines them layer by layer. Here both rows do.",
    ),
)
