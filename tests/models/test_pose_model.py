"""What the contract asks of every head, and a head that nothing else knows."""

import pytest
import torch
from torch import Tensor, nn

from poseur_lib.checkpoints.checkpoint import read_weights
from poseur_lib.config import ExperimentConfig
from poseur_lib.costs.mmcv_flops import hook_multiply_adds_by_part
from poseur_lib.costs.parts import parameters_by_part
from poseur_lib.costs.torch_flops import multiply_adds_by_part
from poseur_lib.data.coco import CocoPeople
from poseur_lib.errors import UserError
from poseur_lib.evaluation.ceiling import head_ceiling
from poseur_lib.evaluation.evaluate import evaluate_model
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.backbones import build_backbone
from poseur_lib.models.build import build_model
from poseur_lib.models.optimise import SAFE, example_images, optimise
from poseur_lib.models.pose_model import LossTerms, PoseHead, PoseModel, PoseTargets
from poseur_lib.poses import PosePrediction
from poseur_lib.runtime import Runtime
from poseur_lib.training import fit
from tests.training.tiny import tiny_config, write_people

FINEST = {"kind": "narrow_high_resolution", "width": 8, "outputs": "finest", "weights": "none"}
PYRAMID = {"kind": "narrow_resnet", "widths": [8, 8, 16, 16], "weights": "none"}
POSEUR = {"embed_dims": 32, "num_heads": 4, "norm_groups": 4, "ffn_dims": 32, "decoder_layers": 1}
TOKENS = {"embed_dims": 16, "num_heads": 2, "ffn_dims": 16, "layers": 1}
HEADS = {
    "poseur": (PYRAMID, {"kind": "poseur", **POSEUR}),
    "heatmap": (PYRAMID, {"kind": "heatmap", "channels": 8}),
    "finest": (FINEST, {"kind": "heatmap", "deconvolutions": 0}),
    "integral": (PYRAMID, {"kind": "integral", "channels": 8}),
    "rle": (PYRAMID, {"kind": "regression", "flow_hidden": 8}),
    "l1": (PYRAMID, {"kind": "regression", "loss": "l1"}),
    "transpose": (FINEST, {"kind": "transpose", **TOKENS}),
    "tokenpose": (FINEST, {"kind": "tokenpose", **TOKENS, "mlp_hidden": 16}),
    "prtr": (PYRAMID, {"kind": "prtr", "embed_dims": 16, "num_heads": 2, "encoder_layers": 1, "decoder_layers": 1}),
}
each = pytest.mark.parametrize("name", HEADS)


def model_of(name: str, size: tuple[int, int] = (64, 48), **changes):
    """A model of `HEADS`; `changes` are to its head."""
    backbone, head = HEADS[name][0], {**HEADS[name][1], **changes}
    torch.manual_seed(0)
    return build_model(
        ExperimentConfig().with_changes(model={"backbone": backbone, "head": head}, **{"data.input_size": list(size)})
    )


@each
@pytest.mark.parametrize("keypoints", [16, 1])
def test_targets_of_another_keypoint_set_are_refused(name, keypoints):
    """One keypoint would be broadcast to all."""
    targets = PoseTargets(torch.rand(2, keypoints, 2), torch.ones(2, keypoints, dtype=torch.bool))
    with pytest.raises(UserError, match=f"^the head has 17 keypoints, the targets {keypoints}$"):
        model_of(name).loss(torch.randn(2, 3, 64, 48), targets)


@each
def test_a_round_trip_loses_half_a_cell_at_most(name):
    """Of keypoints well inside the crop; a cell is 4 pixels of it."""
    points = 0.2 + 0.6 * torch.rand(4, 17, 2, generator=torch.Generator().manual_seed(0))
    moved = (model_of(name).head.round_trip(points, (64, 48)) - points).abs() * torch.tensor([12.0, 16.0])
    assert moved.max() <= 0.5 + 1e-4


@each
def test_poses_with_and_without_flip_test_are_finite(name):
    model, images = model_of(name).eval(), torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for pose in (model(images), model.predict_flipped(images)):
            assert pose.keypoints.shape == (2, 17, 2) and pose.keypoint_scores.shape == (2, 17)
            assert torch.isfinite(pose.keypoints).all() and torch.isfinite(pose.keypoint_scores).all()


class MeanHead(PoseHead[Tensor]):
    """The least head that there is: a linear layer on pooled features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, 34)

    def forward(self, features):
        return 0.5 + self.linear(features[-1].mean(dim=(2, 3))).unflatten(1, (17, 2))

    def loss(self, features, targets):
        error = ((self(features) - targets.keypoints).abs() * targets.supervised[..., None]).mean()
        return LossTerms(error, {"l1": error})

    def merge_flipped(self, outputs, flipped, flip_index):
        return 0.5 * (outputs + torch.tensor([1.0, 0.0]) - flipped[:, flip_index] * torch.tensor([1.0, -1.0]))

    def decode(self, outputs):
        return PosePrediction(keypoints=outputs, keypoint_scores=torch.ones_like(outputs[..., 0]))


def test_a_head_that_nothing_knows_is_trained_judged_counted_and_folded(tmp_path, monkeypatch):
    """None of it asks which method it is: `build_head` alone would have to name it."""

    def build(config):
        backbone = build_backbone(config.model.backbone, config.data.input_size)
        return PoseModel(backbone=backbone, head=MeanHead(backbone.channels[-1]), flip_index=COCO_17.flip_index)

    monkeypatch.setattr(fit, "build_network", build)
    config = tiny_config(**{"train.epochs": 2, "evaluation.instance_score": "box"})
    runtime = Runtime(data=write_people(tmp_path / "data", train=16, val=4), device="cpu", threads=1)
    curve = fit.train(config, tmp_path / "run", runtime)
    assert curve[-1].terms == {"l1": curve[-1].loss} and curve[-1].ap is not None
    model = build(config)
    model.load_state_dict(read_weights(tmp_path / "run" / "model.pt")["state_dict"])
    evaluated = evaluate_model(model.eval(), config, runtime, "ground_truth")
    assert evaluated.num_boxes == 4
    people = CocoPeople(runtime.data, "val", COCO_17)
    assert head_ceiling(people, model.head, config.data.input_size).AP == pytest.approx(100)
    images = torch.zeros(1, 3, *config.data.input_size)
    layer = model.head.linear
    assert parameters_by_part(model)["head"] == layer.weight.numel() + 34
    assert hook_multiply_adds_by_part(model, images)["head"] == layer.weight.numel()
    assert multiply_adds_by_part(model, images)["head"] == layer.weight.numel()
    assert optimise(model, example_images(config.data.input_size), SAFE).failed == ()
    with pytest.raises(UserError, match="targets 5"):
        model.loss(images, PoseTargets(torch.rand(1, 5, 2), torch.ones(1, 5, dtype=torch.bool)))
