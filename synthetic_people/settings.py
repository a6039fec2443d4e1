"""Every knob of the generated people, and what the one difficulty dial does."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from poseur_lib.config.base import Frozen

GENERATOR_VERSION = 1
"""Raised whenever the same settings give different bytes."""

SPLITS = ("train", "val")


class PeopleSettings(Frozen):
    """What is generated.

    Attributes:
        train_images, val_images: number of images per split (each holds at least one person).
        image_size: (height, width) of every image, px.
        seed: image i of a split depends only on (seed, split, i).
        hard: difficulty in [0, 1]; see `difficulty`. The default is as easy as the floors in the tests allow.
        parts: also write the part label maps that the neutral pretext reads.
        keypoints: what people are labelled with. The images are the same; with "mpii16" people have head boxes too.
        pixel_centre: where the first pixel of an image has its keypoints: 0, as in COCO's files and wherever crops are
            cut out and mirrored; 0.5, as on the renderer's axes, is how the people of profile mini were labelled.
    """

    train_images: Annotated[int, Field(ge=1)] = 16000
    val_images: Annotated[int, Field(ge=1)] = 2000
    image_size: tuple[Annotated[int, Field(ge=48, le=1024)], Annotated[int, Field(ge=48, le=1024)]] = (256, 192)
    seed: Annotated[int, Field(ge=0)] = 0
    hard: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    parts: bool = True
    keypoints: Literal["coco17", "mpii16"] = "coco17"
    pixel_centre: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0

    def images(self, split: str) -> int:
        """Number of images in `split` ("train" or "val")."""
        return self.train_images if split == "train" else self.val_images


class Difficulty(NamedTuple):
    """What the dial scales; probabilities unless a unit is given."""

    roll_degrees: float
    pitch_degrees: float
    back: float
    side: float
    unusual_pose: float
    truncation: float
    others: float  # mean number of further people
    others_in_front: float
    occluder: float
    clutter: float  # mean number of background objects
    contrast: float  # strength of the background's pattern, 0 to 1
    noise: float  # standard deviation of the sensor noise, grey levels of 255


def difficulty(hard: float) -> Difficulty:
    """The dial's effect: linear from a bare scene at 0 to a crowded one at 1."""
    return Difficulty(
        roll_degrees=5.0 + 25.0 * hard,
        pitch_degrees=5.0 + 12.0 * hard,
        back=0.12 + 0.20 * hard,
        side=0.115 + 0.20 * hard,
        unusual_pose=0.16 + 0.44 * hard,
        truncation=0.085 + 0.30 * hard,
        others=0.20 + 1.2 * hard,
        others_in_front=0.1 + 0.3 * hard,
        occluder=0.10 + 0.6 * hard,
        clutter=2.5 + 5.0 * hard,
        contrast=0.45 + 0.55 * hard,
        noise=2.0 + 8.0 * hard,
    )
