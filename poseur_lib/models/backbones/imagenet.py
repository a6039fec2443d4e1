"""ImageNet weights from the packages that distribute them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from poseur_lib.errors import UserError


def with_imagenet(name: str, make: Callable[[], nn.Module]) -> nn.Module:
    """The model that `make` builds with downloaded weights.

    Raises:
        UserError: the weights cannot be had.
    """
    try:
        return make()
    except (OSError, RuntimeError, ImportError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(
            f"ImageNet weights of {name} could not be downloaded ({reason}): put the file into the cache of"
            f" torch.hub ({torch.hub.get_dir()}) or Hugging Face, or choose model.backbone.weights 'none' or 'pretext'"
        ) from error


def timm_weights(name: str, imagenet_name: str) -> dict[str, Tensor]:
    """The state_dict of timm's pretrained model `imagenet_name`; `name` is what the error calls it."""
    import timm

    return with_imagenet(name, lambda: timm.create_model(imagenet_name, pretrained=True)).state_dict()
