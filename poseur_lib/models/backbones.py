"""Backbones: images in, four feature maps out (res2 to res5, finest first)."""

import math
from collections.abc import Sequence

import torch
import torchvision
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from poseur_lib.config.model import NarrowResNetConfig, ResNetConfig
from poseur_lib.errors import UserError

LEVELS = ("res2", "res3", "res4", "res5")


class ResNet(nn.Module):
    """torchvision's ResNet without its classifier. Feature strides 4, 8, 16, 32.

    Attributes:
        channels: width of each feature map.
    """

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        net = _torchvision_resnet(config)
        self.conv1, self.bn1, self.relu, self.maxpool = net.conv1, net.bn1, net.relu, net.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4
        expansion = net.layer1[0].expansion
        self.channels = tuple(width * expansion for width in (64, 128, 256, 512))

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Sequence[Tensor]:
        """Feature maps res2 to res5."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            maps.append(x)
        return maps


class NarrowResNet(nn.Module):
    """Basic blocks of free widths behind a 7x7 stem of stride 4, as in ResNet. Feature strides 4, 8, 16, 32."""

    def __init__(self, config: NarrowResNetConfig) -> None:
        super().__init__()
        self.channels = config.widths
        self.stem = nn.Sequential(
            nn.Conv2d(3, config.widths[0], 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(config.widths[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
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


def build_backbone(config: ResNetConfig | NarrowResNetConfig) -> ResNet | NarrowResNet:
    """The backbone of a configuration; pretext weights are loaded by the training code, which knows their run.

    Raises:
        UserError: ImageNet weights are asked for and cannot be had.
    """
    return NarrowResNet(config) if isinstance(config, NarrowResNetConfig) else ResNet(config)


def map_sizes(input_size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Sizes (height, width) of the four maps: half of the input, rounded up, at each of five steps of stride 2."""
    return tuple(tuple(math.ceil(side / 2 ** (level + 2)) for side in input_size) for level in range(4))


def _stage(before: int, after: int, blocks: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or before != after:
        shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
    first = BasicBlock(before, after, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(after, after) for _ in range(blocks - 1)))


def _torchvision_resnet(config: ResNetConfig) -> torchvision.models.ResNet:
    make = getattr(torchvision.models, config.name)
    if config.weights != "imagenet":
        return make(weights=None)
    try:
        return make(weights="IMAGENET1K_V1")
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"ImageNet weights of {config.name} could not be downloaded to {torch.hub.get_dir()} ({error}): put the"
            " file there, or choose model.backbone.weights 'none' or 'pretext'"
        ) from error
