"""ResNet: torchvision's."""

from collections.abc import Sequence

import torchvision
from jaxtyping import Float
from torch import Tensor

from poseur_lib.config.backbone import ResNetConfig
from poseur_lib.models.backbones.backbone import Backbone, torchvision_net


class ResNet(Backbone):
    """torchvision's ResNet without its classifier, or its first stages. Feature strides 4, 8, 16, 32."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        net: torchvision.models.ResNet = torchvision_net(getattr(torchvision.models, config.name), config)
        self.conv1, self.bn1, self.relu, self.maxpool = net.conv1, net.bn1, net.relu, net.maxpool
        self.layer1, self.layer2 = net.layer1, net.layer2
        self.layer3 = net.layer3 if config.stages > 2 else None
        self.layer4 = net.layer4 if config.stages > 3 else None
        expansion = net.layer1[0].expansion
        self.channels = tuple(width * expansion for width in (64, 128, 256, 512)[: config.stages])

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Sequence[Tensor]:
        """Feature maps res2 to res5, or to the last stage that there is."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = []
        for layer in filter(None, (self.layer1, self.layer2, self.layer3, self.layer4)):
            x = layer(x)
            maps.append(x)
        return maps
