"""How a trained model is judged."""

from typing import Annotated, Literal

from pydantic import Field

from poseur_lib.config.base import Frozen
from poseur_lib.config.data import Split

InstanceRule = Literal["released", "paper", "classic", "box"]
"""How box and keypoint scores make the score of a person, see `EvaluationConfig`."""


class EvaluationConfig(Frozen):
    """COCO's OKS AP with flip test.

    Attributes:
        split: which split is predicted; "train" serves the overfitting checks.
        flip_test: average the predictions of the image and of its mirror image.
        instance_score: how box and keypoint scores make the score of a person. "paper": box x mean (Eq. 5);
            "released": box + mean + max; "classic": box x mean of the keypoint scores above 0.2; "box": box alone.
        oks_nms_threshold: people whose OKS with a better-scored one exceeds it are dropped.
        batch: images per forward pass.
        curve_people: people of the evaluated split that the learning curve is measured on, without flip test.
        curve_every: epochs between two measurements of the curve; the last epoch is always measured.
    """

    split: Split = "val"
    flip_test: bool = True
    instance_score: InstanceRule = "released"
    oks_nms_threshold: Annotated[float, Field(gt=0, le=1)] = 0.9
    batch: Annotated[int, Field(gt=0, le=2**20)] = 64
    curve_people: Annotated[int, Field(gt=0, le=2**40)] = 500
    curve_every: Annotated[int, Field(gt=0, le=2**40)] = 5
