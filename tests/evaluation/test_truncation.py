"""Cut people in closed form: what is left of box and image, and where the keypoints lie then."""

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from poseur_lib.data.coco import CocoPeople, Person
from poseur_lib.data.crop import CropRule, box_to_center_scale, crop_image, crop_matrix, keypoints_to_image
from poseur_lib.errors import UserError
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.evaluation.truncation import Cut, CutImages, correct, cut_people, places
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.build import build_model
from poseur_lib.runtime import Runtime
from tests.training.tiny import tiny_config, write_people

SIZE = (64, 48)
RULE = CropRule()
LAST = np.array([47 / 48, 63 / 64])
"""The last pixel's centre."""
sides = st.sampled_from(["bottom", "right"])


def person_at(points: dict[int, tuple[float, float]], box=(100.0, 100.0, 15.0, 100.0), area: float = 1500.0) -> Person:
    """Somebody of whom some keypoints are labelled."""
    keypoints, visibility = np.zeros((17, 2), np.float32), np.zeros(17, int)
    for index, point in points.items():
        keypoints[index], visibility[index] = point, 2
    return Person(1, Path("1.jpg"), box, annotation_id=7, keypoints_image=keypoints, visibility=visibility, area=area)


def where(person: Person, cut: Cut) -> dict[str, list[int]]:
    found = places([person], cut, COCO_17, SIZE, RULE)
    return {name: np.flatnonzero(values[0]).tolist() for name, values in vars(found).items()}


def test_box_and_image_end_at_the_cut():
    box, image = (10.0, 20.0, 40.0, 100.0), np.full((150, 80, 3), 200, np.uint8)
    assert Cut("bottom", 0.3).box(box) == (10.0, 20.0, 40.0, 70.0)
    assert Cut("right", 0.25).box(box) == (10.0, 20.0, 30.0, 100.0)
    below = Cut("bottom", 0.3).image(image, box)
    assert below[:91].min() == 200 and below[91:].max() == 0
    beside = Cut("right", 0.25).image(image, box)
    assert beside[:, :41].min() == 200 and beside[:, 41:].max() == 0
    assert image.min() == 200
    points = np.array([[30, 90], [30, 90.6], [41, 20]], np.float32)
    assert Cut("bottom", 0.3).beyond(points, box).tolist() == [False, True, False]
    assert Cut("right", 0.25).beyond(points, box).tolist() == [False, False, True]


def test_without_a_cut_nothing_changes():
    box, image = (10.0, 20.0, 40.0, 100.0), np.full((150, 80, 3), 200, np.uint8)
    cut = Cut("bottom", 0.0)
    assert cut.box(box) == box and (cut.image(image, box) == image).all()
    assert not cut.beyond(np.array([[0, 149]], np.float32), box).any()


@pytest.mark.parametrize("share", [-0.1, 1.0, math.nan])
def test_a_share_that_leaves_nothing_is_refused(share):
    with pytest.raises(ValueError, match=f"got {share}"):
        Cut("bottom", share)


def test_a_tiny_box_keeps_a_pixel():
    x, y, width, height = Cut("bottom", 0.9).box((3.4, 5.7, 2.0, 1.5))
    assert (x, y, width) == (3.4, 5.7, 2.0) and 0 < height <= 1


def test_places_of_a_tall_person_in_closed_form():
    """40 % off (100, 100, 15, 100): the box ends at y = 160, so the crop is 75 px high around 130, from 92.5 to 167.5.

    Its last pixel's centre lies at 92.5 + 63 / 64 * 75 = 166.3. The nose has k = 0.052, so that in an area of 1,500 a
    distance of 2.4 px has a similarity of 0.5; a hip with k = 0.214 may be 9.8 px off.
    """
    nose, eye, left_hip, right_hip, knee, ankle = 0, 1, 11, 12, 13, 15
    person = person_at({nose: (107, 110), eye: (107, 161), left_hip: (107, 166), right_hip: (107, 175),
                        knee: (107, 190), ankle: (107, 199)})  # fmt: skip
    found = where(person, Cut("bottom", 0.4))
    assert found["inside"] == [nose, eye, left_hip] and found["padding"] == [eye, left_hip]
    assert found["outside"] == [right_hip, knee, ankle]
    assert found["far"] == [knee, ankle]
    whole = where(person, Cut("bottom", 0.0))
    assert len(whole["inside"]) == 6 and not whole["padding"] and not whole["outside"]


def test_a_wide_person_s_crop_still_holds_what_was_cut_from_below():
    """Half of (100, 100, 30, 40): the aspect ratio makes the crop 50 px high around 110, as before."""
    person = person_at({0: (115, 118), 13: (115, 130), 15: (115, 140)}, box=(100.0, 100.0, 30.0, 40.0))
    found = where(person, Cut("bottom", 0.5))
    assert found["inside"] == [0, 13] and found["padding"] == [13] and found["outside"] == [15]


