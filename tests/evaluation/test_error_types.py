"""Types of keypoint errors: each from a pose that is made to have it, and thresholds at their closed form."""

import math

import numpy as np
import pytest

from poseur_lib.evaluation.errors import UNLABELLED, ErrorType, error_types
from poseur_lib.evaluation.oks import keypoint_similarity, oks
from poseur_lib.keypoints import COCO_17

AREA = 100.0**2
LEFT, RIGHT = COCO_17.names.index("left_wrist"), COCO_17.names.index("right_wrist")
NOSE = COCO_17.names.index("nose")


def distance(similarity: float, keypoint: int = LEFT) -> float:
    """At which distance the similarity is this: sqrt(-2 ln s) k sqrt(area), k = 2 sigma."""
    return math.sqrt(-2 * math.log(similarity)) * 2 * COCO_17.oks_sigmas[keypoint] * math.sqrt(AREA)


@pytest.fixture
def people():
    """Two people far from each other, with keypoints far apart."""
    first = np.stack([np.arange(17) * 200.0, np.zeros(17)], axis=1)
    return np.stack([first, first + np.array([0, 5000])])


def types(predicted, truth, labelled=None):
    labelled = np.ones(truth.shape[:2], bool) if labelled is None else labelled
    return error_types(predicted, truth, labelled, np.full(len(truth), AREA), COCO_17)


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [(0.999, ErrorType.GOOD), (0.851, ErrorType.GOOD), (0.849, ErrorType.JITTER), (0.501, ErrorType.JITTER),
     (0.499, ErrorType.MISS), (0.01, ErrorType.MISS)],
)  # fmt: skip
def test_good_jitter_and_miss_change_at_their_thresholds(people, similarity, expected):
    predicted = people.copy()
    predicted[0, LEFT, 1] += distance(similarity)
    found = types(predicted, people)
    assert found[0, LEFT] == expected
    found[0, LEFT] = ErrorType.GOOD
    assert (found == ErrorType.GOOD).all()


def test_exchanged_sides_are_inversions_and_the_nose_has_no_side(people):
    predicted = people.copy()
    predicted[0] = people[0, list(COCO_17.flip_index)]
    expected = np.full(17, int(ErrorType.INVERSION))
    expected[NOSE] = ErrorType.GOOD
    assert (types(predicted, people)[0] == expected).all()


def test_another_person_s_place_is_a_swap_whatever_the_side(people):
    assert (types(people[::-1], people) == ErrorType.SWAP).all()
    predicted = people.copy()
    predicted[0, LEFT] = people[1, RIGHT]
    assert types(predicted, people)[0, LEFT] == ErrorType.SWAP
    predicted[0, LEFT] = people[1, NOSE]
    assert types(predicted, people)[0, LEFT] == ErrorType.MISS


def test_near_the_own_place_nothing_else_counts(people):
    people[1, LEFT] = people[0, LEFT]
    people[0, RIGHT] = people[0, LEFT]
    predicted = people.copy()
    predicted[0, LEFT, 1] += distance(0.6)
    assert types(predicted, people)[0, LEFT] == ErrorType.JITTER


def test_between_inversion_and_swap_the_nearer_place_decides(people):
    people[1, LEFT] = people[0, RIGHT] + [0, distance(0.3)]
    predicted = people.copy()
    predicted[0, LEFT] = people[0, RIGHT] + [0, 0.1 * distance(0.3)]
    assert types(predicted, people)[0, LEFT] == ErrorType.INVERSION
    predicted[0, LEFT] = people[0, RIGHT] + [0, 0.9 * distance(0.3)]
    assert types(predicted, people)[0, LEFT] == ErrorType.SWAP


def test_what_is_not_labelled_is_neither_judged_nor_taken_for_another_place(people):
    labelled = np.ones((2, 17), bool)
    labelled[0, RIGHT] = False
    predicted = people.copy()
    predicted[0, LEFT] = people[0, RIGHT]
    found = types(predicted, people, labelled)
    assert found[0, RIGHT] == UNLABELLED and found[0, LEFT] == ErrorType.MISS


def test_the_mean_of_similarities_is_oks():
    rng = np.random.default_rng(0)
    predicted, truth = rng.normal(0, 30, (2, 4, 17, 2))
    area = rng.uniform(50, 150, 4) ** 2
    similarity = keypoint_similarity(predicted, truth, area, COCO_17.oks_sigmas)
    expected = oks(predicted, truth, np.ones((4, 17), bool), area, COCO_17.oks_sigmas)
    assert similarity.mean(1) == pytest.approx(expected)


def test_nobody():
    assert types(np.zeros((0, 17, 2)), np.zeros((0, 17, 2))).shape == (0, 17)
