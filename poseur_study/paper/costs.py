"""What the paper prints of Poseur's parameters and GFLOPs, and the configuration that each row means.

The numbers are cells of `tables`. Parameters are millions; GFLOPs are billions of multiply-adds. Supp.
Table 5 also prints memory and frames per second, without device, batch or software: nothing to compare with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from poseur_study.paper.formula import Cell


class Quantity(StrEnum):
    """What a cell counts."""

    PARAMETERS = "parameters, M"
    PARAMETERS_WITHOUT_FLOWS = "parameters without flows, M"
    MULTIPLY_ADDS = "GFLOPs"
    DECODER_MULTIPLY_ADDS = "GFLOPs (neck and decoder layers)"


@dataclass(frozen=True)
class PrintedCost:
    """A printed cost.

    Attributes:
        printed: the digits as printed, without unit.
        row: the model's name in the tables that we make.
        changes: of the default configuration, by dotted path.
        note: why the number may differ, and where the reading of the row is ours.
    """

    source: str
    row: str
    quantity: Quantity
    printed: str
    changes: Mapping[str, Any]
    note: str = ""

    @property
    def value(self) -> float:
        """The number."""
        return float(self.printed)

    @property
    def half_digit(self) -> float:
        """Half a unit of the last printed digit."""
        return 0.5 * 10.0 ** -len(self.printed.partition(".")[2])


RESNET50 = {"kind": "resnet", "depth": 50, "weights": "none"}
RESNET152 = {"kind": "resnet", "depth": 152, "weights": "none"}
MOBILENET = {"kind": "mobilenetv2", "weights": "none"}
HRNET_W32 = {"kind": "hrnet", "width": 32, "weights": "none"}
HRNET_W48 = {"kind": "hrnet", "width": 48, "weights": "none"}
HRFORMER_T = {"kind": "hrformer", "variant": "tiny"}
HRFORMER_S = {"kind": "hrformer", "variant": "small"}
HRFORMER_B = {"kind": "hrformer", "variant": "base"}
LARGE = (384, 288)

WITH_FLOWS = "counts the two flows: without them it would be 0.1 M less, as in Table 1e"
BINARY = (
    "the hooks' count is higher; everything counted, in units of 2^30 as HRNet's own summary prints GFLOPs, would be"
    " the printed number in both HRNet rows of Table 5, but whether it was counted so is not known"
)

HRNET_OF_TABLE_2A = Cell("2a", "poseur_hrnet_w32", "GFLOPs")
ROUNDED = (
    f"{Cell('1e', 'layers_6', 'GFLOPs')} in Table 1e and {Cell('2a', 'poseur_resnet50', 'GFLOPs')} in Table 2a, rounded"
)


def model(backbone: Mapping[str, Any], layers: int, size: tuple[int, int] = (256, 192), **more: Any) -> dict[str, Any]:
    """The changes that make a row's model of the default configuration."""
    return {
        "model.backbone": dict(backbone),
        "model.head.decoder_layers": layers,
        "data.input_size": list(size),
        **{f"model.head.{name}": value for name, value in more.items()},
    }


def _cost(cell: Cell, row: str, quantity: Quantity, changes: Mapping[str, Any], note: str = "") -> PrintedCost:
    return PrintedCost(cell.printed.source, row, quantity, cell.printed.text, changes, note)


def _table_1d() -> tuple[PrintedCost, ...]:
    levels = ["res2", "res3", "res4", "res5"]
    cells = []
    for count in range(1, 5):
        chosen, key = levels[-count:], f"levels_{count}"
        row, changes = f"ResNet-50, {'+'.join(chosen)}, 3 layers", model(RESNET50, 3, feature_levels=chosen)
        cells.append(_cost(Cell("1d", key, "Params"), row, Quantity.PARAMETERS, changes, WITH_FLOWS))
        cells.append(_cost(Cell("1d", key, "GFLOPs"), row, Quantity.MULTIPLY_ADDS, changes))
    return tuple(cells)


def _table_1e() -> tuple[PrintedCost, ...]:
    cells = []
    for layers in (3, 4, 5, 6):
        key, row, changes = f"layers_{layers}", f"ResNet-50, {layers} layers", model(RESNET50, layers)
        note = "without the two flows, and cut to one digit rather than rounded"
        cells.append(_cost(Cell("1e", key, "Params"), row, Quantity.PARAMETERS_WITHOUT_FLOWS, changes, note))
        step = "the paper's step is 0.03 a layer, that of the released code 0.021 by hooks and 0.029 in all"
        gflops = Cell("1e", key, "GFLOPs")
        cells.append(_cost(gflops, row, Quantity.MULTIPLY_ADDS, changes, step if layers > 3 else ""))
    return tuple(cells)