@given(sides, st.floats(0, 0.9), st.integers(0, 2**31 - 1))
def test_places_divide_the_labelled_keypoints_and_nothing_inside_the_crop_is_near_the_far_ones(side, share, seed):
    rng = np.random.default_rng(seed)
    labelled = {index: tuple(rng.uniform((80, 80), (140, 230))) for index in range(17) if rng.random() < 0.7}
    person, cut = person_at(labelled, area=float(rng.uniform(200, 5000))), Cut(side, share)
    found = places([person], cut, COCO_17, SIZE, RULE)
    known = person.visibility > 0
    assert ((found.inside[0] ^ found.outside[0]) == known).all() and not (found.inside & found.outside).any()
    assert (found.padding <= found.inside).all() and (found.far <= found.outside).all()
    center, box_scale = box_to_center_scale(cut.box(person.box), SIZE, RULE)
    for _ in range(20):
        anywhere = keypoints_to_image((rng.random((1, 17, 2)) * LAST).astype(np.float32), center[None], box_scale[None])
        assert not (correct(anywhere, [person], COCO_17) & found.far).any()


def test_a_keypoint_is_correct_up_to_the_distance_of_similarity_one_half():
    person = person_at({0: (107, 110), 11: (107, 150)})
    reach = {index: 2 * COCO_17.oks_sigmas[index] * math.sqrt(2 * math.log(2) * person.area) for index in (0, 11)}
    for factor, expected in ((0.999, True), (1.001, False)):
        pose = person.keypoints_image.copy()
        for index, distance in reach.items():
            pose[index] += (0, factor * distance)
        found = correct(pose[None], [person], COCO_17)[0]
        assert [bool(found[index]) for index in reach] == [expected, expected]


def test_the_crop_is_that_of_an_image_that_ends_there():
    rng = np.random.default_rng(0)
    image, box = rng.integers(0, 255, (240, 160, 3), np.uint8), (40.0, 30.0, 60.0, 150.0)
    for cut, ended in ((Cut("bottom", 0.4), image[:121]), (Cut("right", 0.4), image[:, :77])):
        matrix = crop_matrix(*box_to_center_scale(cut.box(box), SIZE, RULE), 0.0, SIZE, RULE)
        ours, theirs = (crop_image(one, matrix, SIZE) for one in (cut.image(image, box), np.ascontiguousarray(ended)))
        assert np.array_equal(ours, theirs) and (ours == 0).all(-1).any()


@pytest.fixture(scope="module")
def val(tmp_path_factory) -> list[Person]:
    return CocoPeople(write_people(tmp_path_factory.mktemp("people"), train=1, val=6), "val", COCO_17).people()


@pytest.mark.parametrize("side", ["bottom", "right"])
def test_the_poses_of_people_without_a_cut_are_those_of_the_usual_prediction(val, side):
    torch.manual_seed(0)
    config = tiny_config()
    model, runtime = build_model(config), Runtime(data=Path(), device="cpu")
    usual = predict_people(model, val, config, runtime)
    cuts = {share: Cut(side, share) for share in (0.0, 0.4)}
    same, other = (
        predict_people(model, cut_people(val, cut), config, runtime, CutImages(val, cut)) for cut in cuts.values()
    )
    assert np.array_equal(usual.keypoints_image(), same.keypoints_image())
    assert np.array_equal(usual.sigma, same.sigma)
    assert not np.array_equal(usual.keypoints_image(), other.keypoints_image())


def test_people_of_one_image_are_cut_each_for_themselves(tmp_path):
    cv2.imwrite(str(tmp_path / "1.jpg"), np.full((150, 80, 3), 255, np.uint8))
    one = replace(person_at({}, box=(10.0, 20.0, 40.0, 100.0)), image_path=tmp_path / "1.jpg")
    two = replace(one, box=(10.0, 20.0, 40.0, 50.0), annotation_id=8)
    cut = Cut("bottom", 0.5)
    images = CutImages([one, two], cut)
    ends = [int((images(person.image_path)[:, 30, 0] > 0).sum()) for person in cut_people([one, two], cut)]
    assert ends == [71, 46]


def test_an_image_that_is_not_of_the_labelled_size_is_not_cut(tmp_path):
    cv2.imwrite(str(tmp_path / "1.jpg"), np.full((150, 80, 3), 255, np.uint8))
    one = replace(person_at({}), image_path=tmp_path / "1.jpg", image_size=(300, 160))
    images = CutImages([one], Cut("bottom", 0.5))
    with pytest.raises(UserError, match=r"1\.jpg: image is 80 x 150, but the annotation file says 160 x 300"):
        images(cut_people([one], images.cut)[0].image_path)
