"""Parameters and multiply-adds of heatmap methods beside what is printed of them."""

import json

import pytest
import torch

from poseur_lib.checkpoints.checkpoint import build_without_download
from poseur_lib.config import ExperimentConfig
from poseur_lib.costs import cost
from poseur_study.costs.printed_gflops import BINARY_GIGA, count, output_channel_rule, summary_rule
from tests.costs.models import BACKBONES

RESNET101 = {"kind": "resnet", "depth": 101, "weights": "none"}
UDP = {"decoding": "offset", "centers": "exact", "unbiased": True, "shift_flipped": False}


def heatmaps(backbone, size=(256, 192), **head):
    backbone = BACKBONES[backbone] if isinstance(backbone, str) else backbone
    if backbone["kind"] in ("hrnet", "hrformer"):
        backbone, head = {**backbone, "outputs": "finest"}, {"deconvolutions": 0, **head}
    changes = {"model": {"backbone": backbone, "head": {"kind": "heatmap", **head}}, "data.input_size": list(size)}
    return ExperimentConfig().with_changes(**changes)


def parameters(config) -> int:
    with torch.device("meta"):
        return sum(one.numel() for one in build_without_download(config).parameters())


OURS = {
    ("SimpleBaseline", "ResNet-50"): "res50",
    ("SimpleBaseline", "ResNet-101"): RESNET101,
    ("SimpleBaseline", "ResNet-152"): "R152",
    ("HRNet", "HRNet-W32"): "hrnet_w32",
    ("HRNet", "HRNet-W48"): "hrnet_w48",
    ("HRFormer-T (heatmap)", "HRFormer-T"): "hrformer_tiny",
    ("HRFormer-B (heatmap)", "HRFormer-B"): "hrformer_big",
}


def test_parameters_to_the_printed_digit(shared):
    published = json.loads((shared / "reference" / "published.json").read_text())
    rows = {(row["method"], row["backbone"]): row["params_M"] for row in published}
    for names, backbone in OURS.items():
        assert round(parameters(heatmaps(backbone)) / 1e6, 1) == rows[names], names


def test_parameters_by_hand():
    """Deconvolutions without bias, their batch norms, the last convolution; nothing else is in the head."""
    head = cost(heatmaps("res50", (64, 64))).part("head").parameters
    assert head == 16 * 256 * (2048 + 256 + 256) + 3 * 2 * 256 + 256 * 17 + 17
    assert parameters(heatmaps("res50")) == 33_999_697
    once, three_maps = (parameters(heatmaps("hrnet_w32", codec=codec)) for codec in ({}, UDP))
    assert three_maps - once == 2 * (32 * 17 + 17)


def test_parameters_that_differ():
    """HRFormer-S has 7.8 M and UDP's W32 28.7 M where they are recalled, unverified; no reading of ours gives those."""
    small = heatmaps("hrformer_small")
    assert round(parameters(small) / 1e6, 2) == 7.73
    pyramid = small.with_changes(**{"model": {"backbone": BACKBONES["hrformer_small"], "head": {"kind": "poseur"}}})
    with torch.device("meta"):
        backbone = build_without_download(pyramid).backbone
    assert round(sum(one.numel() for one in backbone.parameters()) / 1e6, 2) == 7.87
    assert round(parameters(heatmaps("hrnet_w32", codec=UDP)) / 1e6, 1) == 28.5


def test_multiply_adds_by_hand():
    """A deconvolution multiplies on its input's cells: 8x6, 16x12, 32x24."""
    counted = cost(heatmaps("res50")).part("head")
    cells = 16 * 256 * (48 * 2048 + 192 * 256 + 768 * 256)
    assert counted.multiply_adds == cells + 3072 * 256 * 17
    elements = 256 * (192 + 768 + 3072)
    assert counted.hook_multiply_adds == counted.multiply_adds + 3072 * 17 + (2 + 1) * elements
    assert round(cost(heatmaps("res50")).hook_multiply_adds / 1e9, 2) == 5.46


@pytest.mark.parametrize(
    ("backbone", "size", "printed"),
    [
        ("mobilenetv2", (256, 192), 4.55),
        ("res50", (256, 192), 8.27),
        ("hrnet_w32", (256, 192), 7.68),
        ("res50", (64, 64), 0.69),
        ("res50", (128, 128), 2.76),
    ],
)
def test_tables_2a_and_2b_of_the_paper(backbone, size, printed):
    """Table 2b prints 8.26 where 2a has 8.27: the number is 8.269."""
    assert round(count(heatmaps(backbone, size), output_channel_rule) / 1e9, 2) == printed


@pytest.mark.parametrize(
    ("backbone", "size", "printed", "tolerance"),
    [
        ("hrnet_w32", (256, 192), 7.1, 0.05),
        ("hrnet_w48", (256, 192), 14.6, 0.05),
        ("hrnet_w48", (384, 288), 32.9, 0.05),
        (RESNET101, (256, 192), 12.4, 0.05),
        ("res50", (256, 192), 8.9, 0.1),
        ("R152", (256, 192), 15.7, 0.1),
        ("R152", (384, 288), 35.3, 0.2),
    ],
)
def test_the_readme_of_hrnet(backbone, size, printed, tolerance):
    """HRNet to the digit; SimpleBaseline with its digits cut off, or within 1 %."""
    assert count(heatmaps(backbone, size), summary_rule) / BINARY_GIGA == pytest.approx(printed, abs=tolerance)


@pytest.mark.slow
def test_hrformer_is_near_what_is_printed():
    """1.3, 2.8, 12.2 and, at 384x288, 26.8 by the hook convention, to 2.5 %."""
    rows = [("hrformer_tiny", (256, 192), 1.344), ("hrformer_small", (256, 192), 2.858),
            ("hrformer_big", (256, 192), 12.286), ("hrformer_big", (384, 288), 27.077)]  # fmt: skip
    for backbone, size, ours in rows:
        assert cost(heatmaps(backbone, size)).hook_multiply_adds / 1e9 == pytest.approx(ours, abs=5e-4)
