"""Heatmap codecs: closed forms, round trips, OpenCV as the second implementation of smoothing."""

import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from poseur_lib.config.heads.heatmap import DARK, QUARTER, UDP_DARK, UDP_OFFSET, HeatmapCodecConfig
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.baselines.heatmap_decoding import decode, merge_flipped, smoothed, taylor_shift
from poseur_lib.models.baselines.heatmap_encoding import bilinear_maps, disc_and_offsets, encode, extent, gaussians
from poseur_lib.models.baselines.integral import expectation, mass_within

SIZE = (64, 48)
EXACT = QUARTER.with_changes(centers="exact")
CODECS = {"quarter": QUARTER, "exact": EXACT, "dark": DARK, "udp_dark": UDP_DARK, "udp_offset": UDP_OFFSET}
ERROR = {"quarter": 0.5, "exact": 0.25, "dark": 0.01, "udp_dark": 0.01, "udp_offset": 0.06}
"""Largest error in cells, far from the border."""


def keypoints_at(cells, codec, size=SIZE):
    """Keypoints (1, K, 2) in [0, 1] of the crop from places in cells."""
    cells = torch.as_tensor(cells, dtype=torch.float32).view(1, -1, 2)
    return cells / extent(size, codec.unbiased, cells)


def decoded_cells(codec, maps):
    keypoints, scores = decode(codec, maps)
    return keypoints * extent(tuple(maps.shape[-2:]), codec.unbiased, keypoints), scores


def test_a_gaussian_by_hand():
    (heatmap,) = gaussians(torch.tensor([[[10.4, 20.7]]]), SIZE, 2.0, rounded=False)[0]
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    np.testing.assert_allclose(heatmap, np.exp(-((x - 10.4) ** 2 + (y - 20.7) ** 2) / 8), atol=1e-6)


def test_rounded_gaussians_are_1_at_their_cell_and_end_after_3_sigma():
    (heatmap,) = gaussians(torch.tensor([[[10.4, 20.5]]]), SIZE, 2.0, rounded=True)[0]
    assert heatmap[21, 10] == 1 and heatmap.max() == 1
    rows, columns = torch.nonzero(heatmap, as_tuple=True)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (4, 16, 15, 27)
    assert heatmap[21, 16] == pytest.approx(math.exp(-4.5))


def test_cells_of_the_two_length_rules():
    """Keypoint 1/2: by plain lengths cell w / 2, by unbiased ones the middle between the outermost cells."""
    for codec, place in ((QUARTER, (24.0, 32.0)), (UDP_DARK, (23.5, 31.5))):
        maps = encode(codec, torch.full((1, 1, 2), 0.5), SIZE)[0, 0, 0]
        total = maps.sum()
        assert (maps.sum(0) @ torch.arange(48.0)) / total == pytest.approx(place[0], abs=1e-3)
        assert (maps.sum(1) @ torch.arange(64.0)) / total == pytest.approx(place[1], abs=1e-3)


