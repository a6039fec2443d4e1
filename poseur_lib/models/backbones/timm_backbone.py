"""Any timm model that gives feature maps."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import timm
import torch
from jaxtyping import Float
from torch import Tensor

from poseur_lib.config.backbone import LITE0, TimmConfig
from poseur_lib.data.dataset import IMAGE_MEAN, IMAGE_STD
from poseur_lib.errors import UserError
from poseur_lib.models.backbones.backbone import Backbone, with_imagenet
from poseur_lib.models.backbones.lite0_weights import lite0_weights

STRIDES = (4, 8, 16, 32)


class TimmBackbone(Backbone):
    """Feature strides 4, 8, 16, 32 of a timm model.

    Raises:
        UserError: timm has no such model, or it gives no such maps, or ImageNet weights cannot be had.
    """

    factor: Float[Tensor, "3 1 1"]
    offset: Float[Tensor, "3 1 1"]

    def __init__(self, config: TimmConfig) -> None:
        super().__init__()
        strides = _strides(config.name)
        missing = [stride for stride in STRIDES if stride not in strides]
        if missing:
            raise UserError(f"timm model {config.name!r} gives maps of strides {strides}: {missing} are missing")
        indices = tuple(strides.index(stride) for stride in STRIDES)
        imagenet, from_package = config.weights == "imagenet", config.name == LITE0
        pretrained = imagenet and not from_package
        make = partial(timm.create_model, config.name, features_only=True, out_indices=indices, pretrained=pretrained)
        net: Any = with_imagenet(config.name, make) if pretrained else make()  # timm does not type `feature_info`
        if imagenet and from_package:
            weights = lite0_weights(timm.create_model(config.name).state_dict())
            net.load_state_dict({name: weights[name] for name in net.state_dict()})
        self.net, self.channels = net, tuple(net.feature_info.channels())
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
        return [
            x if x.shape[1] == width else x.permute(0, 3, 1, 2)  # some models give [B, H, W, C]
            for x, width in zip(self.net(images), self.channels, strict=True)
        ]


def _strides(name: str) -> list[int]:
    if name not in timm.list_models() and name not in timm.list_pretrained():
        raise UserError(f"timm {timm.__version__} has no model {name!r}")
    try:
        net: Any = timm.create_model(name, features_only=True)
    except (RuntimeError, AttributeError, TypeError, AssertionError) as error:
        raise UserError(f"timm model {name!r} gives no feature maps ({error})") from error
    return [feature["reduction"] for feature in net.feature_info]
