"""From the image to the box and back: every frame is a round trip, and pixels are where their points are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from poseur_lib.config import DataConfig, WholeImageConfig
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.whole_images import (
    PIXEL_CENTRE,
    LabelledImage,
    Shown,
    by_short_side,
    drawn_piece,
    labelled_images,
    shown_image,
    shown_people,
    to_px,
)
from poseur_lib.evaluation.whole_images import FoundPeople, joined
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.end_to_end.frames import from_box, inside, mirrored, to_box, to_canvas
from poseur_lib.models.end_to_end.model import View
from poseur_lib.poses import PosePrediction
from tests.end_to_end.small import write_images

SIDE = st.integers(20, 90)
BOXES = torch.tensor([[3.0, 4.0, 33.0, 10.0], [-5.0, 2.0, 200.0, 90.0]])


def test_box_frame_and_back():
    points = torch.rand(2, 17, 2, generator=torch.Generator().manual_seed(0)) * 3 - 1
    torch.testing.assert_close(to_box(from_box(points, BOXES), BOXES), points)
    corners = BOXES.view(2, 2, 2)
    torch.testing.assert_close(to_box(corners, BOXES), torch.tensor([[[0.0, 0.0], [1.0, 1.0]]]).expand(2, 2, 2))
    assert inside(corners, BOXES).all() and not inside(corners + torch.tensor([0.1, 0.0]), BOXES)[:, 1].any()


def test_a_point_of_a_box_is_where_its_pixel_is_in_the_canvas():
    points = torch.tensor([[[0.5, 0.5]], [[1.2, -0.5]]])
    in_canvas = from_box(points, to_canvas(BOXES, (128, 64)))
    torch.testing.assert_close(in_canvas, from_box(points, BOXES) / torch.tensor([64.0, 128.0]))


def test_mirroring_twice_is_nothing():
    once = mirrored(BOXES, 64.0)
    assert (once[:, 2] > once[:, 0]).all()
    torch.testing.assert_close(mirrored(once, 64.0), BOXES)


@pytest.mark.parametrize("flipped", [False, True])
def test_a_views_frame_and_back(flipped):
    view = View({}, (64, 96), (50, 80), (1.6, 1.25), flipped)
    torch.testing.assert_close(view.to_image(view.to_px(BOXES)), BOXES)
    left = view.to_px(BOXES)[0, 0]
    assert left == pytest.approx(80 - 33 * 1.6 if flipped else 3 * 1.6)


@given(SIDE, SIDE, st.integers(0, 1000), st.sampled_from([None, (0.1, 2.0), (1.0, 2.0)]))
def test_a_drawn_piece_lies_in_the_image_and_its_frame_inverts(height, width, seed, jitter):
    whole = WholeImageConfig(scale_jitter=jitter, train_sides=(40, 64))
    shown = drawn_piece(np.random.default_rng(seed), (height, width), whole, (64, 48))
    (left, top), (h, w) = shown.offset, shown.size
    assert 0 <= left and 0 <= top and left + w <= shown.resized[1] and top + h <= shown.resized[0]
    assert jitter is None or (h <= 64 and w <= 48)
    points = np.random.default_rng(seed).uniform(-10, 100, (5, 2)).astype(np.float32)
    back = to_px(points, (height, width), shown)
    back = back * [-1, 1] + [w, 0] if shown.flipped else back
    back = (back + shown.offset) * [width / shown.resized[1], height / shown.resized[0]]
    np.testing.assert_allclose(back, points, atol=1e-3)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("factor", [0.5, 1, 3])
def test_a_bright_pixel_is_shown_where_its_point_is(factor, flipped):
    """COCO's keypoint (20, 10) is the pixel of column 20 and row 10, of whatever size the image is shown."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[10, 20] = 255
    shown = Shown(
        (int(40 * factor), int(60 * factor)), (int(4 * factor), 2), (int(25 * factor), int(50 * factor)), flipped
    )
    pixels = shown_image(image, shown)[..., 0].astype(np.float64)
    assert pixels.shape == shown.size
    rows, columns = np.indices(pixels.shape)
    centre = np.array([(columns * pixels).sum(), (rows * pixels).sum()]) / pixels.sum() + PIXEL_CENTRE
    np.testing.assert_allclose(
        to_px(np.array([20.5, 10.5], np.float32), (40, 60), shown), centre, atol=0.51 / factor**0.5
    )
    if factor != 0.5:
        np.testing.assert_allclose(to_px(np.array([20.5, 10.5], np.float32), (40, 60), shown), centre, atol=1e-4)


