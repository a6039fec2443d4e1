"""Table 1e: how many decoder layers are enough?"""

from poseur_study.experiments.claims import printed_effect, stated
from poseur_study.experiments.experiment import ClaimKind, Row, Table
from poseur_study.experiments.table_1b import TABLE_1B
from poseur_study.paper.formula import Cell

PRINTED = (3, 4, 5, 6)


def _row(layers: int) -> Row:
    return Row(
        key=f"layers_{layers}",
        label=f"{layers} layer" + ("s" if layers > 1 else ""),
        ticks=(str(layers),),
        changes={"model.head.decoder_layers": layers},
        paper=("1e", f"layers_{layers}") if layers in PRINTED else None,
    )


TABLE_1E = Table(
    number="1e",
    title="Decoder layers",
    notebook="table_1e_decoder_layers.ipynb",
    question="Does the AP grow over the first three decoder layers and saturate at the sixth?",
    factor=("N_d",),
    varies=("model.head.decoder_layers",),
    rows=tuple(_row(layers) for layers in (1, 2, *PRINTED)),
    claims=(
        *(stated("layers-grow", ClaimKind.DIRECTION, f"layers_{n}", f"layers_{n - 1}") for n in (2, 3)),
        stated(
            "layers-saturate",
            ClaimKind.EQUIVALENCE,
            "layers_6",
            "layers_5",
            printed_effect("1e", "layers_6", "layers_5"),
        ),
    ),
    base={**TABLE_1B.base, **TABLE_1B.row("with").changes},
    base_reason=(
        "The default model of Sec. 4.1, noise included. At the paper's size the row with 3 layers is the run with "
        f"noise of Table 1b and the last row of Table 1d, which prints the same {Cell('1e', 'layers_3', 'AP')} AP."
    ),
    alternatives=(
        f"Without noise. ResNet-50 with 3 layers has {Cell('1a', 'ours', 'AP')} (Table 1a), "
        f"{Cell('1b', 'with', 'AP')} (Table 1b) and {Cell('1e', 'layers_3', 'AP')} AP (here and in Table 1d).",
    ),
    open_questions=(
        "The text says that the AP grows over the first three layers, but the table starts at the third: the rows with "
        "1 and 2 layers are ours, and the paper prints none.",
        "Five layers have the AP of six: it saturates at five by the table, at six by the text.",
    ),
    columns=("Params", "GFLOPs", "AP", "AP50", "AP75"),
)
