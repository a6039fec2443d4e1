"""Counts of the released code, recorded: by module hooks, and by torch's counter."""

import json

import pytest

from poseur_lib.costs import cost
from tests.costs.models import BACKBONES, poseur
from tests.models.reference import RES50, Reference

ONE_BRANCH = 17 * (2 * 256 * 256 + 2 * 256)
QUICK = ("coco/poseur_res50_coco_256x192.py@6", "coco/poseur_mobilenetv2_coco_256x192.py@5")
CONFIGS = (
    *(f"coco/poseur_res50_coco_256x192.py@{layers}" for layers in (3, 4, 5, 6)),
    *(f"coco/poseur_mobilenetv2_coco_256x192.py@{layers}" for layers in (5, 6)),
    *(f"coco/poseur_hrnet_w32_coco_256x192.py@{layers}" for layers in (3, 4, 5, 6)),
    "coco/poseur_hrnet_w48_coco_384x288.py@6",
    "coco/poseur_hrformer_tiny_coco_256x192_3dec.py@3",
    "coco/poseur_hrformer_small_coco_256x192_3dec.py@3",
    "coco/poseur_hrformer_big_coco_256x192.py@6",
    "coco/poseur_hrformer_big_coco_384x288.py@6",
    "R152@5",
    "R152@6",
)
CASES = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in CONFIGS]


@pytest.mark.parametrize("name", CASES)
def test_hook_counts_are_exactly_those_of_the_released_code(shared, name):
    recorded = json.loads((shared / "reference" / "mmcv_complexity.json").read_text())[name]
    model, _, layers = name.partition("@")
    (backbone,) = (known for known in BACKBONES if known in model)
    counted = cost(poseur(backbone, int(layers), (384, 288) if "384x288" in name else (256, 192)))
    assert counted.hook_multiply_adds == recorded["macs_mmcv"]
    assert counted.parameters == recorded["params_mmcv"]


def test_every_recorded_configuration_is_tested(shared):
    assert set(CONFIGS) == set(json.loads((shared / "reference" / "mmcv_complexity.json").read_text()))


def test_everything_is_the_released_codes_count_and_its_samples(shared):
    """The released code runs each layer's coordinate branch twice; ours once."""
    macs = Reference(shared / "reference", RES50).manifest()["macs"]
    counted = cost(poseur("res50", 6))
    assert counted.part("backbone").multiply_adds == macs["backbone"]
    assert counted.part("neck").multiply_adds == macs["neck"]
    head = counted.multiply_adds - macs["backbone"] - macs["neck"]
    samples = macs["grid_sample_bilinear_macs_4_per_output"] + macs["weighted_sum_macs"]
    assert head == macs["head"] + samples - 6 * ONE_BRANCH
