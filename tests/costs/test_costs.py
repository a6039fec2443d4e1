"""Parameters and multiply-adds by hand: the head's parts, attention, sampling."""

import pytest

from poseur_lib.costs import cost
from poseur_lib.models.poseur.sampling import sampled_by
from tests.costs.models import poseur, small

K, C, HEADS, LEVELS, POINTS, FFN = 17, 256, 8, 4, 4, 1024
CELLS = 64 * 48 + 32 * 24 + 16 * 12 + 8 * 6
SMALL_CELLS = 16 * 12 + 8 * 6 + 4 * 3 + 2 * 2


def linear(before: int, after: int) -> int:
    return before * after + after


def test_head_parameters_by_hand():
    counted = cost(poseur("res50", 3))
    samples = HEADS * LEVELS * POINTS
    attention = linear(C, 3 * C) + linear(C, C)
    deformable = linear(C, 2 * samples) + linear(C, samples) + linear(C, C) + C * C + C
    layer = attention + deformable + linear(C, FFN) + linear(FFN, C) + 3 * 2 * C
    branches = 3 * (2 * linear(C, C) + linear(C, 2))
    assert layer + branches == 1_416_838  # one layer and its three branches, as recorded of the released code
    assert counted.part("decoder").parameters == 3 * layer
    assert counted.part("branches").parameters == 3 * branches
    assert counted.part("neck").parameters == C * (256 + 512 + 1024 + 2048) + LEVELS * 2 * C
    assert counted.part("coarse stage").parameters == 2 * linear(C, 2 * K)
    assert counted.part("keypoint encoder").parameters == K * C + linear(2 * C, C) + 2 * C
    assert counted.part("memory").parameters == LEVELS * C
    assert counted.part("flows").parameters == 2 * 6 * 2 * (linear(2, 64) + linear(64, 64) + linear(64, 2))
    assert counted.part("backbone").parameters == 23_508_032
    assert counted.parameters == 29_005_894
    assert counted.parameters_without_flows == 28_898_326


def test_head_multiply_adds_by_hand():
    counted = cost(poseur("res50", 3))
    samples = HEADS * LEVELS * POINTS
    attention = K * C * 4 * C + 2 * K * K * C
    deformable = K * C * 3 * samples + K * C * C + K * C * C + 5 * K * samples * C
    layer = attention + deformable + 2 * K * C * FFN
    assert counted.part("decoder").multiply_adds == 3 * layer
    assert counted.part("branches").multiply_adds == 3 * 3 * K * (2 * C * C + 2 * C)
    assert counted.part("coarse stage").multiply_adds == 2 * C * 2 * K
    assert counted.part("keypoint encoder").multiply_adds == K * 2 * C * C
    assert counted.part("neck").multiply_adds == C * (256 * 3072 + 512 * 768 + 1024 * 192 + 2048 * 48)
    assert counted.part("flows").multiply_adds == 0
    assert counted.multiply_adds == sum(part.multiply_adds for part in counted.parts)


def test_attention_is_counted():
    with_it, without = (cost(small(self_attention=on)) for on in (True, False))
    saved = with_it.multiply_adds - without.multiply_adds
    assert saved == 3 * (K * C * 4 * C + 2 * K * K * C)
    assert with_it.hook_multiply_adds - without.hook_multiply_adds == 3 * 2 * K * C  # only its LayerNorm is a hook's


def test_sampling_is_counted():
    points = [cost(small(num_points=number)) for number in (4, 5)]
    more_samples = 3 * K * HEADS * LEVELS
    of_linear_layers = more_samples * C * 3
    assert points[1].multiply_adds - points[0].multiply_adds == 5 * more_samples * C + of_linear_layers
    assert points[1].hook_multiply_adds - points[0].hook_multiply_adds == of_linear_layers


@pytest.mark.parametrize("way", ["bags", "matrix"])
def test_the_way_of_sampling_does_not_change_the_count(way):
    expected = cost(small())
    with sampled_by(way):
        assert cost(small()) == expected


def test_msda_projects_every_cell_and_samples_less():
    msda, emsda = cost(small(cross_attention="msda")), cost(small(cross_attention="emsda"))
    assert msda.parameters == emsda.parameters
    assert msda.hook_multiply_adds - emsda.hook_multiply_adds == 3 * SMALL_CELLS * C * C
    fewer_channels = 5 * K * HEADS * LEVELS * POINTS * (C - C // HEADS)
    assert msda.multiply_adds - emsda.multiply_adds == 3 * (SMALL_CELLS * C * C - K * C * C - fewer_channels)


def test_shared_layers_cost_time_but_no_parameters():
    shared, own, one = (cost(small(**change)) for change in ({"share_layers": True}, {}, {"decoder_layers": 1}))
    assert shared.parameters == one.parameters
    assert (shared.multiply_adds, shared.hook_multiply_adds) == (own.multiply_adds, own.hook_multiply_adds)


def test_supplementary_table_4():
    counted = cost(poseur("res50", 3))
    assert counted.part("neck").multiply_adds / 1e9 == pytest.approx(0.377, abs=5e-4)
    per_layer = (counted.part("decoder").hook_multiply_adds + counted.part("branches").hook_multiply_adds) / 3
    assert per_layer / 1e9 == pytest.approx(0.021, abs=5e-4)
    assert per_layer == 20_706_816  # the step from one row of the recorded counts to the next
    assert 3 * CELLS * C**2 / 1e9 == pytest.approx(0.80, abs=5e-3)
