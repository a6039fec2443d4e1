"""What the figures say and where they put it: pixels, places and numbers in captions."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.image import imread
from scipy.optimize import minimize

from poseur_lib.data.crop import transform_points
from poseur_study.explorer.attention import canvas
from poseur_study.explorer.attention.between_keypoints import attention_figure, matrices_figure, spread, strongest
from poseur_study.explorer.attention.canvas import FURTHEST, Window, black_note, draw_photo, drawing, window_around
from poseur_study.explorer.attention.distribution import distribution_figure
from poseur_study.explorer.attention.drawn import Drawn, panels
from poseur_study.explorer.attention.images import overview_figure, with_boxes
from poseur_study.explorer.attention.path import errors_px, path_figure
from poseur_study.explorer.attention.person_view import Crop
from poseur_study.explorer.attention.samples import samples_figure


def all_figures(session):
    seen, keypoint = session.seen, session.keypoint
    weights = session.attention()
    yield samples_figure(seen, keypoint)
    yield samples_figure(seen, keypoint, (2,), head=1, level=3, colour="level")
    yield path_figure(seen, keypoint)
    yield attention_figure(seen, keypoint, *weights.of(0, 1))
    yield matrices_figure(weights.layers, seen.model.keypoints.names, keypoint, weights.what)
    yield distribution_figure(seen, keypoint)
    yield distribution_figure(seen, keypoint, 0)
    yield overview_figure(session.image, 0)


def test_every_figure_is_a_picture_with_words(session):
    for drawn in all_figures(session):
        picture = drawn.picture()
        pixels = imread(io.BytesIO(picture.png))
        assert pixels.std() > 0.02 and picture.width >= 200
        assert len(picture.alt) > 20 and re.search(r"\d", picture.alt.replace(session.seen.who, ""))
        assert "nan" not in picture.alt + picture.caption
        assert drawn.captioned().html().startswith('<figure class="photo">')


def test_nothing_is_drawn_behind_the_panels_so_that_a_page_of_any_ground_shows_through(session):
    for drawn in all_figures(session):
        pixels = imread(io.BytesIO(drawn.picture().png))
        at_the_edge = pixels[0, 0, 3]
        assert at_the_edge == (1 if drawn.figure.axes[0].get_position().width == 1 else 0), drawn.alt


def test_a_bright_pixel_is_drawn_where_its_place_in_the_crop_is(session):
    """Through the crop's matrix, the photo's warp, the axes and back by the picture's areas."""
    crop = session.seen.crop
    image = np.zeros_like(crop.image)
    image[40:42, 30:32] = 255
    centre = transform_points(np.array([30.5, 40.5], np.float32), crop.matrix)
    with drawing():
        figure = Figure(figsize=(6, 6))
        axis = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        draw_photo(axis, Crop(image, crop.matrix, crop.input_size, crop.extent_px), Window(-20, -10, 60, 70))
    axis.patches[0].set_visible(False)  # the frame is bright as well
    picture = Drawn(figure, "a dot", "", (axis,)).picture()
    pixels = imread(io.BytesIO(picture.png))[..., :3].min(axis=2)
    rows, columns = np.nonzero(pixels > 0.9)
    on_photo = (abs(rows / len(pixels) - 0.5) < 0.39) & (abs(columns / len(pixels) - 0.5) < 0.39)
    found = picture.crop_px(columns[on_photo].mean() / len(pixels), rows[on_photo].mean() / len(pixels))
    assert found == pytest.approx(tuple(centre), abs=0.5)
    assert picture.crop_px(0.05, 0.5) is None, "beside the photo"


def test_windows_hold_the_crop_and_what_is_not_too_far_out(session):
    crop = session.seen.crop
    near, far = np.array([[60.0, 70.0]]), np.array([[1e4, -1e4]])
    assert window_around(crop, near).holds(near).all() and window_around(crop, near).holds(crop.extent_px)
    window = window_around(crop, far)
    assert window.right == pytest.approx((1 + FURTHEST) * crop.extent_px[0])
    assert not window.holds(far).any() and window.holds(window.clamped(far)).all()


