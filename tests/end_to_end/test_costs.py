"""Multiply-adds that plans are made of: what more regions cost, by hand."""

from poseur_lib.costs.training import training_multiply_adds
from tests.end_to_end.small import SMALL, small_config


def test_more_regions_cost_two_layers_each_and_a_quarter_of_them_the_tower():
    few, body = training_multiply_adds(small_config())
    many, same = training_multiply_adds(small_config(**{"model.head.region_batch": SMALL["region_batch"] + 16}))
    channels, box = SMALL["pyramid_channels"], SMALL["box_channels"]
    tower = sum(before * after for before, after in zip((channels, *SMALL["tower"]), SMALL["tower"], strict=False))
    assert many - few == 16 * (channels * 49 * box + box * box) + 4 * 14 * 14 * 9 * tower
    assert body == same < few
