"""Which file of ImageNet weights a backbone starts from, so that a run's record names it.

torchvision's files carry a part of their SHA-256 in their names and are checked against it. Those of timm come from a
hub under a name whose content may change, so a record holds the hub's revision too.
"""

from pathlib import Path
from typing import NamedTuple

import timm
import torch
from huggingface_hub import try_to_load_from_cache
from torchvision.models import get_model_weights

from poseur_lib.config.backbone import (
    LITE0,
    BackboneConfig,
    HRNetConfig,
    MobileNetV2Config,
    ResNetConfig,
    TimmConfig,
    ViTConfig,
)
from poseur_lib.files import sha256_hex
from poseur_lib.models.backbones.lite0_weights import weights_path
from poseur_lib.models.backbones.vit import IMAGENET

HUB_FILES = ("model.safetensors", "pytorch_model.bin")


class WeightsFile(NamedTuple):
    """The file of weights that a backbone starts from: its name (a hub's with `@` revision), and its SHA-256."""

    name: str
    sha256: str


def starting_weights(config: BackboneConfig) -> WeightsFile | None:
    """The file that a backbone's ImageNet weights were read from; None where there are none, or it is gone."""
    if config.weights != "imagenet":
        return None
    found = _downloaded(config)
    if found is None or not found[1].is_file():
        return None
    return WeightsFile(found[0], sha256_hex(found[1].read_bytes()))


def _downloaded(config: BackboneConfig) -> tuple[str, Path] | None:
    match config:
        case ResNetConfig() | MobileNetV2Config():
            file = Path(torch.hub.get_dir()) / "checkpoints" / Path(_torchvision_url(config.name)).name
            return file.name, file
        case TimmConfig(name=name) if name == LITE0:
            path = weights_path()
            return path.name, path
        case HRNetConfig() | TimmConfig():
            return _of_hub(config.name)
        case ViTConfig():
            return _of_hub(IMAGENET)
    return None


def _torchvision_url(name: str) -> str:
    return get_model_weights(name.replace("mobilenetv2", "mobilenet_v2"))["IMAGENET1K_V1"].url


def _of_hub(name: str) -> tuple[str, Path] | None:
    """Of timm's model `name`: as timm looks for it, the first of the files that the hub's cache has."""
    known = timm.get_pretrained_cfg(name)
    if known is None or not known.hf_hub_id:
        return None
    for file in HUB_FILES:
        path = try_to_load_from_cache(known.hf_hub_id, file)
        if isinstance(path, str):
            return f"{known.hf_hub_id}@{Path(path).parent.name}/{file}", Path(path)
    return None
