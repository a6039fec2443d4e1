"""Supplementary Table 5 and Section 6: Poseur beside RLE."""

from poseur_study.experiments.claims import doubts, greater, stated
from poseur_study.experiments.experiment import ClaimKind, Row, Scoring, Table
from poseur_study.experiments.method_rows import METHOD_KNOBS, METHODS_ALIGNED, method_row
from poseur_study.experiments.methods import method_changes
from poseur_study.paper.text import said

_TEST_MEMORY = {"rle_hrnet_w32": "test_memory_rle", "poseur_resnet50": "test_memory_poseur"}


def _speed_row(key: str) -> Row:
    row = method_row("S5", key, layers=6)
    return Row(**{**vars(row), "of_text": {"Memory (test)": said(_TEST_MEMORY[key])}})


TABLE_S5 = Table(
    number="S5",
    title="Poseur and RLE: AP, speed and memory",
    notebook="table_s5_speed_and_memory.ipynb",
    question="Is Poseur on ResNet-50 better and faster than RLE on HRNet-W32, and does it train in less memory?",
    factor=("Method", "Backbone"),
    varies=METHOD_KNOBS,
    rows=tuple(_speed_row(key) for key in _TEST_MEMORY),
    claims=(greater("poseur-over-rle-hrnet", "S5", "poseur_resnet50", "rle_hrnet_w32"),),
    base={},
    base_reason=f"256 × 192 and 6 decoder layers: the printed GFLOPs are Table 5's. {METHODS_ALIGNED}",
    alternatives=("5 layers: Table 2a prints the same AP for them.",),
    open_questions=(
        "The paper names neither device, batch, precision nor software of FPS and memory. Here: one image, float32, no "
        "flip test; memory is the most that tensors hold beyond weights and image, in a forward pass (test) and in "
        "forward and backward (training). Ratios of the rows may be compared, the numbers may not.",
        *doubts("test-memory", "table-named"),
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
        stated("encoder-and-decoder", ClaimKind.MAGNITUDE, "poseur", "rle", said("encoder_decoder").value),
        stated("encoder-and-decoder", ClaimKind.MAGNITUDE, "poseur_box", "rle_box", said("encoder_decoder").value),
    ),
    base={},
    base_reason=(
        "ResNet-50 at 256 × 192 with 3 decoder layers and noise, the default of Sec. 4.1. Without uncertainty "
        "estimation is read as RLE's own score for both (mean of 1 - σ); the last two rows read it as no keypoint "
        "score at all."
    ),
    alternatives=("Without noise, which belongs to the keypoint encoder by Sec. 3.1 but has a table of its own.",),
    open_questions=doubts("encoder-and-decoder"),
    columns=("AP", "AR"),
    deltas=False,
)
