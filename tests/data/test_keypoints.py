"""Keypoint sets: COCO's against the reference, and what contradicts itself is refused."""

from dataclasses import replace

import numpy as np
import pytest

from poseur_lib.errors import UserError
from poseur_lib.keypoints import COCO_17, KEYPOINT_SETS, keypoint_set


def test_coco_is_the_reference(data_reference):
    theirs = data_reference["ann_info"]
    assert COCO_17.flip_pairs == tuple(tuple(pair) for pair in theirs["flip_pairs"])
    assert COCO_17.upper_body == tuple(theirs["upper_body_ids"])
    assert COCO_17.lower_body == tuple(theirs["lower_body_ids"])
    assert np.allclose(COCO_17.oks_sigmas, theirs["sigmas"], rtol=0, atol=1e-9)


def test_names_and_skeleton_are_those_of_the_annotation_file(coco4):
    import json

    category = json.loads((coco4 / "annotations/person_keypoints_val2017.json").read_text())["categories"][0]
    assert list(COCO_17.names) == category["keypoints"]
    assert [[a + 1, b + 1] for a, b in COCO_17.skeleton] == category["skeleton"]


def test_flip_index_exchanges_left_and_right_and_undoes_itself():
    swapped = [COCO_17.names[index] for index in COCO_17.flip_index]
    exchange = {"left": "right", "right": "left"}
    assert swapped == ["_".join(exchange.get(word, word) for word in name.split("_")) for name in COCO_17.names]
    assert [COCO_17.flip_index[index] for index in COCO_17.flip_index] == list(range(17))


@pytest.mark.parametrize("known", KEYPOINT_SETS, ids=lambda known: known.name)
def test_every_keypoint_is_of_a_half(known):
    """The released code takes all that is not upper as the lower half, the face and hands of whole bodies too."""
    assert sorted(known.upper_body + known.lower_body) == list(range(known.num_keypoints))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"oks_sigmas": (0.1,)}, "17 names, 1 oks_sigmas"),
        ({"oks_sigmas": (-1.0,) * 17}, "positive"),
        ({"flip_pairs": ((1, 2), (2, 3))}, "twice"),
        ({"skeleton": ((0, 17),)}, "index 17"),
        ({"lower_body": (0,)}, "twice"),
        ({"names": ("nose",) * 17}, "distinct"),
    ],
)
def test_contradictions_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        replace(COCO_17, **change)


def test_by_name():
    assert keypoint_set("coco17") is COCO_17
    with pytest.raises(UserError, match=r"'coco_17'.*'coco17'"):
        keypoint_set("coco_17")
