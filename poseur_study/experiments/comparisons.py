"""Table 2a: heatmaps or Poseur, backbone by backbone."""

from poseur_study.experiments.claims import doubts, greater, printed_effect, stated
from poseur_study.experiments.experiment import ClaimKind, Table
from poseur_study.experiments.method_rows import METHOD_KNOBS, METHODS_ALIGNED, method_row
from poseur_study.paper.compare import COMPARABLE
from poseur_study.paper.tables import paper_tables
from poseur_study.paper.text import said

_PAPER = paper_tables()["2a"]
_HRNET = ("poseur_hrnet_w32", "hrnet_w32")

TABLE_2A = Table(
    number="2a",
    title="Heatmap methods, by backbone",
    notebook="table_2a_backbones.ipynb",
    question="Is Poseur better than heatmaps on the same backbone, and by more where the backbone's maps are coarse?",
    factor=_PAPER.words,
    varies=METHOD_KNOBS,
    rows=tuple(method_row("2a", row.key) for row in _PAPER.rows),
    claims=(
        stated(
            "over-simba-mobilenet",
            ClaimKind.MAGNITUDE,
            "poseur_mobilenet",
            "simba_mobilenet",
            said("over_simba_mobile").value,
        ),
        greater("resnet50-over-simba-and-hrnet", "2a", "poseur_resnet50", "simba_resnet50"),
        greater("resnet50-over-simba-and-hrnet", "2a", "poseur_resnet50", "hrnet_w32"),
        greater("better-with-all-backbones", "2a", *_HRNET),
        stated(
            "mobilenet-comparable",
            ClaimKind.EQUIVALENCE,
            "poseur_mobilenet",
            "simba_resnet50",
            printed_effect("2a", "poseur_mobilenet", "simba_resnet50"),
            margin=COMPARABLE,
        ),
        *(
            stated(
                "more-at-low-resolution",
                ClaimKind.DIRECTION,
                f"poseur_{low}",
                f"simba_{low}",
                printed_effect("2a", f"poseur_{low}", f"simba_{low}") - printed_effect("2a", *_HRNET),
                beyond=_HRNET,
            )
            for low in ("mobilenet", "resnet50")
        ),
    ),
    base={},
    base_reason=f"256 × 192 and 5 decoder layers (caption). {METHODS_ALIGNED} So says Sec. 4.4.",
    alternatives=(
        "Poseur with noise and the released score (mean of 1 - σ; box + mean + max), as in the other tables; the paper "
        "names neither here.",
        "SimpleBaseline by its own recipe: Table 5 prints another AP and other GFLOPs for it.",
    ),
    open_questions=doubts("settings-aligned", "layers-of-table-5"),
    columns=("GFLOPs", "AP"),
    deltas=False,
)
