"""Supplement: schedule, self-attention, shared layers, EMSDA (Tables 1 to 4); Poseur beside RLE (Table 5, Sec. 6)."""

from dataclasses import replace

from poseur_lib.scoring.instance import Scoring
from poseur_study.experiments.ablations import LAYERS, WITH_NOISE
from poseur_study.experiments.claim_tests import (
    claim_test,
    equivalence,
    magnitude,
    printed_direction,
    printed_effect,
    questions_of_claims,
)
from poseur_study.experiments.experiment import Column, EffectKind, Row, Table
from poseur_study.experiments.methods import method_changes
from poseur_study.experiments.paper_rows import (
    METHOD_KNOBS,
    METHODS_ALIGNED,
    ablation,
    factor_row,
    method_row,
    steps_at_the_same_fractions,
)
from poseur_study.paper.formula import Cell
from poseur_study.paper.tables import paper_tables, text_number

_SIX_LAYERS = {**WITH_NOISE, LAYERS: 6}
_SIX_REASON = (
    "6 decoder layers, Table 5's default, with noise: the supplement calls its best row the fully trained model of the "
    f"paper, and {Cell('S1', 'epochs_325', 'AP')} AP lie nearest to the {Cell('5', 'poseur_resnet50', 'AP')} of "
    "ResNet-50 with 5 or 6 layers."
)
_SIX_ALTERNATIVES = ("5 layers, as in Table 2a, which has the same AP as 6 (Tables 1e and 5).",)
_METRICS: tuple[Column, ...] = ("AP", "AP50", "AP75", "AP_M", "AP_L")


TABLE_S1 = Table(
    number="S1",
    title="Training schedules",
    notebook="table_s1_schedules.ipynb",
    question="Is a shorter schedule only slightly worse?",
    factor=("Epoch",),
    varies=("train.epochs", "train.schedule"),
    rows=tuple(
        factor_row("S1", f"epochs_{n}", f"{n} epochs", steps_at_the_same_fractions(int(n)))
        for n in (row.words["Epoch"] for row in paper_tables()["S1"].rows)
    ),
    claims=tuple(
        equivalence(
            "shorter-is-slightly-lower", "epochs_325", row, printed_effect("S1", "epochs_325", row), better_side=-1
        )
        for row in ("epochs_275", "epochs_250")
    ),
    base=_SIX_LAYERS,
    base_reason=(
        f"{_SIX_REASON} Every row is a run of its own, whose learning rate falls at the same fractions of its length "
        "as in the longest one (epochs 255 and 310 of 325), rounded to whole epochs."
    ),
    alternatives=(
        *_SIX_ALTERNATIVES,
        "Checkpoints of one long run: those before the first step, at epoch 255, would lie far below the printed AP of "
        "150 to 250 epochs, so that the rows were hardly made so.",
        "Steps at fixed epochs: rows of up to 250 epochs would have none.",
    ),
    open_questions=questions_of_claims("fully-trained-is-the-papers", "schedule-is-not-the-reason"),
    columns=_METRICS,
)

TABLE_S2 = ablation(
    "S2",
    "model.head.self_attention",
    {"without": ("without self-attention", False), "with": ("with self-attention", True)},
    title="Self-attention",
    notebook="table_s2_self_attention.ipynb",
    question="Does the attention between keypoint queries raise the AP?",
    claims=(
        claim_test("attention-gain", EffectKind.MAGNITUDE, "with", "without", printed_effect("S2", "with", "without")),
    ),
    base=_SIX_LAYERS,
    base_reason=_SIX_REASON,
    alternatives=_SIX_ALTERNATIVES,
    open_questions=(
        "Without self-attention the queries of a person do not see each other; whether the paper puts something else "
        "in its place is not said. Here the block and its norm are left out.",
    ),
    columns=_METRICS,
)

TABLE_S3 = ablation(
    "S3",
    "model.head.share_layers",
    {"own": ("own weights", False), "shared": ("shared weights", True)},
    title="Shared decoder layers",
    notebook="table_s3_shared_layers.ipynb",
    question="What does it cost in AP to pass one decoder layer several times instead of having several?",
    claims=(magnitude("sharing-costs", "own", "shared"),),
    base=_SIX_LAYERS,
    base_reason=_SIX_REASON,
    alternatives=(
        *_SIX_ALTERNATIVES,
        "Sharing the decoder layers but not their output branches: the printed parameters fit a layer that is shared "
        "with its branches.",
    ),
    open_questions=questions_of_claims("sharing-costs", "added-parameters"),
    columns=("Params", *_METRICS),
)