def test_people_at_the_border_are_cut_and_those_beyond_it_left_out():
    boxes = np.array([[-10, 5, 20, 30], [50, 0, 70, 40], [70, 0, 90, 40]], np.float32)
    points = np.stack([np.linspace(box[:2], box[2:], 17) for box in boxes]).astype(np.float32)
    image = LabelledImage(1, Path("1.png"), (40, 60), boxes, points, np.ones((3, 17), bool), boxes[1:])
    people = shown_people(image, Shown((40, 60), (0, 0), (40, 60)), COCO_17.flip_index)
    np.testing.assert_array_equal(people.boxes_px, [[0, 5, 20, 30], [50, 0, 60, 40]])
    np.testing.assert_array_equal(people.crowds_px, [[50, 0, 60, 40]])
    assert people.labelled.sum(axis=1).tolist() == [(points[0, :, 0] >= 0).sum(), (points[1, :, 0] <= 60).sum()]
    flipped = shown_people(image, Shown((40, 60), (0, 0), (40, 60), True), COCO_17.flip_index)
    np.testing.assert_array_equal(flipped.boxes_px, [[40, 5, 60, 30], [0, 0, 10, 40]])
    np.testing.assert_array_equal(flipped.crowds_px, [[0, 0, 10, 40]])
    mirrored_back = flipped.keypoints_px[:, list(COCO_17.flip_index)] * [-1, 1] + [60, 0]
    np.testing.assert_allclose(mirrored_back, people.keypoints_px, atol=1e-4)


def test_images_hold_everybody_and_crowds_apart(tmp_path):
    unlabelled = {"bbox": [5, 5, 10, 20], "keypoints": [0] * 51}
    crowd = {"bbox": [0, 0, 40, 40], "iscrowd": 1}
    data = write_images(tmp_path / "data", [[{"bbox": [2, 3, 20, 40]}, unlabelled, crowd], [], [unlabelled], [crowd]])
    people = CocoPeople(data, "val", COCO_17)
    images = labelled_images(people)
    assert [len(image.boxes_image) for image in images] == [2, 0, 1, 0]
    assert [image.crowds_image.tolist() for image in images] == [[[0, 0, 40, 40]], [], [], [[0, 0, 40, 40]]]
    assert images[0].boxes_image[0].tolist() == [2, 3, 22, 43] and not images[0].labelled[1].any()
    assert images[0].keypoints_image[0, 0].tolist() == [2.5, 3.5], (
        "a keypoint names a pixel, whose centre is 0.5 farther"
    )
    assert [image.image_id for image in labelled_images(people, with_keypoints=True)] == [1]


def test_what_is_predicted_in_a_box_comes_out_as_coco_has_it():
    """The inverse of the load: continuous less 0.5, or as it is for torchvision's own models."""
    boxes = np.array([[2, 3, 22, 43]], np.float32)
    point = torch.tensor([[[0.5, 0.25]]])
    found = FoundPeople(boxes, np.ones(1, np.float32), PosePrediction(point, torch.ones(1, 1)))
    nobody = FoundPeople(np.zeros((0, 4), np.float32), np.zeros(0, np.float32),
                         PosePrediction(torch.zeros(0, 1, 2), torch.zeros(0, 1)))  # fmt: skip
    for pixel_centre, expected in ((0.5, [11.5, 12.5]), (0.0, [12, 13])):
        data = DataConfig(whole_image=WholeImageConfig(pixel_centre=pixel_centre))
        predictions = joined([(7, nobody), (8, found)], 1, data)
        assert predictions.image_id.tolist() == [8]
        np.testing.assert_allclose(predictions.keypoints_image(), [[expected]])
        assert len(joined([(7, nobody)], 1, data)) == 0


def test_the_longest_side_is_a_bound():
    assert by_short_side((480, 640), 800, 1333) == (800, 1067)
    assert by_short_side((300, 900), 800, 1333) == (444, 1333)