def test_the_share_outside_the_crop_is_that_of_the_weights(session):
    seen, keypoint = session.seen, 3
    layer = seen.layers[1]
    places, weights = layer.sampling_locations[0, keypoint], layer.attention_weights[0, keypoint]
    outside = ((places < 0) | (places > 1)).any(dim=-1)
    share = float(weights[outside].sum() / weights.sum())
    assert 0.05 < share < 0.95, "the case should be one with both"
    assert f"{share:.0%} in layer 2 lies there" in samples_figure(seen, keypoint, (2,)).caption
    head = float(weights[1][outside[1]].sum())
    assert f"{head:.0%} in layer 2 lies there" in samples_figure(seen, keypoint, (2,), head=1).caption


def test_a_head_or_level_that_is_shown_alone_is_named(session):
    across, down = session.seen.explanation.level_sizes[3][::-1]
    for head, level, said in (
        (1, 3, f"; shown: head 2, level {across}×{down} cells alone. Area"),
        (None, 3, f"; shown: level {across}×{down} cells alone. Area"),
        (0, None, "; shown: head 1 alone. Area"),
        (None, None, "points a layer. Area"),
    ):
        assert said in samples_figure(session.seen, 3, (), head, level).caption


def test_marks_that_are_drawn_at_the_border_are_named(session, monkeypatch):
    seen, far = session.seen, session.seen.truth_px.copy()
    assert "drawn at its border" not in samples_figure(seen, 3).caption
    far[3] = 3 * seen.crop.extent_px
    caption = samples_figure(replace(seen, truth_px=far), 3).caption
    assert "Beyond the picture and drawn at its border: label in layers 1, 2." in caption
    monkeypatch.setattr(canvas, "window_around", lambda *_: Window(0.0, 0.0, 1.0, 1.0))
    unlabelled = replace(seen, truth_px=np.full_like(far, np.nan))
    caption = samples_figure(unlabelled, 3, (2,)).caption
    assert "drawn at its border: reference point in layer 2; layer's prediction in layer 2." in caption


def test_what_is_read_beside_the_crop_is_said(session):
    caption = samples_figure(session.seen, 3).caption
    assert "fade to zero within half a cell of their level and read zeros beyond" in caption


def test_panels_keep_their_rooms():
    figure, axes = panels(6, 2, (2.0, 1.0), top=1.5, bottom=1.1, gap=0.5)
    width, height = figure.get_size_inches()
    assert (width, height) == pytest.approx((5.5, 3 * (1.5 + 1.0) + 1.1))
    boxes = [axis.get_position() for axis in axes]
    assert [height * (1 - box.y1) for box in boxes[::2]] == pytest.approx([1.5, 4.0, 6.5])
    assert height * boxes[-1].y0 == pytest.approx(1.1) and width * boxes[1].x0 == pytest.approx(3.0)
    assert panels(6, 2, (2.0, 1.0), top=0.3, bottom=0.1)[0].get_figheight() == pytest.approx(0.1 + 3 * 1.3)


def test_the_path_tells_errors_and_both_scales(session):
    seen, keypoint = session.seen, 5
    person = session.image.people[0]
    labels = transform_points(person.keypoints_image, seen.crop.matrix)
    predicted = seen.explanation.prediction.layers[-1].keypoints[0, keypoint].numpy() * seen.crop.extent_px
    error = float(np.linalg.norm(predicted - labels[keypoint]))
    assert errors_px(seen, keypoint)[-1] == pytest.approx(error, abs=1e-3)
    sigma = seen.explanation.prediction.sigma[0, keypoint].numpy() * seen.crop.extent_px
    caption = path_figure(seen, keypoint).caption
    assert f"{error:.1f} in layer 2" in caption
    assert f"b {2 * 2**0.5 * sigma[0]:.1f} × {2 * 2**0.5 * sigma[1]:.1f}" in caption


