"""Figure 1: AP over GFLOPs, from rows of Tables 2a and 5."""

from poseur_study.experiments.claims import stated
from poseur_study.experiments.experiment import Claim, ClaimKind, Row, Table
from poseur_study.experiments.method_rows import HRFORMER_WEIGHTS, METHOD_KNOBS, METHODS_ALIGNED, method_row
from poseur_study.paper.compare import same_backbone
from poseur_study.paper.figure_1 import FIGURE_1 as POINTS
from poseur_study.paper.figure_1 import Point
from poseur_study.paper.formula import Cell
from poseur_study.paper.subject import MethodKind
from poseur_study.paper.tables import paper_tables

_HRNET = (Point("2a", "poseur_hrnet_w32"), Point("2a", "hrnet_w32"))


def _key(of: Point | Cell) -> str:
    return f"{of.table}/{of.row}"


def _row(point: Point) -> Row:
    subject = paper_tables()[point.table].row(point.row).subject
    ticks = (subject.method, subject.backbone, subject.input)
    return Row(**{**vars(method_row(*point)), "key": _key(point), "ticks": ticks})


def _better() -> tuple[Claim, ...]:
    """Poseur above heatmaps, wherever the figure has both at one backbone and size."""
    pairs = same_backbone(("2a", "5"), [MethodKind.HEATMAP]).pairs
    points = {_key(point) for point in POINTS}
    return tuple(
        stated("better-with-all-backbones", ClaimKind.DIRECTION, _key(a), _key(b), float((a - b).value))
        for a, b in pairs
        if {_key(a), _key(b)} <= points
    )


def _more(low: str) -> Claim:
    ours, theirs = Point("2a", f"poseur_{low}"), Point("2a", f"simba_{low}")
    effect = (ours.ap - theirs.ap) - (_HRNET[0].ap - _HRNET[1].ap)
    beyond = (_key(_HRNET[0]), _key(_HRNET[1]))
    pair = (_key(ours), _key(theirs))
    return stated("more-at-low-resolution", ClaimKind.DIRECTION, *pair, float(effect.value), beyond=beyond)


FIGURE_1 = Table(
    number="figure_1",
    title="AP over GFLOPs",
    notebook="figure_1_ap_over_gflops.ipynb",
    question="Does Poseur lie above heatmap methods at every cost, and by more where the backbone's maps are coarse?",
    factor=("Method", "Backbone", "Input size"),
    varies=METHOD_KNOBS,
    rows=tuple(_row(point) for point in POINTS),
    claims=(*_better(), _more("mobilenet"), _more("resnet50")),
    base={},
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
    scatter=True,
)
