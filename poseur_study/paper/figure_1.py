"""Figure 1, AP over GFLOPs on COCO val, as far as the tables give its points: the figure itself prints no numbers."""

from typing import NamedTuple

from poseur_study.paper.formula import Cell


class Point(NamedTuple):
    """A method at a backbone."""

    table: str
    row: str

    @property
    def gflops(self) -> Cell:
        """Its cost."""
        return Cell(self.table, self.row, "GFLOPs")

    @property
    def ap(self) -> Cell:
        """Its AP."""
        return Cell(self.table, self.row, "AP")


# The caption names no rows: these are all of the tables with both numbers, one for a method at a backbone and size.
# Table 2a first, because its deconvolutional baselines with MobileNet-V2 and ResNet are those that the caption names.
FIGURE_1 = (
    *(Point("2a", row) for row in ("simba_mobilenet", "simba_resnet50", "hrnet_w32")),
    *(Point("2a", f"poseur_{row}") for row in ("mobilenet", "resnet50", "hrnet_w32")),
    *(Point("5", row) for row in ("simba_resnet152", "hrnet_w48_384")),
    *(Point("5", f"hrformer_{row}") for row in ("t", "s", "b", "b_384")),
    *(Point("5", f"poseur_{row}") for row in ("resnet152", "hrnet_w48_384")),
    *(Point("5", f"poseur_hrformer_{row}") for row in ("t", "s", "b", "b_384")),
)
