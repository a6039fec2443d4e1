"""The backbones' knobs: members of one union, told apart by `kind`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from poseur_lib.config.base import Frozen

Positive = Annotated[int, Field(gt=0, le=2**16)]
Depth = Annotated[int, Field(gt=0, le=1000)]
"""Of what is built one by one: layers, blocks, groups."""
Weights = Literal["none", "imagenet", "pretext"]


class ResNetConfig(Frozen):
    """torchvision's ResNet (Table 2a).

    Attributes:
        depth: layers that its name counts.
        stages: 4, res2 to res5, or fewer (2: the ResNet-S of TransPose).
        weights: what it starts from.
    """

    kind: Literal["resnet"] = "resnet"
    depth: Literal[18, 34, 50, 101, 152] = 50
    stages: Literal[2, 3, 4] = 4
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
    blocks: tuple[Depth, Depth, Depth, Depth] = (1, 1, 1, 1)
    weights: Literal["none", "pretext"] = "pretext"

    @property
    def name(self) -> str:
        """The name that run ids and tables print."""
        deeper = "" if set(self.blocks) == {1} else "x" + "".join(map(str, self.blocks))
        return f"narrow{self.widths[0]}{deeper}"


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
            others need (heatmap heads); "classification": all branches made one map of stride 32, as the ImageNet
            classifier pools it (RLE, PRTR), which needs four stages.
        weights: what it starts from.
    """

    kind: Literal["hrnet"] = "hrnet"
    width: Literal[32, 48] = 32
    stages: Literal[3, 4] = 4
    outputs: Outputs | Literal["classification"] = "pyramid"
    weights: Weights = "imagenet"

    @model_validator(mode="after")
    def _classifiers_have_four_stages(self) -> "HRNetConfig":
        if self.outputs == "classification" and self.stages != 4:
            raise ValueError(f"outputs 'classification' needs 4 stages, not {self.stages}")
        return self

    @property
    def name(self) -> str:
        """The name that run ids and tables print."""
        return f"hrnet_w{self.width}"


class HRNetStemConfig(Frozen):
    """HRNet's stem and first stage alone: one map of 256 channels and stride 4 (the stem-net of TokenPose-S).

    Attributes:
        blocks: bottleneck blocks after the two convolutions of stride 2.
        weights: start from a pretext run, or from nothing, as TokenPose-S does.
    """

    kind: Literal["hrnet_stem"] = "hrnet_stem"
    blocks: Depth = 4
    weights: Literal["none", "pretext"] = "none"

    @property
    def name(self) -> str:
        """The name that run ids and tables print."""
        return "hrnet_stem"


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
    width: Annotated[int, Field(gt=0, le=2**12, multiple_of=4)] = 16
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


LITE0 = "tf_efficientnet_lite0"


class TimmConfig(Frozen):
    """Any model of timm that gives feature maps of strides 4, 8, 16 and 32, under timm's `name`.

    Attributes:
        weights: "imagenet" takes those that timm has under that name, but for `tf_efficientnet_lite0` those of the
            package of the extra [imagenet], which needs no hub.
        input_normalisation: "imagenet": by ImageNet's mean and deviation, as of all other backbones; "own": by those
            that the network was trained with, which the backbone computes of crops normalised by ImageNet's.
    """

    kind: Literal["timm"] = "timm"
    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[A-Za-z0-9_]+)?$")] = "convnext_tiny"
    weights: Weights = "imagenet"
    input_normalisation: Literal["imagenet", "own"] = "imagenet"

    @model_validator(mode="after")
    def _lite0_sees_what_it_was_trained_on(self) -> "TimmConfig":
        if self.name == LITE0 and self.weights == "imagenet" and self.input_normalisation != "own":
            raise ValueError(
                f"input_normalisation {self.input_normalisation!r}: the ImageNet weights of {LITE0} need 'own'"
            )
        return self


BackboneConfig = Annotated[
    ResNetConfig
    | NarrowResNetConfig
    | MobileNetV2Config
    | HRNetConfig
    | HRNetStemConfig
    | HRFormerConfig
    | NarrowHighResolutionConfig
    | ViTConfig
    | TimmConfig,
    Field(discriminator="kind"),
]
