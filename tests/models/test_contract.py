"""What the contract asks of every head, and a head that nothing else knows."""

import pytest
import torch

from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_lib.models.build import build_model
from poseur_lib.models.contract import PoseTargets

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


def model_of(name: str, size: tuple[int, int] = (64, 48)):
    backbone, head = HEADS[name]
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
