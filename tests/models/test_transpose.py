"""TransPose: counts, attention, what reaches the heatmaps, bad input, and that it learns."""

from functools import cache

import pytest
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from poseur_lib.checkpoints.checkpoint import build_without_download
from poseur_lib.config import ExperimentConfig
from poseur_lib.config.heads import TransPoseConfig
from poseur_lib.costs.cost import Cost, cost
from poseur_lib.errors import UserError
from poseur_lib.models.baselines.cell_attention import SelfAttention
from poseur_lib.models.build import build_model
from tests.models.tokens import SMALL, overfit, random_batch, small_model, weights_that_do_not_learn

HEAD = {"kind": "transpose", "embed_dims": 16, "ffn_dims": 32, "layers": 2, "dropout": 0.0}
HRNET_S = {"kind": "hrnet", "width": 48, "stages": 3, "outputs": "finest", "weights": "none"}
W32 = {**HRNET_S, "width": 32}
RESNET_S = {"kind": "resnet", "stages": 2, "weights": "none"}
R = {"embed_dims": 256, "num_heads": 8, "ffn_dims": 1024, "deconvolutions": 1}
PUBLISHED = {
    "H-A6": (HRNET_S, {}, 17.5, 21.8),
    "H-A4": (HRNET_S, {"layers": 4}, 17.3, 17.5),
    "H-S": (W32, {"layers": 4, "embed_dims": 64, "ffn_dims": 128}, 8.0, 10.2),
    "R-A3": (RESNET_S, {**R, "layers": 3}, 5.2, 8.0),
    "R-A4": (RESNET_S, {**R, "layers": 4}, 6.0, 8.9),
}
"""Backbone, head, parameters in M and GFLOPs of the authors' page."""


def published(variant: str) -> ExperimentConfig:
    backbone, head, *_ = PUBLISHED[variant]
    return ExperimentConfig().with_changes(**{"model.backbone": backbone, "model.head": {"kind": "transpose", **head}})


@cache
def cost_of(variant: str) -> Cost:
    return cost(published(variant))


@pytest.mark.parametrize("variant", PUBLISHED)
def test_parameters_are_the_published_ones_with_the_table_of_positions(variant: str) -> None:
    with torch.device("meta"):
        model = build_without_download(published(variant))
    count = sum(parameter.numel() for parameter in model.parameters())
    assert round((count + model.head.network.positions.numel()) / 1e6, 1) == PUBLISHED[variant][2]
    learned = published(variant).with_changes(**{"model.head.position_embedding": "learned"})
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in build_without_download(learned).parameters())
    assert round(count / 1e6, 1) == PUBLISHED[variant][2]


@pytest.mark.parametrize("variant", PUBLISHED)
def test_gflops_are_the_published_ones_by_their_counter(variant: str) -> None:
    """Ours, everything counted, and what the authors' counter sees besides."""
    ours = cost_of(variant).multiply_adds
    assert (ours + _besides(published(variant))) / 1e9 == pytest.approx(PUBLISHED[variant][3], abs=0.07)


