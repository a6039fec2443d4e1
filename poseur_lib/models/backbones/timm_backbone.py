"""Any timm model that gives feature maps."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import timm
import torch
from jaxtyping import Float
from timm.layers import Format
from torch import Tensor

from poseur_lib.config.backbone import LITE0, TimmConfig
from poseur_lib.data.dataset import IMAGE_MEAN, IMAGE_STD
from poseur_lib.errors import UserError, first_line
from poseur_lib.models.backbones.backbone import Backbone, with_imagenet
from poseur_lib.models.backbones.lite0_weights import lite0_weights

STRIDES = (4, 8, 16, 32)


class TimmBackbone(Backbone):
    """Feature strides 4, 8, 16, 32 of a timm model.

    Attributes:
        fixed_size: it was built for the size of its crops, and takes no other (Swin).

    Raises:
        UserError: timm has no such model, it gives no such maps or takes no such crops, or ImageNet weights cannot be
            had.
    """

    factor: Float[Tensor, "3 1 1"]
    offset: Float[Tensor, "3 1 1"]

    def __init__(self, config: TimmConfig, input_size: tuple[int, int]) -> None:
        super().__init__()
        strides = _strides(config.name)
        missing = [stride for stride in STRIDES if stride not in strides]
        if missing:
            raise UserError(f"timm model {config.name!r} gives maps of strides {strides}: {missing} are missing")
        indices = tuple(strides.index(stride) for stride in STRIDES)
        imagenet, from_package = config.weights == "imagenet", config.name == LITE0
        pretrained = imagenet and not from_package
        size = _size_option(config.name, indices, input_size)
        self.fixed_size = bool(size)
        make = partial(
            timm.create_model, config.name, features_only=True, out_indices=indices, pretrained=pretrained, **size
        )
        net: Any = with_imagenet(config.name, make) if pretrained else make()  # timm does not type `feature_info`
        if imagenet and from_package:
            weights = lite0_weights(timm.create_model(config.name).state_dict())
            net.load_state_dict({name: weights[name] for name in net.state_dict()})
        self.net, self.channels = net, tuple(net.feature_info.channels())
        self.channels_last = getattr(net, "output_fmt", Format.NCHW) == Format.NHWC
        self.renormalises = config.input_normalisation == "own"
        if self.renormalises:
            own: Any = timm.get_pretrained_cfg(config.name)
            mean, std = np.array(own.mean, np.float32), np.array(own.std, np.float32)
            for name, values in (("factor", IMAGE_STD / std), ("offset", (IMAGE_MEAN - mean) / std)):
                self.register_buffer(name, torch.tensor(values.tolist())[:, None, None], persistent=False)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Sequence[Tensor]:
        """Feature maps res2 to res5; `images` are normalised by ImageNet's mean and deviation."""
        if self.renormalises:
            images = images * self.factor + self.offset
        maps = self.net(images)
        return [x.permute(0, 3, 1, 2) for x in maps] if self.channels_last else maps


def _strides(name: str) -> list[int]:
    if name not in timm.list_models() and name not in timm.list_pretrained():
        raise UserError(f"timm {timm.__version__} has no model {name!r}")
    try:
        net: Any = timm.create_model(name, features_only=True)
    except (RuntimeError, AttributeError, TypeError, AssertionError) as error:
        raise UserError(f"timm model {name!r} gives no feature maps ({error})") from error
    return [feature["reduction"] for feature in net.feature_info]


def _size_option(name: str, indices: tuple[int, ...], input_size: tuple[int, int]) -> dict[str, Any]:
    """What a model has to be told of its crops: nothing where it takes them as timm makes it, else `img_size`.

    Tried without weights. Told their size, Swin has other windows, and timm resamples ImageNet's tables of positions.
    """
    options: tuple[dict[str, Any], ...] = ({}, {"img_size": input_size})
    problem = ""
    for option in options:
        try:
            with torch.device("meta"), torch.no_grad():
                net = timm.create_model(name, features_only=True, out_indices=indices, **option).eval()
                net(torch.empty(1, 3, *input_size))
            return option
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            problem = problem or first_line(error)
    height, width = input_size
    raise UserError(f"timm model {name!r} cannot take crops of {height}x{width} ({problem})")
