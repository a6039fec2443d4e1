"""What an image is cut to, and how a training crop is disturbed."""

from typing import Annotated, Literal

from pydantic import Field

from poseur_lib.config.base import Frozen
from poseur_lib.config.keypoints import KeypointChoice

Probability = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(gt=0, le=2**13)]
Split = Literal["train", "val"]


class DataConfig(Frozen):
    """What an image is cut to and what is looked for in it.

    Attributes:
        keypoint_set: a built-in one by name, or one's own; it decides K.
        input_size: crop (height, width) in pixels (Sec. 4.1: 256 x 192; varied in Table 2b).
    """

    keypoint_set: KeypointChoice = "coco17"
    input_size: tuple[Pixels, Pixels] = (256, 192)

    @property
    def keypoints_name(self) -> str:
        """What the keypoint set is called."""
        return self.keypoint_set if isinstance(self.keypoint_set, str) else self.keypoint_set.name


class AugmentConfig(Frozen):
    """Top-down augmentation as the released code has it, in its order: flip, half body, scale, rotation.

    The paper names the last two alone; the others are the released code's.

    Attributes:
        flip_probability: of mirroring the crop.
        half_body_probability: of cropping to the upper or the lower half of a person.
        half_body_min_keypoints: half bodies are made of people with more visible keypoints than this.
        half_body_padding: the half's box is enlarged by this factor.
        scale_factor: standard deviation of the crop's size factor, which is clipped to 1 +- this.
        rotation_degrees: standard deviation of the angle, which is clipped to twice this.
        rotation_probability: of rotating at all.
        photometric: distort brightness, contrast and colour; for HRNet-W48 and HRFormer-B only (Sec. 4.1).
        cutout: blacken an elliptic patch; for the same two.
    """

    flip_probability: Probability = 0.5
    half_body_probability: Probability = 0.3
    half_body_min_keypoints: Annotated[int, Field(ge=0, le=1000)] = 8
    half_body_padding: Annotated[float, Field(gt=0, le=100)] = 1.5
    scale_factor: Annotated[float, Field(ge=0, lt=1)] = 0.5
    rotation_degrees: Annotated[float, Field(ge=0, le=90)] = 40.0
    rotation_probability: Probability = 0.6
    photometric: bool = False
    cutout: bool = False
