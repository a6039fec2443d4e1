"""What an image is cut to, and how a training crop is disturbed."""

from typing import Annotated

from pydantic import Field

from poseur_lib.config.base import Frozen

Probability = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(gt=0)]


class DataConfig(Frozen):
    """The keypoint set by name, and the crop size (height, width) in pixels (Sec. 4.1: 256 x 192)."""

    keypoint_set: str = "coco17"
    input_size: tuple[Pixels, Pixels] = (256, 192)


class AugmentConfig(Frozen):
    """Top-down augmentation as the released code has it, in its order: flip, half body, scale, rotation.

    `photometric` and `cutout` are used for HRNet-W48 and HRFormer-B only (Sec. 4.1).
    """

    flip_probability: Probability = 0.5
    half_body_probability: Probability = 0.3
    half_body_min_keypoints: Annotated[int, Field(ge=0)] = 8
    half_body_padding: Annotated[float, Field(gt=0)] = 1.5
    scale_factor: Annotated[float, Field(ge=0, lt=1)] = 0.5
    rotation_degrees: Annotated[float, Field(ge=0, le=90)] = 40.0
    rotation_probability: Probability = 0.6
    photometric: bool = False
    cutout: bool = False
