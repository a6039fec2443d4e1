"""RLE and plain L1: what is counted, what is predicted, what is learned."""

import math

import pytest
import torch

from poseur_lib.config import ExperimentConfig, HRNetConfig
from poseur_lib.config.heads import RegressionConfig
from poseur_lib.costs import cost
from poseur_lib.models.baselines.regression import RegressionHead, l1_loss
from poseur_lib.models.build import build_model
from poseur_lib.models.pose_model import PoseTargets
from poseur_lib.poses import PosePrediction
from tests.models.small import CHANNELS, random_features, random_targets
from tests.models.tokens import learn_by_heart

FLIP = torch.tensor([0, 2, 1, 4, 3])
KNOBS = [
    ("loss", "l1"),
    ("fc", "plain"),
    ("flip_shift", False),
    ("log_phi_count", 1),
    ("log_sigma_count", 1),
    ("flow_prior_mean", 0.5),
    ("flow_layers", 2),
    ("flow_hidden", 16),
]


def head_of(seed: int = 0, **changes) -> RegressionHead:
    torch.manual_seed(seed)
    return RegressionHead(RegressionConfig().with_changes(**changes), 5, CHANNELS, (64, 48)).eval()


def model_of(loss: str, backbone: dict, size: tuple[int, int] = (256, 192)) -> ExperimentConfig:
    return ExperimentConfig().with_changes(
        **{
            "model.head": {"kind": "regression", "loss": loss},
            "model.backbone": {"weights": "none", **backbone},
            "data.input_size": list(size),
        }
    )


def test_counts_of_resnet50():
    """Printed of RLE: 23.6 M and 4.0 GFLOPs."""
    counted = cost(model_of("rle", {"kind": "resnet", "depth": 50}))
    assert counted.part("head").parameters == 2 * (2048 * 34 + 34)
    assert counted.part("head").multiply_adds == 2 * 2048 * 34
    assert counted.part("flows").parameters == 6 * 2 * (2 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2)
    assert counted.part("flows").multiply_adds == 0
    assert counted.parameters_without_flows == 23_508_032 + 139_332
    assert round(counted.multiply_adds / 1e9, 2) == 4.00


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "millions", "gflops"),
    [
        ({"kind": "resnet", "depth": 152}, 58.28, 11.28),
        ({"kind": "hrnet", "width": 32, "outputs": "classification"}, 39.32, 8.74),  # printed: 7.1 GFLOPs
        ({"kind": "hrnet", "width": 32}, 29.32, 7.73),
        ({"kind": "hrnet", "width": 48, "outputs": "classification"}, 75.56, 16.92),
    ],
    ids=str,
)
def test_counts(backbone, millions, gflops):
    counted = cost(model_of("rle", backbone))
    assert counted.parameters_without_flows / 1e6 == pytest.approx(millions, abs=5e-3)
    assert counted.multiply_adds / 1e9 == pytest.approx(gflops, abs=5e-3)


def test_plain_l1_has_one_layer():
    counted = cost(model_of("l1", {"kind": "narrow_resnet"}, (64, 48)))
    assert counted.part("head").parameters == 128 * 34 + 34
    assert counted.part("flows").parameters == 0


def test_an_untrained_head_looks_at_the_centre():
    for loss in ("rle", "l1"):
        head = head_of(loss=loss)
        torch.nn.init.zeros_(head.coordinates.bias)
        assert (head(random_features()).keypoints - 0.5).abs().max() < 0.05


def test_the_normalised_layer_does_not_see_how_strong_the_features_are():
    features = random_features()
    stronger = [3 * x for x in features]
    for fc, same in (("l2_normalised", True), ("plain", False)):
        head = head_of(fc=fc)
        assert torch.allclose(head(features).keypoints, head(stronger).keypoints, atol=1e-6) == same
        assert not torch.allclose(head(features).sigma, head(stronger).sigma)


def test_scores():
    pose = head_of()(random_features())
    torch.testing.assert_close(pose.keypoint_scores, 1 - pose.sigma.mean(dim=-1))
    plain = head_of(loss="l1")(random_features())
    assert plain.sigma is None and (plain.keypoint_scores == 1).all()


def test_the_likelihood_is_rles():
    """Against the formula of the released code, written out: one summand a coordinate, log phi on both."""
    head, features, targets = head_of(), random_features(), random_targets()
    pose = head(features)
    error = pose.keypoints - targets.keypoints
    log_phi = head.flow.log_prob((error / pose.sigma).view(-1, 2)).view(2, 5, 1)
    q = torch.log(pose.sigma * math.sqrt(2 * math.pi)) + error.abs() / (math.sqrt(2) * pose.sigma + 1e-9)
    expected = ((torch.log(pose.sigma) - log_phi + q) * targets.supervised[..., None]).sum() / 2  # over the batch
    torch.testing.assert_close(head.loss(features, targets).total, expected / 5)


def test_l1_by_hand():
    keypoints = torch.tensor([[[0.5, 0.5], [0.1, 0.9]]])
    target = torch.tensor([[[0.25, 1.0], [0.0, 0.0]]])
    assert l1_loss(keypoints, target, torch.tensor([[1.0, 0.0]])).item() == pytest.approx((0.25 + 0.5) / 4)