TABLE_S4 = ablation(
    "S4",
    "model.head.cross_attention",
    {"msda": ("MSDA", "msda"), "emsda": ("EMSDA", "emsda")},
    title="EMSDA and MSDA",
    notebook="table_s4_emsda.ipynb",
    question="Is the cheaper attention, which projects what it has sampled, as good as MSDA?",
    claims=(equivalence("emsda-as-good", "emsda", "msda", printed_effect("S4", "emsda", "msda"), better_side=1),),
    base=WITH_NOISE,
    base_reason=(
        "3 decoder layers: the printed cost of the decoder is that of the neck and three layers. The rest is the "
        "default model of Sec. 4.1 with the released score; EMSDA's row is the run with noise of Table 1b."
    ),
    alternatives=(
        f"No noise ({Cell('1b', 'without', 'AP')} AP in Table 1b) or RLE's score ({Cell('1c', 'rle', 'AP')} in Table "
        f"1c): both lie near the {Cell('S4', 'emsda', 'AP')} printed here.",
    ),
    open_questions=questions_of_claims("emsda-as-good"),
    columns=("GFLOPs (Dec.)", *_METRICS),
)

_TEST_MEMORY = {"rle_hrnet_w32": "test_memory_rle", "poseur_resnet50": "test_memory_poseur"}


TABLE_S5 = Table(
    number="S5",
    title="Poseur and RLE: AP, speed and memory",
    notebook="table_s5_speed_and_memory.ipynb",
    question="Is Poseur on ResNet-50 better and faster than RLE on HRNet-W32, and does it train in less memory?",
    factor=("Method", "Backbone"),
    varies=METHOD_KNOBS,
    rows=tuple(
        replace(method_row("S5", key, layers=6), of_text={"Memory (test)": text_number(memory)})
        for key, memory in _TEST_MEMORY.items()
    ),
    claims=(printed_direction("poseur-over-rle-hrnet", "S5", "poseur_resnet50", "rle_hrnet_w32"),),
    base_reason=f"256 × 192 and 6 decoder layers: the printed GFLOPs are Table 5's. {METHODS_ALIGNED}",
    alternatives=("5 layers: Table 2a prints the same AP for them.",),
    open_questions=(
        "The paper names neither device, precision nor software of FPS and memory, and no batch of FPS. Here: one "
        "image, float32, no flip test; memory is the most that tensors hold beyond weights and image, in a forward "
        "pass (test) and in forward and backward (training). Ratios of the rows may be compared, the numbers may not.",
        *questions_of_claims("test-memory", "table-named"),
    ),
    columns=("GFLOPs", "FPS", "Memory", "Memory (test)", "AP"),
    deltas=False,
)


def _part(key: str, label: str, method: str, scoring: Scoring | None) -> Row:
    changes = method_changes(method, "ResNet-50")
    printed = "box score alone" if scoring else "RLE's score"
    return Row(key=key, label=label, ticks=(method, printed), changes=changes, scoring=scoring, method=method)


TABLE_S6 = Table(
    number="S6",
    title="Keypoint encoder and query decoder over RLE",
    notebook="table_s6_encoder_and_decoder.ipynb",
    question="How much do keypoint encoder and query decoder add to RLE, without the proposed uncertainty estimation?",
    factor=("Method", "Score"),
    varies=("model.head",),
    rows=(
        _part("rle", "RLE", "RLE", None),
        _part("poseur", "KE + QD", "Poseur", None),
        _part("rle_box", "RLE, box score", "RLE", Scoring.BOX),
        _part("poseur_box", "KE + QD, box score", "Poseur", Scoring.BOX),
    ),
    claims=(
        magnitude("encoder-and-decoder", "poseur", "rle", "encoder_decoder"),
        magnitude("encoder-and-decoder", "poseur_box", "rle_box", "encoder_decoder"),
    ),
    base_reason=(
        "ResNet-50 at 256 × 192 with 3 decoder layers and noise, the default of Sec. 4.1. Without uncertainty "
        "estimation is read as RLE's own score for both (mean of 1 - σ); the last two rows read it as no keypoint "
        "score at all."
    ),
    alternatives=("Without noise, which belongs to the keypoint encoder by Sec. 3.1 but has a table of its own.",),
    open_questions=questions_of_claims("encoder-and-decoder"),
    columns=("AP", "AR"),
    deltas=False,
)
