"""Heatmap and integral heads: losses, gradients, flip test, errors, and a few images learned by heart."""

import pytest
import torch
from pydantic import ValidationError

from poseur_lib.config import ExperimentConfig
from poseur_lib.config.heads.heatmap import DARK, QUARTER, UDP_DARK, UDP_OFFSET, HeatmapConfig, IntegralConfig
from poseur_lib.errors import UserError
from poseur_lib.models.baselines.heatmap import HeatmapHead, heatmap_loss
from poseur_lib.models.baselines.heatmap_encoding import encode
from poseur_lib.models.baselines.integral import IntegralHead
from poseur_lib.models.build import build_model
from poseur_lib.models.pose_model import PoseTargets
from poseur_lib.poses import PosePrediction

NARROW = {"kind": "narrow_resnet", "widths": [8, 8, 16, 16], "weights": "none"}
HEADS = {
    "quarter": HeatmapConfig(channels=16),
    "dark": HeatmapConfig(channels=16, codec=DARK),
    "udp_dark": HeatmapConfig(channels=16, codec=UDP_DARK),
    "udp_offset": HeatmapConfig(channels=16, codec=UDP_OFFSET),
    "integral": IntegralConfig(channels=16),
}


def experiment(head, size=(64, 48), backbone=NARROW):
    head = head if isinstance(head, dict) else head.model_dump(mode="json")
    changes = {"model": {"backbone": backbone, "head": head}, "data.input_size": list(size)}
    return ExperimentConfig().with_changes(**changes)


