"""Table 1 of the paper, and what its text says about it: so far parts b and c.

One cell once; AP and AR are OKS AP and AR x 100 on COCO val2017.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Printed:
    """A figure that the paper prints, and where."""

    value: float
    source: str


TABLE_1B_WITHOUT_NOISE = Printed(73.7, "Table 1b, row ✗")
TABLE_1B_WITH_NOISE = Printed(74.3, "Table 1b, row ✓")
NOISE_GAIN = Printed(0.6, "Sec. 4.2, Noisy reference points sampling strategy")

TABLE_1C_RLE = Printed(73.6, "Table 1c, row RLE [18]")
TABLE_1C_OURS = Printed(74.7, "Table 1c, row Ours")
WITHOUT_KEYPOINT_SCORE = Printed(70.0, "Sec. 3.3, Prediction uncertainty estimation")
GAIN_OVER_NONE = Printed(4.7, "Sec. 3.3 and Sec. 4.2, Uncertainty estimation")
GAIN_OVER_RLE = Printed(1.0, "Sec. 4.2, Uncertainty estimation")
