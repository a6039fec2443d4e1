"""Small stand-ins for ResNet, HRNet and HRFormer, for the profiles that train on a CPU."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from poseur_lib.config.backbone import NarrowHighResolutionConfig, NarrowResNetConfig
from poseur_lib.models.backbones.backbone import Backbone
from poseur_lib.models.backbones.high_resolution import Frame, HighResolutionNet, downsampling
from poseur_lib.models.backbones.hrformer import Block, depthwise_downsampling, reset_linear
from poseur_lib.models.backbones.stem import unit

HEADS = (1, 2, 4)
"""Attention heads of the three branches."""


def _stage(before: int, after: int, blocks: int, stride: int) -> nn.Sequential:
    shortcut = unit(before, after, 1, stride) if stride != 1 or before != after else None
    first = BasicBlock(before, after, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(after, after) for _ in range(blocks - 1)))


class NarrowResNet(Backbone):
    """Basic blocks of free widths behind a 7x7 stem of stride 4, as in ResNet. Feature strides 4, 8, 16, 32."""

    def __init__(self, config: NarrowResNetConfig) -> None:
        super().__init__()
        self.channels = config.widths
        self.stem = unit(3, config.widths[0], 7, 2, relu=True).append(nn.MaxPool2d(3, stride=2, padding=1))
        widths = (config.widths[0], *config.widths)
        self.stages = nn.ModuleList(
            _stage(before, after, blocks, stride=1 if level == 0 else 2)
            for level, (before, after, blocks) in enumerate(zip(widths, config.widths, config.blocks, strict=False))
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Sequence[Tensor]:
        """Feature maps res2 to res5."""
        x = self.stem(images)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def narrow_high_resolution(config: NarrowHighResolutionConfig) -> HighResolutionNet:
    """HRNet's or HRFormer's: three stages, one fusion each, one block between two fusions."""
    residual = config.block == "residual"
    width = config.width
    net = HighResolutionNet(
        Frame(
            name=config.name,
            widths=(width, 2 * width, 4 * width, 8 * width),
            stem_blocks=1,
            modules=(1, 1, 0),
            make_block=lambda channels, branch: (
                BasicBlock(channels, channels) if residual else Block(channels, HEADS[branch])
            ),
            blocks=1,
            make_downsampling=downsampling if residual else depthwise_downsampling,
            upsampling="nearest" if residual else "bilinear",
            stages=3,
            finest_only=config.outputs == "finest",
        )
    )
    reset_linear(net)
    return net