def targets_of(batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inside = torch.rand(batch, 17, generator=generator) > 0.3
    return PoseTargets(torch.rand(batch, 17, 2, generator=generator), inside)


@pytest.mark.parametrize("name", HEADS)
def test_loss_is_finite_and_reaches_every_parameter(name):
    torch.manual_seed(0)
    model = build_model(experiment(HEADS[name]))
    losses = model.loss(torch.randn(2, 3, 64, 48), targets_of(2))
    losses.total.backward()
    torch.testing.assert_close(losses.total, torch.stack(list(losses.terms.values())).sum())
    for parameter in model.parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all()


@pytest.mark.parametrize("name", HEADS)
def test_poses_and_flip_test(name):
    torch.manual_seed(0)
    model = build_model(experiment(HEADS[name])).eval()
    images = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        pose, flipped = model(images), model.predict_flipped(images)
    for one in (pose, flipped):
        assert one.keypoints.shape == (2, 17, 2) and one.keypoint_scores.shape == (2, 17) and one.sigma is None
        assert torch.isfinite(one.keypoints).all()
    assert model.head.crop_rule.unbiased == name.startswith("udp")


MOVED = ("quarter", "dark")
"""Their flip test moves maps by a cell, which is no mirror image of itself."""


@pytest.mark.parametrize("name", MOVED)
def test_the_flip_test_by_plain_lengths_moves_the_mirror_image_s_maps_by_a_cell(name):
    model = build_model(experiment(HEADS[name]))
    image, mirrored = torch.rand(2, 2, 17, 1, 16, 12, generator=torch.Generator().manual_seed(0))
    back = mirrored[:, list(model.flip_index)].flip(-1)
    moved = back[..., [0, *range(11)]]
    merged = model.head.merge_flipped(image, mirrored, torch.tensor(model.flip_index))
    torch.testing.assert_close(merged, (image + moved) / 2)


@pytest.mark.parametrize("name", [name for name in HEADS if name not in MOVED])
def test_the_flip_test_of_the_mirror_image_is_the_mirror_image(name):
    """A network without features: what it gives for both images is mirrored by hand."""
    head = build_model(experiment(HEADS[name])).head
    index = torch.tensor(build_model(experiment(HEADS[name])).flip_index)
    generator = torch.Generator().manual_seed(0)
    if name == "integral":
        image, mirrored = (PosePrediction(torch.rand(2, 17, 2, generator=generator), torch.rand(2, 17)) for _ in "12")
    else:
        maps = head.codec.maps_per_keypoint
        image, mirrored = (torch.rand(2, 17, maps, 16, 12, generator=generator) for _ in "12")
    one = head.merge_flipped(image, mirrored, index)
    other = head.merge_flipped(mirrored, image, index)
    if name == "integral":
        x = 1 - 1 / 48 - other.keypoints[:, index, 0]
        torch.testing.assert_close(one.keypoints, torch.stack([x, other.keypoints[:, index, 1]], -1))
        return
    back = other[:, index].flip(-1)
    if maps == 3:
        back = back * torch.tensor([1.0, -1.0, 1.0])[:, None, None]
    torch.testing.assert_close(one, back)


def test_the_loss_by_hand():
    wanted = torch.zeros(1, 2, 1, 4, 3)
    maps = wanted + torch.tensor([2.0, 5.0])[:, None, None, None]
    weight = torch.tensor([[1.0, 0.0]])[..., None, None]
    assert heatmap_loss(maps, wanted, weight).total == pytest.approx(2.0)  # 4 on half of the keypoints


def test_offsets_count_within_the_disc_alone():
    wanted = encode(UDP_OFFSET, torch.tensor([[[0.5, 0.5]]]), (64, 48))
    disc = wanted[:, :, 0]
    weight = torch.ones(1, 1, 1, 1)
    outside, inside = wanted.clone(), wanted.clone()
    outside[:, :, 1:] += 9.0 * (1 - disc)[:, :, None]
    assert heatmap_loss(outside, wanted, weight).total == 0
    inside[:, :, 1] += 2.0
    share = disc.mean().item()
    terms = heatmap_loss(inside, wanted, weight).terms
    assert terms["offsets"].item() == pytest.approx(0.5 * 4 * share) and terms["disc"] == 0


def test_keypoints_outside_have_no_weight():
    torch.manual_seed(0)
    for head in HEADS.values():
        model = build_model(experiment(head))
        images, inside = torch.randn(2, 3, 64, 48), torch.zeros(2, 17, dtype=torch.bool)
        assert model.loss(images, PoseTargets(torch.rand(2, 17, 2), inside)).total == 0


@pytest.mark.parametrize("name", HEADS)
def test_half_precision_loses_nothing_in_the_loss(name):
    """Under autocast the loss and the decoding stay in float32."""
    torch.manual_seed(0)
    model = build_model(experiment(HEADS[name]))
    with torch.autocast("cpu", torch.bfloat16):
        losses = model.loss(torch.randn(2, 3, 64, 48), targets_of(2))
        assert losses.total.dtype == torch.float32
        assert model.eval()(torch.randn(1, 3, 64, 48)).keypoints.dtype == torch.float32


def learned_by_heart(model, steps: int = 100) -> tuple[float, float]:
    """Last loss over the first, and the mean error of the decoded keypoints on an axis, in cells: four images."""
    images, keypoints = torch.randn(4, 3, 64, 48), 0.1 + 0.8 * torch.rand(4, 17, 2)
    targets = PoseTargets(keypoints, torch.ones(4, 17, dtype=torch.bool))
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    losses = []
    for _ in range(steps):
        losses.append(model.loss(images, targets).total)
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        found = model.head.decode(model.head(model.backbone(images))).keypoints
    error = ((found - keypoints).abs() * torch.tensor([12.0, 16.0])).mean()
    return (losses[-1] / losses[0]).item(), error.item()


@pytest.mark.parametrize(
    ("name", "error"),
    [("quarter", 0.45), ("dark", 0.3), ("udp_dark", 0.3), ("udp_offset", 0.1), ("integral", 0.3)],
)
def test_a_few_images_are_learned_by_heart(name, error):
    """Cells that are rounded cost 1/4 of one."""
    torch.manual_seed(0)
    backbone = {**NARROW, "widths": [8, 8, 16, 64]}
    left, found = learned_by_heart(build_model(experiment(HEADS[name].with_changes(channels=32), backbone=backbone)))
    assert left < 0.1 and found < error


@pytest.mark.parametrize("block", ["residual", "transformer"])
def test_hrnet_and_hrformer_learn_a_few_images_by_heart(block):
    """Their frame, with one fusion a stage, and a 1x1 convolution on the finest map."""
    torch.manual_seed(0)
    backbone = {"kind": "narrow_high_resolution", "block": block, "outputs": "finest", "weights": "none"}
    left, found = learned_by_heart(build_model(experiment(HeatmapConfig(deconvolutions=0), backbone=backbone)))
    assert left < 0.1 and found < 0.45


def test_inputs_that_are_no_multiple_of_the_stride():
    """48 is no multiple of 32: the heatmaps are a quarter of the input all the same, and 50 is refused."""
    model = build_model(experiment(HEADS["quarter"], (64, 48)))
    assert model.head(model.backbone(torch.randn(1, 3, 64, 48))).shape == (1, 17, 1, 16, 12)
    with pytest.raises(UserError, match="input size 64x50: heatmaps need multiples of 4"):
        build_model(experiment(HEADS["quarter"], (64, 50)))


def test_discs_that_miss_cells_are_refused():
    assert HeatmapHead(UDP_HEAD, 17, (16,), (52, 40)).codec == UDP_OFFSET
    with pytest.raises(UserError, match=r"input size 48x36: .*offset_radius 0.0546875 makes discs of 0.66 cells"):
        HeatmapHead(UDP_HEAD, 17, (16,), (48, 36))


def test_a_map_of_another_stride_is_refused():
    for head in (HeatmapHead(QUARTER_HEAD, 17, (16,), (64, 48)), IntegralHead(INTEGRAL_HEAD, 17, (16,), (64, 48))):
        with pytest.raises(UserError, match="stride 4, 16x12 cells; the backbone gives 8x6"):
            head([torch.zeros(1, 16, 8, 6)])
        with pytest.raises(UserError, match="stride 4, 16x12 cells; the backbone gives 32x24"):
            head([torch.zeros(1, 16, 32, 24)])
    with pytest.raises(UserError, match="one map of a backbone with outputs 'finest', and this one gives 4"):
        HeatmapHead(QUARTER_HEAD, 17, (16, 16, 16, 16), (64, 48))


QUARTER_HEAD = HeatmapConfig(deconvolutions=0, codec=QUARTER)
UDP_HEAD = HeatmapConfig(deconvolutions=0, codec=UDP_OFFSET)
INTEGRAL_HEAD = IntegralConfig(deconvolutions=0)


@pytest.mark.parametrize(
    ("backbone", "deconvolutions", "says"),
    [
        ({"kind": "hrnet", "weights": "none"}, 0, r"strides \(4, 8, 16, 32\).*set outputs 'finest'"),
        ({"kind": "hrformer"}, 3, "outputs 'finest' and head.deconvolutions 0"),
        (NARROW, 0, "set head.deconvolutions 3"),
        (NARROW, 2, "do not bring the stride 32 of backbone narrow8 to 4: 3 do"),
        ({"kind": "vit", "weights": "none"}, 3, "stride 16 of backbone vit_base to 4: 2 do"),
        ({"kind": "hrnet", "weights": "none", "outputs": "finest"}, 1, "stride 4 of backbone hrnet_w32 to 4: 0 do"),
    ],
)
@pytest.mark.parametrize("kind", ["heatmap", "integral"])
def test_backbones_that_do_not_fit(backbone, deconvolutions, says, kind):
    with pytest.raises(ValidationError, match=says):
        experiment({"kind": kind, "deconvolutions": deconvolutions}, (256, 192), backbone)


def test_vit_with_two_deconvolutions():
    with torch.device("meta"):
        model = build_model(experiment(HeatmapConfig(deconvolutions=2), (64, 48), {"kind": "vit", "weights": "none"}))
        maps = model.head(model.backbone(torch.empty(1, 3, 64, 48)))
    assert maps.shape == (1, 17, 1, 16, 12)


def test_a_resnet_that_ends_early_needs_fewer_deconvolutions():
    backbone = {"kind": "resnet", "depth": 18, "stages": 2, "weights": "none"}
    with pytest.raises(ValidationError, match="stride 8 of backbone resnet18 to 4: 1 do"):
        experiment({"kind": "heatmap"}, (64, 48), backbone)
    with torch.device("meta"):
        model = build_model(experiment({"kind": "heatmap", "deconvolutions": 1}, (64, 48), backbone))
        assert model.head(model.backbone(torch.empty(1, 3, 64, 48))).shape == (1, 17, 1, 16, 12)
