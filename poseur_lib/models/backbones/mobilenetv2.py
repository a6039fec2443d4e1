"""MobileNetV2: torchvision's, cut where its stride changes."""

import itertools
from collections.abc import Sequence

import torchvision
from jaxtyping import Float
from torch import Tensor, nn

from poseur_lib.config.backbone import MobileNetV2Config
from poseur_lib.models.backbones.backbone import Backbone, torchvision_net

BLOCKS = (1, 2, 3, 4, 3, 3, 1)
"""Inverted residuals of the seven layers (Table 2 of the MobileNetV2 paper)."""


class MobileNetV2(Backbone):
    """Feature strides 4, 8, 16, 32: the ends of layers 2, 3 and 5, and the last convolution, as the released code."""

    def __init__(self, config: MobileNetV2Config) -> None:
        super().__init__()
        blocks = iter(torchvision_net(torchvision.models.mobilenet_v2, config).features)
        self.conv1 = next(blocks)
        layers = (nn.Sequential(*itertools.islice(blocks, count)) for count in BLOCKS)
        self.layer1, self.layer2, self.layer3, self.layer4, self.layer5, self.layer6, self.layer7 = layers
        self.conv2 = next(blocks)
        self.channels = (24, 32, 96, 1280)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Sequence[Tensor]:
        """Feature maps res2 to res5."""
        res2 = self.layer2(self.layer1(self.conv1(images)))
        res3 = self.layer3(res2)
        res4 = self.layer5(self.layer4(res3))
        return [res2, res3, res4, self.conv2(self.layer7(self.layer6(res4)))]
