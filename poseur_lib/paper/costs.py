"""What the paper prints of Poseur's parameters and GFLOPs, and the configuration that each row means.

One cell once. Parameters are millions; GFLOPs are billions of multiply-adds. Supp. Table 5 also prints memory and
frames per second, without device, batch or software: nothing to compare with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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
    "the printed number is the count of convolutions and matrix products in units of 2^30, as HRNet's own counter"
    " prints GFLOPs; that fits both HRNet rows of Table 5 to the last digit"
)


def model(backbone: Mapping[str, Any], layers: int, size: tuple[int, int] = (256, 192), **more: Any) -> dict[str, Any]:
    """The changes that make a row's model of the default configuration."""
    return {
        "model.backbone": dict(backbone),
        "model.head.decoder_layers": layers,
        "data.input_size": list(size),
        **{f"model.head.{name}": value for name, value in more.items()},
    }


def _table_1d() -> tuple[PrintedCost, ...]:
    levels = ["res2", "res3", "res4", "res5"]
    printed = (("28.3", "4.12"), ("28.7", "4.18"), ("28.9", "4.28"), ("29.0", "4.48"))
    cells = []
    for count, (parameters, gflops) in enumerate(printed, 1):
        chosen = levels[-count:]
        source, row = f"Table 1d, {count} level{'s' if count > 1 else ''}", f"ResNet-50, {'+'.join(chosen)}, 3 layers"
        changes = model(RESNET50, 3, feature_levels=chosen)
        cells.append(PrintedCost(source, row, Quantity.PARAMETERS, parameters, changes, WITH_FLOWS))
        cells.append(PrintedCost(source, row, Quantity.MULTIPLY_ADDS, gflops, changes))
    return tuple(cells)


def _table_1e() -> tuple[PrintedCost, ...]:
    printed = {3: ("28.8", "4.48"), 4: ("30.2", "4.51"), 5: ("31.6", "4.54"), 6: ("33.1", "4.57")}
    cells = []
    for layers, (parameters, gflops) in printed.items():
        source, row, changes = f"Table 1e, N_d = {layers}", f"ResNet-50, {layers} layers", model(RESNET50, layers)
        note = "without the two flows, and cut to one digit rather than rounded"
        cells.append(PrintedCost(source, row, Quantity.PARAMETERS_WITHOUT_FLOWS, parameters, changes, note))
        step = "the paper's step is 0.03 a layer, that of the released code 0.021 by hooks and 0.029 in all"
        cells.append(PrintedCost(source, row, Quantity.MULTIPLY_ADDS, gflops, changes, step if layers > 3 else ""))
    return tuple(cells)


def _table_2() -> tuple[PrintedCost, ...]:
    of_backbone = (
        ("MobileNet-V2", MOBILENET, "0.52", "unexplained: five layers, as the caption says, give 0.466, and six 0.487"),
        ("ResNet-50", RESNET50, "4.54", "Table 1e prints 4.54 for five layers too"),
        ("HRNet-W32", HRNET_W32, "7.95", ""),
    )
    cells = [
        PrintedCost(f"Table 2a, {name}", f"{name}, 5 layers", Quantity.MULTIPLY_ADDS, printed, model(backbone, 5), note)
        for name, backbone, printed, note in of_backbone
    ]
    for size, printed in (((64, 64), "0.49"), ((128, 128), "1.55"), ((256, 192), "4.48")):
        source, row = f"Table 2b, {size[0]} x {size[1]}", f"ResNet-50, {size[0]}x{size[1]}, 3 layers"
        changes = model(RESNET50, 3, size)
        cells.append(PrintedCost(source, row, Quantity.PARAMETERS_WITHOUT_FLOWS, "28.8", changes, "without the flows"))
        note = "unexplained: six layers would give 0.494, but 1.598 at 128 x 128" if size == (64, 64) else ""
        cells.append(PrintedCost(source, row, Quantity.MULTIPLY_ADDS, printed, changes, note))
    return tuple(cells)


def _table_5() -> tuple[PrintedCost, ...]:
    rows = (
        ("MobileNet-V2", MOBILENET, 6, (256, 192), "0.5", ""),
        ("ResNet-50", RESNET50, 6, (256, 192), "4.6", "4.57 in Table 1e and 4.54 in Table 2a, rounded"),
        ("ResNet-152", RESNET152, 6, (256, 192), "11.9", ""),
        ("HRNet-W32", HRNET_W32, 6, (256, 192), "7.4", f"Table 2a prints 7.95; {BINARY}"),
        ("HRNet-W48", HRNET_W48, 6, LARGE, "33.6", BINARY),
        ("HRFormer-T", HRFORMER_T, 3, (256, 192), "1.4", ""),
        ("HRFormer-S", HRFORMER_S, 3, (256, 192), "3.0", ""),
        ("HRFormer-B", HRFORMER_B, 6, (256, 192), "12.6", ""),
        ("HRFormer-B", HRFORMER_B, 6, LARGE, "27.4", ""),
    )
    return tuple(
        PrintedCost(
            f"Table 5, {name}, {size[0]} x {size[1]}",
            f"{name}, {size[0]}x{size[1]}, {layers} layers",
            Quantity.MULTIPLY_ADDS,
            printed,
            model(backbone, layers, size),
            note,
        )
        for name, backbone, layers, size, printed, note in rows
    )


def _supplement() -> tuple[PrintedCost, ...]:
    shared, own = model(RESNET50, 6, share_layers=True), model(RESNET50, 6)
    msda, emsda = model(RESNET50, 3, cross_attention="msda"), model(RESNET50, 3)
    decoder, row = Quantity.DECODER_MULTIPLY_ADDS, "ResNet-50, 3 layers"
    return (
        PrintedCost("Supp. Table 3, not shared", "ResNet-50, 6 layers", Quantity.PARAMETERS_WITHOUT_FLOWS, "32.3", own,
                    "no number of layers gives it: 5 have 31.7 M, 6 have 33.1 M, which Table 1e prints"),
        PrintedCost("Supp. Table 3, shared", "ResNet-50, 6 layers shared", Quantity.PARAMETERS, "26.2", shared,
                    "layer and output branches shared; counts the two flows"),
        PrintedCost("Supp. Table 4, EMSDA", f"{row}, EMSDA", decoder, "0.44", emsda,
                    "the neck (0.377 in convolutions) and 0.021 a decoder layer"),
        PrintedCost("Supp. Table 4, MSDA", f"{row}, MSDA", decoder, "1.25", msda,
                    "MSDA projects 4080 cells in each of 3 layers: 3 x 4080 x 256^2 = 0.80 more"),
        PrintedCost("Supp. Table 5, R-50", "ResNet-50, 6 layers", Quantity.MULTIPLY_ADDS, "4.6", own,
                    "4.57 in Table 1e and 4.54 in Table 2a, rounded"),
    )  # fmt: skip


PRINTED_COSTS = (*_table_1d(), *_table_1e(), *_table_2(), *_table_5(), *_supplement())
