"""Table 2b: heatmaps or Poseur, from large crops to very small ones."""

from poseur_study.experiments.claims import doubts, greater, printed_effect, stated
from poseur_study.experiments.experiment import ClaimKind, Table
from poseur_study.experiments.method_rows import METHOD_KNOBS, METHODS_ALIGNED, method_row
from poseur_study.paper.tables import paper_tables
from poseur_study.paper.text import said

_PAPER = paper_tables()["2b"]


def _lost(method: str, size: int) -> float:
    return printed_effect("2b", f"{method}_256", f"{method}_{size}")


TABLE_2B = Table(
    number="2b",
    title="Heatmap methods, by input size",
    notebook="table_2b_input_sizes.ipynb",
    question="Is Poseur better than SimpleBaseline at every crop size, and do heatmaps lose more on small crops?",
    factor=_PAPER.words,
    varies=METHOD_KNOBS[:3],
    rows=tuple(method_row("2b", row.key) for row in _PAPER.rows),
    claims=(
        *(greater("better-at-all-sizes", "2b", f"poseur_{size}", f"simba_{size}") for size in (64, 128, 256)),
        *(
            stated(
                "heatmaps-lose-more",
                ClaimKind.DIRECTION,
                "simba_256",
                f"simba_{size}",
                _lost("simba", size) - _lost("poseur", size),
                beyond=("poseur_256", f"poseur_{size}"),
            )
            for size in (128, 64)
        ),
        stated("gain-at-64", ClaimKind.MAGNITUDE, "poseur_64", "simba_64", said("gain_at_64").value),
    ),
    base={},
    base_reason=f"ResNet-50 and 3 decoder layers (caption). {METHODS_ALIGNED}",
    alternatives=(
        "Boxes are made to the crop's shape before they are enlarged: at 64 × 64 and 128 × 128 a square crop holds "
        "more background than at 256 × 192, in both methods' rows alike.",
        "Heatmaps at a quarter of the crop with a Gaussian of 2 cells, whatever the size.",
    ),
    open_questions=(
        *doubts("gain-at-64"),
        "How much of a pair's difference is the codec's: a heatmap method cannot pass its ceiling, which is displayed "
        "beside each row. Crops of the small profiles have a quarter of the paper's sides, so that their two smaller "
        "sizes leave whole cells next to nothing: there the pairs compare codecs, not networks.",
    ),
    columns=("Params", "GFLOPs", "AP"),
    deltas=False,
)
