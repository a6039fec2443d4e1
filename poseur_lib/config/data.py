"""What an image is cut to, and how a training crop is disturbed."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from poseur_lib.config.base import Frozen
from poseur_lib.config.keypoints import KeypointChoice

Probability = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(gt=0, le=2**13)]
Split = Literal["train", "val"]


class WholeImageConfig(Frozen):
    """How whole images are shown to a model that finds the people itself (Sec. 4.3).

    Attributes:
        scale_jitter: "scale jittering with random crops": a training image is fitted into `data.input_size` times a
            factor drawn from this range, and a piece of `data.input_size` is cut from it, or all of it is padded. Boxes
            are cut to the piece (Detectron2 makes them anew from masks). None: its short side is drawn from
            `train_sides`.
        train_sides: in pixels (Detectron2: 640 to 800 in steps of 32).
        test_sides: short sides at inference; several: multi-scale testing, which averages over them.
        longest_side: no image is enlarged beyond it.
        flip_probability: of mirroring a training image.
        pixel_centre: where pixel 0 of an annotation file has its keypoints on the image's continuous axes: 0.5
            (Detectron2), or 0, where torchvision's own models have them.
    """

    scale_jitter: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] | None = (0.1, 2.0)
    train_sides: tuple[Pixels, ...] = (640, 672, 704, 736, 768, 800)
    test_sides: tuple[Pixels, ...] = (800,)
    longest_side: Pixels = 1333
    flip_probability: Probability = 0.5
    pixel_centre: Annotated[float, Field(ge=0, le=0.5)] = 0.5

    @model_validator(mode="after")
    def _something_is_shown(self) -> "WholeImageConfig":
        if not self.test_sides or (self.scale_jitter is None and not self.train_sides):
            raise ValueError(f"test_sides {self.test_sides}, train_sides {self.train_sides}: at least one of each")
        if self.scale_jitter is not None and self.scale_jitter[0] > self.scale_jitter[1]:
            raise ValueError(f"scale_jitter {self.scale_jitter} must be (least, largest)")
        return self


class DataConfig(Frozen):
    """What an image is cut to and what is looked for in it.

    Attributes:
        keypoint_set: a built-in one by name, or one's own; it decides K.
        input_size: crop (height, width) in pixels (Sec. 4.1: 256 x 192; varied in Table 2b); of whole images, the piece
            that training sees, where `whole_image.scale_jitter` is given, and the crop of the pretext that a backbone
            may start from.
        whole_image: how images are shown where there are no crops: with head "mask_rcnn", and with that alone.
    """

    keypoint_set: KeypointChoice = "coco17"
    input_size: tuple[Pixels, Pixels] = (256, 192)
    whole_image: WholeImageConfig | None = None

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
        half_body_min_keypoints: half bodies are made of people with more labelled keypoints than this.
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