@pytest.mark.parametrize("loss", ["rle", "l1"])
def test_what_is_outside_the_crop_does_not_count(loss):
    head, features, targets = head_of(loss=loss), random_features(), random_targets()
    moved = targets.keypoints + 5.0 * (~targets.supervised)[..., None]
    both = (PoseTargets(points, targets.supervised) for points in (targets.keypoints, moved))
    before, after = (head.loss(features, one) for one in both)
    assert before.total == after.total
    none = head.loss(features, PoseTargets(moved, torch.zeros_like(targets.supervised))).total
    assert none == 0


@pytest.mark.parametrize("loss", ["rle", "l1"])
@pytest.mark.parametrize("shift", [True, False])
def test_flip_of_a_mirrored_prediction_changes_nothing(loss, shift):
    head = head_of(loss=loss, flip_shift=shift)
    pose = head(random_features())
    x, y = pose.keypoints[:, FLIP].unbind(dim=-1)
    flipped = PosePrediction(
        keypoints=torch.stack([(1 - 1 / 48 if shift else 1.0) - x, y], dim=-1),
        keypoint_scores=pose.keypoint_scores[:, FLIP],
        sigma=None if pose.sigma is None else pose.sigma[:, FLIP],
    )
    merged = head.decode(head.merge_flipped(pose, flipped, FLIP))
    torch.testing.assert_close(merged.keypoints, pose.keypoints)
    torch.testing.assert_close(merged.keypoint_scores, pose.keypoint_scores)
    assert merged.sigma is None if loss == "l1" else torch.allclose(merged.sigma, pose.sigma)


def test_two_passes_are_averaged_by_hand():
    """Of two keypoints, left and right of one another."""
    one, other = (
        PosePrediction(torch.tensor(points), torch.tensor(scores), torch.tensor(sigma))
        for points, scores, sigma in (
            ([[[0.25, 0.5], [0.75, 0.0]]], [[0.5, 0.25]], [[[0.5, 0.25], [0.125, 1.0]]]),
            ([[[0.5, 1.0], [0.25, 0.25]]], [[1.0, 0.75]], [[[0.25, 0.5], [1.0, 0.75]]]),
        )
    )
    merged = head_of(flip_shift=False).merge_flipped(one, other, torch.tensor([1, 0]))
    assert torch.equal(merged.keypoints, torch.tensor([[[0.5, 0.375], [0.625, 0.5]]]))
    assert torch.equal(merged.keypoint_scores, torch.tensor([[0.625, 0.625]]))
    assert torch.equal(merged.sigma, torch.tensor([[[0.75, 0.5], [0.1875, 0.75]]]))


def test_the_shift_is_that_of_mirrored_pixels():
    """A network that finds the bright pixel finds it at the same place in both passes."""
    image = torch.zeros(1, 1, 4, 48)
    image[..., 11] = 1

    def pixel(x):
        return torch.tensor([[[x.sum(dim=(0, 1, 2)).argmax() / 48, 0.5]]]).float()

    head, index = head_of(), torch.tensor([0])
    one, other = (PosePrediction(keypoints=pixel(x), keypoint_scores=torch.ones(1, 1), sigma=torch.ones(1, 1, 2))
                  for x in (image, image.flip(3)))  # fmt: skip
    torch.testing.assert_close(head.merge_flipped(one, other, index).keypoints, one.keypoints)


@pytest.mark.parametrize(("knob", "value"), KNOBS, ids=str)
def test_a_knob(knob, value):
    features, targets = random_features(), random_targets()
    plain, changed = head_of(), head_of(**{knob: value})
    state = plain.state_dict()
    changed.load_state_dict({k: state[k] if state[k].shape == v.shape else v for k, v in changed.state_dict().items()})
    outcomes = []
    for head in (plain, changed):
        pose = head(features)
        merged = head.merge_flipped(pose, head(random_features(seed=3)), FLIP)
        outcomes.append((pose.keypoints, merged.keypoints, head.loss(features, targets).total))
    assert any(not torch.allclose(a, b, atol=1e-6) for a, b in zip(*outcomes, strict=True))
    changed.loss(features, targets).total.backward()
    unreached = [n for n, p in changed.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not unreached


def test_every_knob_is_tried():
    assert {knob for knob, _ in KNOBS} == set(RegressionConfig.model_fields) - {"kind"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"loss": "l2"}, "l2"), ({"log_phi_count": 3}, "input_value=3"), ({"flow_layer": 6}, "flow_layer")],
    ids=str,
)
def test_bad_value(changes, says):
    with pytest.raises(ValueError, match=says):
        RegressionConfig().with_changes(**changes)


def test_a_classifiers_map_needs_four_stages():
    with pytest.raises(ValueError, match="outputs 'classification' needs 4 stages, not 3"):
        HRNetConfig(stages=3, outputs="classification")


def test_half_precision_keeps_the_loss_in_float32():
    head, targets = head_of(), random_targets()
    features = [x.bfloat16() for x in random_features()]
    with torch.autocast("cpu", torch.bfloat16):
        losses, pose = head.loss(features, targets), head(features)
    assert losses.total.dtype == pose.keypoints.dtype == pose.sigma.dtype == torch.float32


@pytest.mark.parametrize("loss", ["rle", "l1"])
def test_overfits(loss):
    """Four images of noise: their keypoints are learned by heart."""
    torch.manual_seed(0)
    config = model_of(loss, {"kind": "narrow_resnet", "widths": [8, 16, 32, 64]}, (64, 48))
    model = build_model(config.with_changes(**{"model.head.flow_layers": 2, "model.head.flow_hidden": 16})).train()
    first, last, error = learn_by_heart(model, steps=80)
    assert error < 0.04
    assert last < first - 5 if loss == "rle" else last < 0.1 * first
