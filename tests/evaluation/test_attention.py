"""Shares of attention in closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from poseur_lib.evaluation.attention import (
    chance_share,
    named_only,
    neighbours_and_partners,
    quasi_independent,
    related_share,
    weights_on_others,
)
from poseur_lib.keypoints import COCO_17

NAMED = {"left_shoulder": ("left_elbow", "left_wrist", "left_ear")}


@pytest.mark.parametrize("related", [neighbours_and_partners(COCO_17), named_only(COCO_17, NAMED)])
def test_equal_attention_gives_the_chance_share_whatever_a_keypoint_keeps_for_itself(related):
    for own in (1 / 17, 0.5):
        weights = np.full((3, 17, 17), (1 - own) / 16)
        weights[:, range(17), range(17)] = own
        np.testing.assert_allclose(related_share(weights, related), chance_share(related))


@given(arrays(float, 7, elements=st.floats(0.05, 1)), arrays(float, (7, 7), elements=st.floats(0.05, 1)))
def test_one_taste_is_found_again_and_any_matrix_keeps_its_columns(taste, weights):
    one_taste = np.broadcast_to(taste, (7, 7))
    np.testing.assert_allclose(quasi_independent(one_taste), weights_on_others(one_taste), atol=1e-6)
    fitted = quasi_independent(weights)
    np.testing.assert_allclose(fitted.sum(axis=1), 1)
    np.testing.assert_allclose(fitted.sum(axis=0), weights_on_others(weights).sum(axis=0), atol=1e-6)
    assert not fitted.diagonal().any()


def test_bright_columns_are_no_relation_and_a_relation_of_one_is():
    """All look at the elbow, the wrist and the ear: more than by equal weight, and no more than from others."""
    related, names = named_only(COCO_17, NAMED), COCO_17.names
    weights = np.ones((17, 17))
    weights[:, [names.index(name) for name in NAMED["left_shoulder"]]] = 3
    assert related_share(weights, related) > chance_share(related) + 0.2
    assert related_share(weights, related) == pytest.approx(related_share(quasi_independent(weights), related))
    asks = np.where(related, 3.0, 1.0)
    assert related_share(asks, related) > related_share(quasi_independent(asks), related) + 0.1


def test_all_or_nothing():
    related = neighbours_and_partners(COCO_17)
    to_related = related / related.sum(axis=1, keepdims=True)
    others = ~related & ~np.eye(17, dtype=bool)
    to_others = others / others.sum(axis=1, keepdims=True)
    assert related_share(to_related, related) == pytest.approx(1)
    assert related_share(to_others, related) == pytest.approx(0)
    assert related_share(0.5 * to_related + 0.5 * to_others, related) == pytest.approx(0.5)


def test_neighbours_and_partners_are_those_of_the_skeleton_both_ways():
    related = neighbours_and_partners(COCO_17)
    names = COCO_17.names
    of_shoulder = {names[index] for index in np.flatnonzero(related[names.index("left_shoulder")])}
    assert of_shoulder == {"right_shoulder", "left_elbow", "left_hip", "left_ear"}
    assert (related == related.T).all() and not related.diagonal().any()


def test_named_keypoints_have_a_row_and_a_keypoint_that_is_not_there_none():
    related = named_only(COCO_17, NAMED | {"tail": ("nose",), "nose": ("tail",)})
    assert related.sum() == 3 and related.any(axis=1).sum() == 1
    assert chance_share(related) == pytest.approx(3 / 16)


def test_weights_on_others_leave_out_what_a_keypoint_takes_of_itself():
    weights = weights_on_others(np.array([[0.8, 0.15, 0.05], [0.1, 0.5, 0.4], [0.3, 0.3, 0.4]]))
    np.testing.assert_allclose(weights, [[0, 0.75, 0.25], [0.2, 0, 0.8], [0.5, 0.5, 0]])
