"""The backbones' knobs: members of one union, told apart by `kind`."""

from typing import Annotated, Literal

from pydantic import Field

from poseur_lib.config.base import Frozen

Positive = Annotated[int, Field(gt=0)]
Weights = Literal["none", "imagenet", "pretext"]


class ResNetConfig(Frozen):
    """torchvision's ResNet of `depth` layers (Table 2a); `weights` says what it starts from."""

    kind: Literal["resnet"] = "resnet"
    depth: Literal[18, 34, 50, 101, 152] = 50
    weights: Weights = "imagenet"

    @property
    def name(self) -> str:
        """The name that run ids and tables print."""
        return f"resnet{self.depth}"


class NarrowResNetConfig(Frozen):
    """A residual network of basic blocks with free widths, for the profiles that train on a CPU.

    Attributes:
        widths: channels of res2 to res5.
        blocks: basic blocks of each.
        weights: start from a pretext run, or from nothing; there are no ImageNet weights of it.
    """

    kind: Literal["narrow_resnet"] = "narrow_resnet"
    widths: tuple[Positive, Positive, Positive, Positive] = (16, 32, 64, 128)
    blocks: tuple[Positive, Positive, Positive, Positive] = (1, 1, 1, 1)
    weights: Literal["none", "pretext"] = "pretext"

    @property
    def name(self) -> str:
        """The name that run ids and tables print."""
        return f"narrow{self.widths[0]}"


class MobileNetV2Config(Frozen):
    """torchvision's MobileNetV2 of width 1; `weights` says what it starts from."""

    kind: Literal["mobilenetv2"] = "mobilenetv2"
    weights: Weights = "imagenet"

    @property
    def name(self) -> str:
        """The name that run ids and tables print."""
        return "mobilenetv2"


Outputs = Literal["pyramid", "finest"]


class HRNetConfig(Frozen):
    """HRNet. ImageNet weights are timm's.

    Attributes:
        width: channels of its finest branch.
        stages: 4, or 3 without the last stage and its branch (the HRNet-S of TransPose and TokenPose).
        outputs: "pyramid": the maps of all branches; "finest": the first alone, without the layers that only the
            others need (heatmap heads).
        weights: what it starts from.
    """

    kind: Literal["hrnet"] = "hrnet"
    width: Literal[32, 48] = 32
    stages: Literal[3, 4] = 4
    outputs: Outputs = "pyramid"
    weights: Weights = "imagenet"

    @property
    def name(self) -> str:
        """The name that run ids and tables print."""
        return f"hrnet_w{self.width}"


class HRFormerConfig(Frozen):
    """HRFormer, with the numbers of the `variant`; no package distributes its ImageNet `weights`.

    `outputs` is as in `HRNetConfig`.
    """

    kind: Literal["hrformer"] = "hrformer"
    variant: Literal["tiny", "small", "base"] = "small"
    outputs: Outputs = "pyramid"
    weights: Literal["none", "pretext"] = "none"

    @property
    def name(self) -> str:
        """The name that run ids and tables print."""
        return f"hrformer_{self.variant}"


class NarrowHighResolutionConfig(Frozen):
    """What stands for HRNet and HRFormer in the profiles that train on a CPU: their frame, with one fusion a stage.

    Three stages: so that inputs need to be multiples of 16 only.

    Attributes:
        block: "residual" as in HRNet, "transformer" as in HRFormer; one block between two fusions.
        width: channels of the finest branch; the next ones double it.
        outputs: as in `HRNetConfig`.
        weights: start from a pretext run, or from nothing.
    """

    kind: Literal["narrow_high_resolution"] = "narrow_high_resolution"
    block: Literal["residual", "transformer"] = "residual"
    width: Annotated[int, Field(gt=0, multiple_of=4)] = 16
    outputs: Outputs = "pyramid"
    weights: Literal["none", "pretext"] = "pretext"

    @property
    def name(self) -> str:
        """The name that run ids and tables print."""
        return f"narrow_{'hrnet' if self.block == 'residual' else 'hrformer'}{self.width}"


class ViTConfig(Frozen):
    """Plain ViT of patch size 16; one map of stride 16, made a pyramid by the deconvolution neck.

    `variant` is its size. ImageNet weights are timm's of MAE, their position embedding resampled to the crop.
    """

    kind: Literal["vit"] = "vit"
    variant: Literal["base"] = "base"
    weights: Weights = "imagenet"

    @property
    def name(self) -> str:
        """The name that run ids and tables print."""
        return f"vit_{self.variant}"


class TimmConfig(Frozen):
    """Any model of timm that gives feature maps of strides 4, 8, 16 and 32, under timm's `name`.

    `weights` "imagenet" takes those that timm has under that name.
    """

    kind: Literal["timm"] = "timm"
    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[A-Za-z0-9_]+)?$")] = "convnext_tiny"
    weights: Weights = "imagenet"


BackboneConfig = Annotated[
    ResNetConfig
    | NarrowResNetConfig
    | MobileNetV2Config
    | HRNetConfig
    | HRFormerConfig
    | NarrowHighResolutionConfig
    | ViTConfig
    | TimmConfig,
    Field(discriminator="kind"),
]
