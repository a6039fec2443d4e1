"""TokenPose: counts, patches, the order of the tokens, bad input, and that it learns; and the stem of S."""

import pytest
import torch

from poseur_lib.checkpoints.checkpoint import build_without_download
from poseur_lib.config import ExperimentConfig, HRNetConfig, HRNetStemConfig, ResNetConfig
from poseur_lib.config.heads import TokenPoseConfig
from poseur_lib.costs.cost import cost
from poseur_lib.errors import UserError
from poseur_lib.models.backbones import build_backbone
from poseur_lib.models.baselines.tokenpose import patches_of
from poseur_study.costs.printed_gflops import BINARY_GIGA, count, summary_rule
from tests.models.tokens import overfit, random_batch, small_model, weights_that_do_not_learn

HEAD = {
    "kind": "tokenpose",
    "embed_dims": 32,
    "num_heads": 4,
    "ffn_dims": 64,
    "layers": 4,
    "mlp_hidden": 48,
}
STEM = {"kind": "hrnet_stem"}
W32 = {"kind": "hrnet", "width": 32, "stages": 3, "outputs": "finest", "weights": "none"}
W48 = {**W32, "width": 48}
S = {"attention_scale": "model"}
L = {"num_heads": 12, "fused_parts": 3, "mlp_hidden": None}
PUBLISHED = {
    "S-v1": (STEM, S, 6.6, 2.2),
    "S-v2": (STEM, {**S, "patch_size": (2, 2)}, 6.2, 11.6),
    "B": (W32, {}, 13.5, 5.7),
    "L/D6": (W48, {**L, "layers": 6}, 20.8, 9.1),
    "L/D24": (W48, {**L, "layers": 24}, 27.5, 11.0),
}
"""Backbone, head, parameters in M and GFLOPs as printed (second-hand)."""


def published(variant: str) -> ExperimentConfig:
    backbone, head, *_ = PUBLISHED[variant]
    return ExperimentConfig().with_changes(**{"model.backbone": backbone, "model.head": {"kind": "tokenpose", **head}})


def on_meta(config: ExperimentConfig) -> torch.nn.Module:
    with torch.device("meta"):
        return build_without_download(config).eval()


@pytest.mark.parametrize("variant", PUBLISHED)
def test_parameters_are_the_published_ones(variant: str) -> None:
    count = sum(parameter.numel() for parameter in on_meta(published(variant)).parameters())
    assert round(count / 1e6, 1) == PUBLISHED[variant][2]


def test_parameters_of_the_papers_tables_6_and_7() -> None:
    """Table 7: S-v1 has 6.62 M, and 6.67 M with positions. Table 6: S-v2 has 6.7 M with its tokens fused."""
    count = {
        name: sum(parameter.numel() for parameter in on_meta(config).parameters())
        for name, config in (
            ("none", published("S-v1").with_changes(**{"model.head.position_embedding": "none"})),
            ("fused", published("S-v2").with_changes(**{"model.head.fused_parts": 3, "model.head.mlp_hidden": None})),
        )
    }
    table = on_meta(published("S-v1")).head.network.positions.numel()
    assert round(count["none"] / 1e6, 2) == 6.62
    assert round((count["none"] + table) / 1e6, 2) == 6.67
    assert round(count["fused"] / 1e6, 1) == 6.7


@pytest.mark.parametrize("variant", PUBLISHED)
def test_gflops_are_the_published_ones_by_their_counter(variant: str) -> None:
    assert round(count(published(variant), summary_rule) / BINARY_GIGA, 1) == PUBLISHED[variant][3]


def test_gflops_of_their_table_7() -> None:
    """2.23 with 273 tokens; 2.07 where the 17 keypoint tokens are left out, which changes N in N^2 and little else."""
    counted = count(published("S-v1"), summary_rule) / BINARY_GIGA
    of_layers = 12 * (192 + 192 + 192 + 192 + 576 + 192) / 2**30
    assert round(counted, 2) == 2.23
    assert round(counted - of_layers * (273**2 - 256**2), 2) == 2.07


def test_attention_is_counted_as_two_matrix_products() -> None:
    two, one = (cost(published("S-v1").with_changes(**{"model.head.layers": layers})) for layers in (2, 1))
    tokens, dims, hidden = 17 + 256, 192, 576
    linear = tokens * (4 * dims**2 + 2 * dims * hidden)
    assert two.multiply_adds - one.multiply_adds == linear + 2 * tokens**2 * dims
    assert two.hook_multiply_adds - one.hook_multiply_adds == linear + 2 * 2 * tokens * dims


def test_patches_row_by_row() -> None:
    """Cell (y, x) of channel c holds 1000 c + 100 y + x."""
    y, x = torch.meshgrid(torch.arange(4), torch.arange(6), indexing="ij")
    features = torch.stack([100.0 * y + x, 1000.0 + 100 * y + x])[None]
    patches = patches_of(features, (2, 3))
    assert patches.shape == (1, 4, 12)
    assert patches[0, 1].tolist() == [3, 1003, 4, 1004, 5, 1005, 103, 1103, 104, 1104, 105, 1105]
    assert patches[0, 2, 0] == 200


@pytest.mark.parametrize("position", ["sine", "learned", "none"])
def test_keypoint_tokens_come_first_and_patches_follow_row_by_row(position: str) -> None:
    network = small_model({**HEAD, "position_embedding": position}).eval().head.network
    features = torch.randn(2, 8, 16, 12)
    tokens = network.tokens(features)
    assert tokens.shape == (2, 17 + 16, 32)
    keypoints, patches = network.keypoint_tokens, network.embedding(patches_of(features, (4, 3)))
    if position == "learned":
        keypoints, patches = keypoints + network.positions[:17], patches + network.positions[17:]
    elif position == "sine":
        patches = patches + network.positions
    torch.testing.assert_close(tokens[:, :17], keypoints.expand(2, -1, -1))
    torch.testing.assert_close(tokens[:, 17:], patches)