def test_the_path_tells_which_ellipses_its_near_panel_cannot_show(session, monkeypatch):
    seen, keypoint = session.seen, 5
    stages = seen.stages
    small = np.full_like(stages.laplace_px, 0.5)
    monkeypatch.setitem(vars(seen), "stages", replace(stages, laplace_px=small))
    assert "too small" not in path_figure(seen, keypoint).caption
    large = small + 1e3 * (np.arange(len(small)) == 0)[:, None, None].astype(small.dtype)
    monkeypatch.setitem(vars(seen), "stages", replace(stages, laplace_px=large))
    assert "too small for the dashed ellipses of coarse." in path_figure(seen, keypoint).caption


def test_the_near_panel_of_the_path_can_be_pointed_at(session):
    seen, keypoint = session.seen, 5
    picture = path_figure(seen, keypoint).picture()
    whole, near = picture.areas
    places, lengths = seen.stages.keypoints_px[:, keypoint], seen.stages.expected_px[:, keypoint]
    ends = [*(places - lengths), *(places + lengths)]
    ends = np.array([*ends, seen.truth_px[keypoint]])
    middle = picture.crop_px((near.left + near.right) / 2, (near.top + near.bottom) / 2)
    assert middle == pytest.approx(tuple((ends.min(axis=0) + ends.max(axis=0)) / 2), abs=0.01)
    assert near.x[1] - near.x[0] == pytest.approx(near.y[1] - near.y[0])
    assert whole.right < near.left


def test_plain_parts_of_a_photo_are_explained_where_there_are_some(session):
    crop = session.seen.crop
    height, width = crop.image.shape[:2]
    whole = transform_points(np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]]), crop.matrix)
    inside = (whole.ravel() + np.array([0.01, 0.01, -0.01, -0.01])).tolist()
    assert black_note(crop, Window(*inside)) == ""
    for side, step in enumerate((-1, -1, 1, 1)):
        beyond = [place + step * (number == side) for number, place in enumerate(inside)]
        assert "beyond the image" in black_note(crop, Window(*beyond))


@given(st.lists(st.floats(-50, 50), max_size=6), st.floats(0.1, 20))
def test_numbers_are_spread_no_further_than_needed(places, gap):
    places = np.array(places)
    moved = spread(places, gap)
    order = np.argsort(places, kind="stable")
    assert (np.diff(moved[order]) >= gap - 1e-9).all()
    assert moved.sum() == pytest.approx(places.sum(), abs=1e-6)
    if (np.diff(places[order]) >= gap).all():
        assert moved == pytest.approx(places)


def test_spread_is_the_least_squares_answer():
    places, gap = np.array([0.0, 1.0, 1.5, 30.0]), 4.0
    start = np.array([0.0, 5.0, 10.0, 30.0])
    best = minimize(lambda x: ((x - places) ** 2).sum(), start,
                    constraints=[{"type": "ineq", "fun": lambda x: np.diff(x) - gap}])  # fmt: skip
    assert spread(places, gap) == pytest.approx(best.x, abs=1e-4)


def test_the_strongest_others_are_named(session):
    weights, which, whose = session.attention().of(1, None)
    row = weights[5]
    order = strongest(row, 5)
    assert 5 not in order and row[order[0]] == np.delete(row, 5).max()
    caption = attention_figure(session.seen, 5, weights, which, whose).caption
    assert f"{row[order[0]]:.2f}" in caption and "layer 2, mean of 4 heads" in caption


def test_an_unlabelled_person_has_no_error(session):
    session.person = 1  # the whole image keeps the labels of the only person in it
    assert session.seen.labelled.all()
    blank = with_boxes("own.jpg", session.image.image, [(5.0, 5.0, 40.0, 60.0)])
    session.choose_image(blank)
    assert np.isnan(errors_px(session.seen, 0)).all()
    assert "It has no label here." in path_figure(session.seen, 0).caption