def _besides(config: ExperimentConfig) -> int:
    """Batch norm 4 an element, softmax 5 and the dropout after it 1, ReLU, other dropout, biases and residuals 1.

    And a transposed convolution for each cell of its output instead of its input.
    """
    with torch.device("meta"):
        model = build_without_download(config).eval()
    seen: list[int] = []

    def see(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        match module:
            case nn.BatchNorm2d():
                seen.append(4 * output.numel())
            case SelfAttention():
                seen.append(6 * module.num_heads * inputs[0].shape[1] ** 2)
            case nn.ConvTranspose2d():
                seen.append(3 * inputs[0].shape[2:].numel() * module.weight.numel())
            case nn.ReLU() | nn.Dropout() | nn.Linear() | BasicBlock() | Bottleneck():
                seen.append(output.numel())

    for module in model.modules():
        module.register_forward_hook(see)
    model(torch.empty(1, 3, 256, 192, device="meta"))
    return sum(seen)


def test_attention_is_counted_as_two_matrix_products() -> None:
    """Per layer: N^2 d twice, and the linear layers, N (4 d^2 + 2 d h)."""
    six, four = (cost_of(variant) for variant in ("H-A6", "H-A4"))
    cells, dims, hidden = 64 * 48, 96, 192
    layer = 2 * cells**2 * dims + cells * (4 * dims**2 + 2 * dims * hidden)
    assert six.multiply_adds - four.multiply_adds == 2 * layer
    norms_relu = cells * (2 * 2 * dims + hidden)
    assert six.hook_multiply_adds - four.hook_multiply_adds == 2 * (2 * cells * dims * hidden + norms_relu)


def test_without_positions_the_encoder_does_not_know_where_a_cell_is() -> None:
    """Cells in another order give heatmaps in that order; with positions they do not."""
    features = torch.randn(1, 8, 16, 12)
    for position, same in (("none", True), ("sine", False)):
        network = small_model({**HEAD, "position_embedding": position}).eval().head.network
        with torch.no_grad():
            network.reduce.weight.mul_(500)
            heatmaps, turned = network(features), network(features.flip(2, 3)).flip(2, 3)
        assert torch.allclose(heatmaps, turned, atol=1e-5) == same


def test_input_projection_starts_as_one_matrix_would() -> None:
    attention = small_model({**HEAD, "embed_dims": 64}).head.network.layers[0].attention
    bound = (6 / (64 + 3 * 64)) ** 0.5
    for linear in (attention.query_key_proj, attention.value_proj):
        assert 0.95 * bound < linear.weight.abs().max() <= bound
        assert not linear.bias.any()


@pytest.mark.parametrize("head", [{}, {"deconvolutions": 1}, {"position_embedding": "learned"}])
def test_every_weight_learns(head: dict) -> None:
    backbone = {"model.backbone": {"kind": "resnet", "depth": 18, "stages": 2, "weights": "none"}}
    model = small_model({**HEAD, **head}, **(backbone if "deconvolutions" in head else {}))
    assert weights_that_do_not_learn(model) == []


def test_offset_maps() -> None:
    codec = {"decoding": "offset", "centers": "exact", "unbiased": True, "shift_flipped": False}
    model = small_model({**HEAD, "codec": codec}).eval()
    images, targets = random_batch(2)
    assert model.head(model.backbone(images)).shape == (2, 17, 3, 16, 12)
    assert model.head.crop_rule.unbiased
    assert model.predict_flipped(images).keypoints.shape == targets.keypoints.shape


def test_it_learns() -> None:
    """Keypoints of two people, given one map of noise each, within a cell and a half."""
    first, last, worst = overfit(small_model({**HEAD, "embed_dims": 32, "ffn_dims": 64}).head, steps=200, rate=2e-2)
    assert last < 0.1 * first
    assert worst < 1.5


def test_bad_input() -> None:
    with pytest.raises(UserError, match=r"deconvolutions 1: .* 16x12 cells .* heatmaps of 32x24, .* be 16x12"):
        small_model({**HEAD, "deconvolutions": 1})
    pyramid = {"model.backbone": {**SMALL["model.backbone"], "outputs": "pyramid"}}
    with pytest.raises(UserError, match="last map has 4x3 cells"):
        small_model(HEAD, **pyramid)
    narrow = {"kind": "narrow_resnet", "weights": "none"}
    size = {"data.input_size": (66, 48), "model.backbone": narrow, "model.head": HEAD}
    with pytest.raises(UserError, match="66x48"):
        build_model(ExperimentConfig().with_changes(**size))
    model = small_model(HEAD)
    with pytest.raises(UserError, match="last map has 8x6 cells, and the head was built for 16x12"):
        model.head([torch.zeros(1, 8, 8, 6)])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"num_heads": 5}, "embed_dims 96 is not a multiple of num_heads 5"),
        ({"embed_dims": 6}, "embed_dims 6 must be a multiple of 4"),
        ({"position_embedding": "cosine"}, "input_value='cosine'"),
        ({"deconvolutions": 4}, "input_value=4"),
    ],
)
def test_bad_knobs(changes: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TransPoseConfig().with_changes(**changes)
