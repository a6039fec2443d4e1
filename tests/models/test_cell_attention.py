"""What TransPose and TokenPose share."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from poseur_lib.config.model import ModelConfig
from poseur_lib.errors import UserError
from poseur_lib.models.baselines.cell_attention import SelfAttention, last_map, last_map_size


@pytest.mark.parametrize("heads", [1, 4])
def test_attention_is_torchs_with_the_same_weights(heads: int) -> None:
    torch.manual_seed(0)
    dims = 16
    ours = SelfAttention(dims, heads, scale=(dims // heads) ** -0.5, input_bias=True, dropout=0.0).double()
    theirs = nn.MultiheadAttention(dims, heads, batch_first=True).double()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query_key_proj.weight, ours.value_proj.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query_key_proj.bias, ours.value_proj.bias]))
        theirs.out_proj.load_state_dict(ours.output_proj.state_dict())
    x, placed = torch.randn(2, 2, 7, dims, dtype=torch.float64)
    expected, _ = theirs(placed, placed, x)
    torch.testing.assert_close(ours(x, placed), expected)


def test_without_positions_queries_and_keys_are_made_of_the_sequence() -> None:
    attention = SelfAttention(8, 2, scale=0.5, input_bias=False, dropout=0.0)
    x = torch.randn(1, 5, 8)
    torch.testing.assert_close(attention(x), attention(x, x))


def test_with_a_scale_of_0_all_elements_gather_the_mean() -> None:
    attention, x = SelfAttention(8, 1, scale=0.0, input_bias=False, dropout=0.0), torch.randn(1, 6, 8)
    expected = attention.output_proj(attention.value_proj(x).mean(dim=1, keepdim=True))
    torch.testing.assert_close(attention(x), expected.expand(1, 6, 8))


@pytest.mark.parametrize(("maps", "size"), [(1, (64, 48)), (2, (32, 24)), (4, (8, 6))])
def test_the_last_map_of_a_pyramid(maps: int, size: tuple[int, int]) -> None:
    assert last_map_size([8] * maps, (256, 192)) == size


@pytest.mark.parametrize("kind", ["transpose", "tokenpose"])
@pytest.mark.parametrize(
    ("backbone", "strides"),
    [({"kind": "vit", "weights": "none"}, 16), ({"kind": "hrnet", "outputs": "classification", "weights": "none"}, 32)],
)
def test_maps_that_do_not_begin_at_stride_4_are_refused(kind: str, backbone: dict, strides: int) -> None:
    with pytest.raises(ValidationError, match=rf"head '{kind}' takes maps of strides 4, 8 .* gives \({strides},\)"):
        ModelConfig.model_validate({"backbone": backbone, "head": {"kind": kind}})


def test_a_map_of_another_size_is_named() -> None:
    with pytest.raises(UserError, match="last map has 5x4 cells, and the head was built for 8x6"):
        last_map([torch.zeros(1, 3, 8, 6), torch.zeros(1, 3, 5, 4)], (8, 6))
    with pytest.raises(UserError, match="input size 66x48: heatmaps need multiples of 4"):
        last_map_size([8], (66, 48))
