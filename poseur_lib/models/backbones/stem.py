"""HRNet's stem and first stage: what the high-resolution networks begin with, and all that TokenPose-S has.

TokenPose (Sec. 4.1, its second footnote) names a "stem-net" that is "a very shallow convolutional structure"; that it
is HRNet's stem with the four bottleneck blocks of HRNet's first stage is read off the authors' code, and agrees with
the parameters and the GFLOPs that the paper prints for S-v1 and S-v2 (`tests/models/test_tokenpose.py`).
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from poseur_lib.config.backbone import HRNetStemConfig
from poseur_lib.models.backbones.backbone import Backbone

STEM_CHANNELS = 64
WIDE_CHANNELS = STEM_CHANNELS * Bottleneck.expansion


def unit(
    before: int, after: int, kernel: int, stride: int = 1, *, bias: bool = False, relu: bool = False
) -> nn.Sequential:
    """A convolution and its batch norm, and a ReLU where `relu` says so."""
    convolution = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=bias)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), *([nn.ReLU(inplace=True)] if relu else []))


class HighResolutionStem(Backbone):
    """Two convolutions of stride 2, then bottleneck blocks: 256 channels at stride 4."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, STEM_CHANNELS, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        self.conv2 = nn.Conv2d(STEM_CHANNELS, STEM_CHANNELS, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(STEM_CHANNELS)
        self.relu = nn.ReLU(inplace=True)
        first = Bottleneck(STEM_CHANNELS, STEM_CHANNELS, downsample=unit(STEM_CHANNELS, WIDE_CHANNELS, 1))
        others = (Bottleneck(WIDE_CHANNELS, STEM_CHANNELS) for _ in range(blocks - 1))
        self.layer1 = nn.Sequential(first, *others)

    def stem(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 256 _H _W"]:
        """The map of the first stage."""
        x = self.relu(self.bn1(self.conv1(images)))
        return self.layer1(self.relu(self.bn2(self.conv2(x))))

    def reset_convolutions(self) -> None:
        """Convolutions start as in HRNet."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.001)


class HRNetStem(HighResolutionStem):
    """The stem as a backbone of one map."""

    def __init__(self, config: HRNetStemConfig) -> None:
        super().__init__(config.blocks)
        self.channels = (WIDE_CHANNELS,)
        self.reset_convolutions()

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Sequence[Tensor]:
        """One map, of stride 4."""
        return [self.stem(images)]