def test_a_heatmap_belongs_to_its_token() -> None:
    """Tokens in another order give the same heatmaps in that order."""
    network = small_model(HEAD).eval().head.network
    features, order = torch.randn(1, 8, 16, 12), torch.randperm(17)
    before = network(features)
    with torch.no_grad():
        network.keypoint_tokens.copy_(network.keypoint_tokens[order].clone())
    torch.testing.assert_close(network(features), before[:, order])


def test_fused_parts_are_the_tokens_after_each_part() -> None:
    fused = small_model({**HEAD, "fused_parts": 2, "mlp_hidden": None}).eval().head.network
    features = torch.randn(1, 8, 16, 12)
    half, last = fused.keypoint_states(features)
    assert fused.mlp[-1].in_features == 64
    tokens = fused.tokens(features)
    for number, layer in enumerate(fused.layers):
        if number:
            tokens = torch.cat([tokens[:, :17], tokens[:, 17:] + fused.positions], dim=1)
        tokens = layer(tokens)
        if number == 1:
            torch.testing.assert_close(half, tokens[:, :17])
    torch.testing.assert_close(last, tokens[:, :17])


def test_attention_scales() -> None:
    scales = [
        small_model({**HEAD, "attention_scale": which}).head.network.layers[0].attention.scale
        for which in ("head", "model")
    ]
    assert scales == [8**-0.5, 32**-0.5]


@pytest.mark.parametrize(
    "head", [{}, {"fused_parts": 2, "mlp_hidden": None}, {"position_embedding": "learned", "dropout": 0.1}]
)
def test_every_weight_learns(head: dict) -> None:
    assert weights_that_do_not_learn(small_model({**HEAD, **head})) == []


def test_flip_test_merges_heatmaps() -> None:
    """A network that sees a mirrored image as it would the image gives what the codec makes of both."""
    model = small_model(HEAD).eval()
    images, _ = random_batch(2)
    outputs = model.head(model.backbone(images))
    flipped = model.head(model.backbone(images.flip(3)))
    merged = model.head.merge_flipped(outputs, flipped, torch.tensor(model.flip_index))
    torch.testing.assert_close(model.predict_flipped(images).keypoints, model.head.decode(merged).keypoints)


def test_offset_maps() -> None:
    codec = {"decoding": "offset", "centers": "exact", "unbiased": True, "shift_flipped": False}
    model = small_model({**HEAD, "codec": codec}).eval()
    assert model.head(model.backbone(random_batch(2)[0])).shape == (2, 17, 3, 16, 12)
    assert model.head.crop_rule.unbiased


def test_it_learns() -> None:
    """Keypoints of two people, given one map of noise each, within a cell and a half."""
    first, last, worst = overfit(small_model({**HEAD, "layers": 2}).head, steps=120, rate=5e-3)
    assert last < 0.1 * first
    assert worst < 1.5


def test_bad_input() -> None:
    with pytest.raises(UserError, match=r"patch_size 5x3 does not divide .* 16x12 cells of an input of 64x48"):
        small_model({**HEAD, "patch_size": (5, 3)})
    with pytest.raises(UserError, match="last map has 8x12 cells, and the head was built for 16x12"):
        small_model(HEAD).head([torch.zeros(1, 8, 8, 12)])
    images, targets = random_batch()
    with pytest.raises(UserError, match="17 keypoints, the targets 5"):
        small_model(HEAD).loss(images, type(targets)(targets.keypoints[:, :5], targets.supervised[:, :5]))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"layers": 10, "fused_parts": 3}, "layers 10 cannot be cut into fused_parts 3"),
        ({"num_heads": 7}, "embed_dims 192 is not a multiple of num_heads 7"),
        ({"embed_dims": 6, "num_heads": 1}, "embed_dims 6 must be a multiple of 4"),
        ({"patch_size": (0, 3)}, "input_value=0"),
        ({"mlp_hidden": 0}, "input_value=0"),
        ({"attention_scale": "none"}, "input_value='none'"),
    ],
)
def test_bad_knobs(changes: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TokenPoseConfig().with_changes(**changes)


def test_the_stem_is_hrnets() -> None:
    """The same weights under the same names give the same map."""
    torch.manual_seed(0)
    stem, whole = build_backbone(HRNetStemConfig()).eval(), build_backbone(HRNetConfig(weights="none")).eval()
    stem.load_state_dict({name: whole.state_dict()[name] for name in stem.state_dict()})
    images = torch.randn(1, 3, 64, 48)
    (made,) = stem(images)
    assert made.shape == (1, *stem.channels, 16, 12)
    torch.testing.assert_close(made, whole.stem(images))


def test_a_resnet_that_ends_early_keeps_its_names_and_maps() -> None:
    torch.manual_seed(0)
    whole = build_backbone(ResNetConfig(depth=18, weights="none")).eval()
    short = build_backbone(ResNetConfig(depth=18, stages=2, weights="none")).eval()
    short.load_state_dict({name: whole.state_dict()[name] for name in short.state_dict()})
    images = torch.randn(1, 3, 64, 48)
    assert short.channels == whole.channels[:2]
    for ours, theirs in zip(short(images), whole(images), strict=False):
        torch.testing.assert_close(ours, theirs)
