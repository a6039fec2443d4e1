"""Small stand-ins for HRNet and HRFormer: three stages, one fusion each, one block between two fusions."""

from torchvision.models.resnet import BasicBlock

from poseur_lib.config.backbone import NarrowHighResolutionConfig
from poseur_lib.models.backbones.high_resolution import Frame, HighResolutionNet, downsampling
from poseur_lib.models.backbones.hrformer import Block, depthwise_downsampling, reset_linear

HEADS = (1, 2, 4)


def narrow_high_resolution(config: NarrowHighResolutionConfig) -> HighResolutionNet:
    """The stand-in of a configuration."""
    residual = config.block == "residual"
    width = config.width
    net = HighResolutionNet(
        Frame(
            name=config.name,
            widths=(width, 2 * width, 4 * width, 8 * width),
            stem_blocks=1,
            modules=(1, 1, 0),
            make_block=lambda channels, branch: (
                BasicBlock(channels, channels) if residual else Block(channels, HEADS[branch])
            ),
            blocks=1,
            make_downsampling=downsampling if residual else depthwise_downsampling,
            upsampling="nearest" if residual else "bilinear",
            stages=3,
            finest_only=config.outputs == "finest",
        )
    )
    reset_linear(net)
    return net
