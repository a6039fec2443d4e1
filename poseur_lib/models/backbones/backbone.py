"""What all backbones share: their interface, the sizes that they take and give, and ImageNet weights."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseur_lib.config.backbone import MobileNetV2Config, ResNetConfig
from poseur_lib.errors import UserError, first_line

LEVELS = ("res2", "res3", "res4", "res5")
Net = TypeVar("Net", bound=nn.Module)


class Backbone(nn.Module, ABC):
    """Images in, feature maps out.

    Attributes:
        channels: width of each feature map, finest first.
    """

    channels: tuple[int, ...]

    @abstractmethod
    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Sequence[Tensor]:
        """The feature maps [B, C, h, w], finest first."""


def map_sizes(input_size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Sizes (height, width) of the four maps: half of the input, rounded up, at each of five steps of stride 2."""
    height, width = input_size
    strides = [2 ** (level + 2) for level in range(len(LEVELS))]
    return tuple((math.ceil(height / stride), math.ceil(width / stride)) for stride in strides)


def require_multiple(input_size: tuple[int, int], multiple: int, name: str) -> None:
    """Checks a crop size (height, width).

    Raises:
        UserError: height or width is no multiple of what the backbone's strides need.
    """
    height, width = input_size
    if height % multiple or width % multiple:
        raise UserError(f"input size {height}x{width} does not fit {name}: both must be multiples of {multiple}")


def with_imagenet(name: str, make: Callable[[], Net]) -> Net:
    """The model that `make` builds with downloaded weights.

    Raises:
        UserError: the weights cannot be had.
    """
    try:
        return make()
    except (OSError, RuntimeError, ImportError) as error:
        raise UserError(
            f"ImageNet weights of {name} could not be downloaded ({first_line(error)}): put the file into the cache of"
            f" torch.hub ({torch.hub.get_dir()}) or Hugging Face, or choose model.backbone.weights 'none' or 'pretext'"
        ) from error


def torchvision_net(make: Callable[..., Net], config: ResNetConfig | MobileNetV2Config) -> Net:
    """The model of a constructor of torchvision, with ImageNet weights where the configuration says so."""
    if config.weights != "imagenet":
        return make(weights=None)
    return with_imagenet(config.name, lambda: make(weights="IMAGENET1K_V1"))


def timm_weights(name: str, imagenet_name: str) -> dict[str, Tensor]:
    """The state_dict of timm's pretrained model `imagenet_name`; `name` is what the error calls it."""
    import timm

    return with_imagenet(name, lambda: timm.create_model(imagenet_name, pretrained=True)).state_dict()