def test_disc_and_offsets_by_hand():
    disc, x, y = disc_and_offsets(torch.tensor([[[10.4, 20.7]]]), SIZE, 3.5)[0, 0]
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    np.testing.assert_array_equal(disc, np.hypot(columns - 10.4, rows - 20.7) <= 3.5)
    torch.testing.assert_close(torch.stack([x, y])[:, 21, 9], torch.tensor([1.4, -0.3]) / 3.5)
    maps = encode(UDP_OFFSET, torch.tensor([[[10.4 / 47, 20.7 / 63]]]), SIZE)
    assert maps.shape == (1, 1, 3, *SIZE)
    torch.testing.assert_close(maps[0, 0], torch.stack([disc, x, y]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", CODECS)
@given(st.floats(8, 39), st.floats(8, 55), st.floats(8, 39), st.floats(8, 55))
def test_round_trip(name, x0, y0, x1, y1):
    codec, cells = CODECS[name], torch.tensor([[x0, y0], [x1, y1]])
    found, scores = decoded_cells(codec, encode(codec, keypoints_at(cells, codec), SIZE))
    assert (found[0] - cells).abs().max() <= ERROR[name] + 1e-4
    assert (scores > 0.87).all() if codec.decoding != "offset" else (scores > 0.2).all()


@given(st.floats(0, 1), st.floats(0, 1))
def test_round_trip_near_the_border(x, y):
    """Everywhere on the crop, to a cell; UDP's codecs do better than the plain ones, whose last cell is not at 1."""
    for name, codec in CODECS.items():
        keypoints = torch.tensor([[[x, y]]])
        found, _ = decode(codec, encode(codec, keypoints, SIZE))
        worst = (found - keypoints).abs() * torch.tensor([48.0, 64.0])
        assert worst.max() <= (1.01 if codec.unbiased else 1.3), name


def test_quarter_shift_goes_to_the_higher_neighbour():
    heatmap = torch.zeros(1, 1, 1, 8, 8)
    heatmap[..., 4, 3], heatmap[..., 4, 4], heatmap[..., 3, 3] = 1.0, 0.5, 0.2
    keypoints, scores = decode(QUARTER, heatmap)
    assert (keypoints * 8).flatten().tolist() == [3.25, 3.75] and scores.item() == 1
    corner = torch.zeros(1, 1, 1, 8, 8)
    corner[..., 0, 0], corner[..., 0, 1] = 1.0, 0.5
    assert decode(QUARTER, corner)[0].flatten().tolist() == [0, 0]


@given(st.floats(-0.7, 0.7), st.floats(-0.7, 0.7), st.floats(0.5, 3), st.floats(0.5, 3), st.floats(-0.8, 0.8))
def test_the_taylor_step_solves_a_quadratic(dx, dy, a, b, correlation):
    """Minus the logarithm of a Gaussian with any covariance is one, so the step is exact, by either stencil."""
    c = correlation * math.sqrt(a * b)
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="ij")
    u, v = x - 4 - dx, y - 4 - dy
    logs = -0.5 * (a * u**2 + 2 * c * u * v + b * v**2)
    peak = torch.full((1, 1), 4)
    for wide in (False, True):
        shift = taylor_shift(logs[None, None], peak, peak, wide=wide)[0, 0]
        torch.testing.assert_close(shift, torch.tensor([dx, dy]), atol=5e-3, rtol=0)


def test_a_flat_map_has_no_step_and_finite_keypoints():
    for codec in CODECS.values():
        keypoints, scores = decode(codec, torch.zeros(2, 3, codec.maps_per_keypoint, 16, 12))
        assert torch.isfinite(keypoints).all() and not scores.any()


def blurred(one, kernel):
    """OpenCV's, zeros around."""
    reach = kernel // 2
    return cv2.GaussianBlur(np.pad(one, reach), (kernel, kernel), 0)[reach:-reach, reach:-reach]


@pytest.mark.parametrize(("kernel", "sigma"), [(11, 2.0), (17, 2.9), (23, 3.8)])
def test_smoothing_is_opencvs_with_zeros_around(kernel, sigma):
    maps = torch.rand(1, 2, 16, 12, generator=torch.Generator().manual_seed(0))
    for ours, one in zip(smoothed(maps, sigma)[0], maps[0].numpy(), strict=True):
        np.testing.assert_allclose(ours, blurred(one, kernel), atol=1e-6)


def taylor_by_hand(heatmap, reach, least, most):
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    logs = np.log(np.clip(blurred(heatmap, 11), least, most))
    slope = [logs[y, x + 1] - logs[y, x - 1], logs[y + 1, x] - logs[y - 1, x]]
    across = (logs[y, x + reach] - 2 * logs[y, x] + logs[y, x - reach]) / reach**2
    down = (logs[y + reach, x] - 2 * logs[y, x] + logs[y - reach, x]) / reach**2
    mixed = (logs[y + 1, x + 1] + logs[y - 1, x - 1] - logs[y - 1, x + 1] - logs[y + 1, x - 1]) / 4
    return np.array([x, y]) - np.linalg.solve([[across, mixed], [mixed, down]], np.array(slope) / 2), heatmap[y, x]


def offsets_by_hand(disc, *offsets):
    smooth = blurred(disc, 23)
    y, x = np.unravel_index(smooth.argmax(), disc.shape)
    return np.array([x, y]) + 3.5 * np.array([blurred(one, 11)[y, x] for one in offsets]), smooth[y, x]


@pytest.mark.parametrize(
    ("codec", "by_hand"),
    [
        (DARK, lambda heatmap: taylor_by_hand(heatmap, 2, 1e-10, np.inf)),
        (UDP_DARK, lambda heatmap: taylor_by_hand(heatmap, 1, 0.001, 50)),
        (UDP_OFFSET, offsets_by_hand),
    ],
    ids=["dark", "udp_dark", "udp_offset"],
)
def test_noisy_maps_are_decoded_as_by_opencv(codec, by_hand):
    generator = torch.Generator().manual_seed(0)
    maps = encode(codec, keypoints_at([[14.3, 20.8], [30.6, 41.2], [22.1, 33.5]], codec), SIZE)
    maps = maps + 0.2 * torch.rand(maps.shape, generator=generator)
    found, scores = decoded_cells(codec, maps)
    for place, score, one in zip(found[0], scores[0], maps[0].numpy(), strict=True):
        expected, height = by_hand(*one)
        np.testing.assert_allclose(place, expected, atol=2e-3)
        assert score.item() == pytest.approx(float(height), rel=1e-5)


@pytest.mark.parametrize("name", CODECS)
def test_mirrored_maps_merge_to_what_they_are(name):
    """The maps of the mirrored person: by unbiased lengths the same keypoints, by plain ones to a quarter of a cell."""
    codec = CODECS[name]
    generator = torch.Generator().manual_seed(0)
    keypoints = 0.2 + 0.6 * torch.rand(4, 17, 2, generator=generator)
    swap = torch.tensor(COCO_17.flip_index)
    step = 0 if codec.unbiased else 1 / (4 * SIZE[1])  # one crop pixel at a stride of 4
    mirrored = (torch.tensor([1 - step, 0.0]) - keypoints * torch.tensor([1.0, -1.0]))[:, swap]
    maps, flipped = encode(codec, keypoints, SIZE), encode(codec, mirrored, SIZE)
    merged = merge_flipped(codec, maps, flipped, swap)
    if codec.unbiased:
        torch.testing.assert_close(merged, maps, atol=1e-4, rtol=0)
        return
    alone, together = (decode(codec, one)[0] for one in (maps, merged))
    assert ((together - alone).abs() * torch.tensor([48.0, 64.0])).max() <= (0.5 if name == "dark" else 1.0)
    unmoved = merge_flipped(codec.with_changes(shift_flipped=False), maps, flipped, swap)
    error = [((decode(codec, one)[0] - keypoints)[..., 0] * 48).mean().abs() for one in (merged, unmoved)]
    assert error[0] < error[1]


def test_the_shift_keeps_the_first_column():
    maps = torch.arange(4.0).expand(1, 1, 1, 2, 4)
    merged = merge_flipped(QUARTER, torch.zeros_like(maps), maps, torch.tensor([0]))
    assert (2 * merged)[0, 0, 0, 0].tolist() == [3, 3, 2, 1]
    unmoved = merge_flipped(UDP_DARK, torch.zeros_like(maps), maps, torch.tensor([0]))
    assert (2 * unmoved)[0, 0, 0, 0].tolist() == [3, 2, 1, 0]


@given(st.floats(0, 47), st.floats(0, 63))
def test_expectation_of_the_bilinear_maps(x, y):
    cells = torch.tensor([[[x, y]]])
    maps = bilinear_maps(cells, SIZE)
    assert maps.sum().item() == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(expectation(maps), cells, atol=1e-3, rtol=0)
    assert mass_within(maps, cells, 1.0).item() == pytest.approx(1, abs=1e-4)


def test_mass_of_a_uniform_distribution():
    uniform = torch.full((1, 1, 16, 12), 1 / 192)
    assert mass_within(uniform, torch.tensor([[[5.0, 7.0]]]), 2.0).item() == pytest.approx(25 / 192)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"unbiased": True, "centers": "exact"}, "shift_flipped True"),
        ({"unbiased": True, "shift_flipped": False}, "centers 'rounded'"),
        ({"decoding": "offset"}, "unbiased must be True"),
        ({"sigma": 0.0}, "input_value=0.0"),
        ({"decoding": "argmax"}, "input_value='argmax'"),
        ({"offset_radius": 1.5}, "input_value=1.5"),
        ({"kernel": 11}, "kernel"),
    ],
)
def test_bad_codec(values, says):
    with pytest.raises(ValidationError, match=says):
        HeatmapCodecConfig(**values)
