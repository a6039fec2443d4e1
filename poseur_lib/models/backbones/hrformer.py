"""HRFormer (Yuan et al., NeurIPS 2021): HRNet's branches, with local-window attention for convolutional blocks.

Paper: windows of 7x7 with a relative position bias. Released Poseur: its state_dict holds the bias' index but no bias
table, and its recorded outputs have none. Here: no bias.
Released configurations train it with stochastic depth (`drop_path_rate` 0.2 for B, 0.3 for B at 384x288, 0.1 for S and
T), not built here.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention

from poseur_lib.config.backbone import HRFormerConfig
from poseur_lib.models.backbones.high_resolution import Frame, HighResolutionNet

WINDOW = 7
FFN_RATIO = 4


@dataclass(frozen=True)
class _Variant:
    """Table 1 of the HRFormer paper: widths and attention heads per branch, fusions per stage."""

    widths: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    modules: tuple[int, int, int]


VARIANTS = {
    "tiny": _Variant((18, 36, 72, 144), (1, 2, 4, 8), (1, 3, 2)),
    "small": _Variant((32, 64, 128, 256), (1, 2, 4, 8), (1, 4, 2)),
    "base": _Variant((78, 156, 312, 624), (2, 4, 8, 16), (1, 4, 2)),
}


class WindowAttention(nn.Module):
    """Multi-head attention within windows of 7x7 cells; maps are padded with zero cells, which take part."""

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(channels, channels) for _ in range(4))

    def forward(self, x: Float[Tensor, "B H W C"]) -> Float[Tensor, "B H W C"]:
        """Every cell attends to the cells of its window."""
        batch, height, width, channels = x.shape
        top, bottom = _halves(-height % WINDOW)
        left, right = _halves(-width % WINDOW)
        x = pad(x, (0, 0, left, right, top, bottom))
        rows, columns = x.shape[1] // WINDOW, x.shape[2] // WINDOW
        x = x.view(batch, rows, WINDOW, columns, WINDOW, channels).transpose(2, 3).reshape(-1, WINDOW**2, channels)
        q, k, v = (
            proj(x).unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = self.out_proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        mixed = mixed.view(batch, rows, columns, WINDOW, WINDOW, channels).transpose(2, 3)
        mixed = mixed.reshape(batch, rows * WINDOW, columns * WINDOW, channels)
        return mixed[:, top : top + height, left : left + width]


class ConvFFN(nn.Module):
    """The FFN with a depthwise 3x3 convolution in its middle, which carries information between windows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = channels * FFN_RATIO
        self.fc1, self.norm1 = nn.Conv2d(channels, hidden, 1), nn.BatchNorm2d(hidden)
        self.dw3x3, self.norm2 = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden), nn.BatchNorm2d(hidden)
        self.fc2, self.norm3 = nn.Conv2d(hidden, channels, 1), nn.BatchNorm2d(channels)
        self.act = nn.GELU()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Convolution, norm and GELU, three times."""
        x = self.act(self.norm1(self.fc1(x)))
        x = self.act(self.norm2(self.dw3x3(x)))
        return self.act(self.norm3(self.fc2(x)))


class Block(nn.Module):
    """Window attention and FFN, each behind a LayerNorm and beside a residual connection."""

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.attention = WindowAttention(channels, num_heads)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = ConvFFN(channels)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """A map of the same shape."""
        x = x.permute(0, 2, 3, 1)
        x = x + self.attention(self.norm1(x))
        return x.permute(0, 3, 1, 2) + self.mlp(self.norm2(x).permute(0, 3, 1, 2))


def depthwise_downsampling(before: int, after: int, relu: bool) -> nn.Sequential:
    """A depthwise 3x3 convolution of stride 2, then a 1x1 convolution."""
    depthwise = nn.Conv2d(before, before, 3, stride=2, padding=1, groups=before, bias=False)
    pointwise = nn.Conv2d(before, after, 1, bias=False)
    layers = [depthwise, nn.BatchNorm2d(before), pointwise, nn.BatchNorm2d(after)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


def hrformer(config: HRFormerConfig) -> HighResolutionNet:
    """HRFormer-T, S or B."""
    variant = VARIANTS[config.variant]
    net = HighResolutionNet(
        Frame(
            name=config.name,
            widths=variant.widths,
            stem_blocks=2,
            modules=variant.modules,
            make_block=lambda channels, branch: Block(channels, variant.heads[branch]),
            blocks=2,
            make_downsampling=depthwise_downsampling,
            upsampling="bilinear",
            finest_only=config.outputs == "finest",
        )
    )
    reset_linear(net)
    return net


def reset_linear(net: nn.Module) -> None:
    """Linear layers start as in transformers."""
    for module in net.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)


def _halves(cells: int) -> tuple[int, int]:
    return cells // 2, cells - cells // 2