def _table_2() -> tuple[PrintedCost, ...]:
    of_backbone = (
        (
            "MobileNet-V2",
            "mobilenet",
            MOBILENET,
            "unexplained: five layers give 0.466, six 0.487",
        ),
        ("ResNet-50", "resnet50", RESNET50, "Table 1e prints it for five layers too"),
        ("HRNet-W32", "hrnet_w32", HRNET_W32, ""),
    )
    cells = []
    for name, key, backbone, note in of_backbone:
        gflops, changes = Cell("2a", f"poseur_{key}", "GFLOPs"), model(backbone, 5)
        cells.append(_cost(gflops, f"{name}, 5 layers", Quantity.MULTIPLY_ADDS, changes, note))
    for size in ((64, 64), (128, 128), (256, 192)):
        key, row, changes = f"poseur_{size[0]}", f"ResNet-50, {size[0]}x{size[1]}, 3 layers", model(RESNET50, 3, size)
        parameters, gflops = (Cell("2b", key, column) for column in ("Params", "GFLOPs"))
        cells.append(_cost(parameters, row, Quantity.PARAMETERS_WITHOUT_FLOWS, changes, "without the flows"))
        note = "unexplained: six layers would give 0.494, but 1.598 at 128 x 128" if size == (64, 64) else ""
        cells.append(_cost(gflops, row, Quantity.MULTIPLY_ADDS, changes, note))
    return tuple(cells)


def _table_5() -> tuple[PrintedCost, ...]:
    rows = (
        ("mobilenet", "MobileNet-V2", MOBILENET, 6, (256, 192), ""),
        ("resnet50", "ResNet-50", RESNET50, 6, (256, 192), ROUNDED),
        ("resnet152", "ResNet-152", RESNET152, 6, (256, 192), ""),
        ("hrnet_w32", "HRNet-W32", HRNET_W32, 6, (256, 192), f"Table 2a prints {HRNET_OF_TABLE_2A}; {BINARY}"),
        ("hrnet_w48_384", "HRNet-W48", HRNET_W48, 6, LARGE, BINARY),
        ("hrformer_t", "HRFormer-T", HRFORMER_T, 3, (256, 192), ""),
        ("hrformer_s", "HRFormer-S", HRFORMER_S, 3, (256, 192), ""),
        ("hrformer_b", "HRFormer-B", HRFORMER_B, 6, (256, 192), ""),
        ("hrformer_b_384", "HRFormer-B", HRFORMER_B, 6, LARGE, ""),
    )
    return tuple(
        _cost(
            Cell("5", f"poseur_{key}", "GFLOPs"),
            f"{name}, {size[0]}x{size[1]}, {layers} layers",
            Quantity.MULTIPLY_ADDS,
            model(backbone, layers, size),
            note,
        )
        for key, name, backbone, layers, size, note in rows
    )


def _supplement() -> tuple[PrintedCost, ...]:
    shared, own = model(RESNET50, 6, share_layers=True), model(RESNET50, 6)
    msda, emsda = model(RESNET50, 3, cross_attention="msda"), model(RESNET50, 3)
    decoder, row, gflops = Quantity.DECODER_MULTIPLY_ADDS, "ResNet-50, 3 layers", "GFLOPs (Dec.)"
    return (
        _cost(Cell("S3", "own", "Params"), "ResNet-50, 6 layers", Quantity.PARAMETERS_WITHOUT_FLOWS, own,
              "no number of layers gives it: 5 have 31.7 M, 6 have 33.1 M, as in Table 1e"),
        _cost(Cell("S3", "shared", "Params"), "ResNet-50, 6 layers shared", Quantity.PARAMETERS, shared,
              "layer and output branches shared; counts the two flows"),
        _cost(Cell("S4", "emsda", gflops), f"{row}, EMSDA", decoder, emsda,
              "the neck (0.377 in convolutions) and 0.021 a decoder layer"),
        _cost(Cell("S4", "msda", gflops), f"{row}, MSDA", decoder, msda,
              "MSDA projects 4080 cells in each of 3 layers: 3 x 4080 x 256^2 = 0.80 more"),
        _cost(Cell("S5", "poseur_resnet50", "GFLOPs"), "ResNet-50, 6 layers", Quantity.MULTIPLY_ADDS, own,
              ROUNDED),
    )  # fmt: skip


PRINTED_COSTS = (*_table_1d(), *_table_1e(), *_table_2(), *_table_5(), *_supplement())
