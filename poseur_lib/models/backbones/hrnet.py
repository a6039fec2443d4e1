"""HRNet (Wang et al., TPAMI 2021): high-resolution branches of basic residual blocks."""

from torchvision.models.resnet import BasicBlock

from poseur_lib.config.backbone import HRNetConfig
from poseur_lib.models.backbones.high_resolution import Frame, HighResolutionNet, downsampling
from poseur_lib.models.backbones.hrnet_classifier import HRNetClassifier
from poseur_lib.models.backbones.imagenet import timm_weights


def hrnet(config: HRNetConfig) -> HighResolutionNet:
    """HRNet-W32 or W48.

    Raises:
        UserError: ImageNet weights are asked for and cannot be had.
    """
    width = config.width
    make = HRNetClassifier if config.outputs == "classification" else HighResolutionNet
    net = make(
        Frame(
            name=config.name,
            widths=(width, 2 * width, 4 * width, 8 * width),
            stem_blocks=4,
            modules=(1, 4, 3),
            make_block=lambda channels, _: BasicBlock(channels, channels),
            blocks=4,
            make_downsampling=downsampling,
            upsampling="nearest",
            stages=config.stages,
            finest_only=config.outputs == "finest",
        )
    )
    if config.weights == "imagenet":
        theirs = timm_weights(config.name, config.name)
        net.load_state_dict({name: theirs[name] for name in net.state_dict()})
    return net
