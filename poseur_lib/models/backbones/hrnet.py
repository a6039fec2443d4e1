"""HRNet (Wang et al., TPAMI 2021): high-resolution branches of basic residual blocks, and its ImageNet classifier.

RLE and PRTR take a single map; PRTR's released code takes the classifier's last one. Parameter names are those of the
first release.
"""

import itertools

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from poseur_lib.config.backbone import HRNetConfig
from poseur_lib.models.backbones.backbone import timm_weights
from poseur_lib.models.backbones.high_resolution import Frame, HighResolutionNet, downsampling
from poseur_lib.models.backbones.stem import unit

BOTTLENECKS = (32, 64, 128, 256)
POOLED_CHANNELS = 2048


class HRNetClassifier(HighResolutionNet):
    """All branches become one map of stride 32 and 2,048 channels, which the classifier pools (HRNetV2, Fig. 11)."""

    def __init__(self, frame: Frame) -> None:
        super().__init__(frame)
        widened = [width * Bottleneck.expansion for width in BOTTLENECKS]
        self.incre_modules = nn.ModuleList(
            nn.Sequential(Bottleneck(before, width, downsample=unit(before, after, 1)))
            for before, width, after in zip(self.channels, BOTTLENECKS, widened, strict=True)
        )
        self.downsamp_modules = nn.ModuleList(
            unit(before, after, 3, stride=2, bias=True, relu=True) for before, after in itertools.pairwise(widened)
        )
        self.final_layer = unit(widened[-1], POOLED_CHANNELS, 1, bias=True, relu=True)
        self.channels = (POOLED_CHANNELS,)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> list[Tensor]:
        """The map, alone in its list.

        Raises:
            UserError: the images' sides are not multiples of 32.
        """
        first, *others = (widen(x) for widen, x in zip(self.incre_modules, super().forward(images), strict=True))
        for halve, x in zip(self.downsamp_modules, others, strict=True):
            first = x + halve(first)
        return [self.final_layer(first)]


def hrnet(config: HRNetConfig) -> HighResolutionNet:
    """HRNet-W32 or W48.

    Raises:
        UserError: ImageNet weights are asked for and cannot be had.
    """
    width = config.width
    make = HRNetClassifier if config.outputs == "classification" else HighResolutionNet
    net = make(
        Frame(
            name=config.name,
            widths=(width, 2 * width, 4 * width, 8 * width),
            stem_blocks=4,
            modules=(1, 4, 3),
            make_block=lambda channels, _: BasicBlock(channels, channels),
            blocks=4,
            make_downsampling=downsampling,
            upsampling="nearest",
            stages=config.stages,
            finest_only=config.outputs == "finest",
        )
    )
    if config.weights == "imagenet":
        theirs = timm_weights(config.name, config.name)
        net.load_state_dict({name: theirs[name] for name in net.state_dict()})
    return net
