"""A backbone from its configuration."""

from poseur_lib.config import backbone as config_of
from poseur_lib.models.backbones.backbone import Backbone, require_multiple
from poseur_lib.models.backbones.high_resolution import HighResolutionNet
from poseur_lib.models.backbones.hrformer import hrformer
from poseur_lib.models.backbones.hrnet import hrnet
from poseur_lib.models.backbones.mobilenetv2 import MobileNetV2
from poseur_lib.models.backbones.narrow import NarrowResNet, narrow_high_resolution
from poseur_lib.models.backbones.resnet import ResNet
from poseur_lib.models.backbones.stem import HRNetStem
from poseur_lib.models.backbones.timm_backbone import TimmBackbone
from poseur_lib.models.backbones.vit import ViT


def build_backbone(config: config_of.BackboneConfig, input_size: tuple[int, int] = (256, 192)) -> Backbone:
    """The backbone of a configuration; pretext weights are loaded by the training code, which knows their run.

    Args:
        input_size: (height, width) of the crops; parameters depend on it for ViT and some of timm's models.

    Raises:
        UserError: the input size does not fit the backbone, or ImageNet weights are asked for and cannot be had.
    """
    match config:
        case config_of.ResNetConfig():
            return ResNet(config)
        case config_of.NarrowResNetConfig():
            return NarrowResNet(config)
        case config_of.MobileNetV2Config():
            return MobileNetV2(config)
        case config_of.HRNetConfig():
            return _fitting(hrnet(config), input_size)
        case config_of.HRNetStemConfig():
            return HRNetStem(config)
        case config_of.HRFormerConfig():
            return _fitting(hrformer(config), input_size)
        case config_of.NarrowHighResolutionConfig():
            return _fitting(narrow_high_resolution(config), input_size)
        case config_of.ViTConfig():
            return ViT(config, input_size)
        case config_of.TimmConfig():
            return TimmBackbone(config, input_size)
    raise TypeError(f"no backbone for {config!r}")


def _fitting(net: HighResolutionNet, input_size: tuple[int, int]) -> HighResolutionNet:
    require_multiple(input_size, net.frame.multiple, net.frame.name)
    return net
