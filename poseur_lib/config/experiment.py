"""What one run of the store is."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from poseur_lib.config.backbone import BackboneConfig, NarrowResNetConfig
from poseur_lib.config.base import Frozen
from poseur_lib.config.data import DataConfig
from poseur_lib.config.evaluation import EvaluationConfig
from poseur_lib.config.heads.mask_rcnn import MaskRCNNConfig
from poseur_lib.config.model import ModelConfig
from poseur_lib.config.training import PretextConfig, TrainConfig

Seed = Annotated[int, Field(ge=0, lt=2**63)]
PRETEXT_KEYPOINTS = "coco17"
"""Keypoints of the generated people, which alone have part labels, whatever the run's own people are labelled with."""


class PretextRunConfig(Frozen):
    """A run that pretrains a `backbone` on part segmentation of `data`; `pretext` is its recipe."""

    kind: Literal["pretext"] = "pretext"
    data: DataConfig = DataConfig()
    backbone: BackboneConfig = NarrowResNetConfig(weights="none")
    pretext: PretextConfig = PretextConfig()

    @property
    def name(self) -> str:
        """Readable part of the run id."""
        height, width = self.data.input_size
        return f"pretext_{self.backbone.name}_{height}x{width}"


class ExperimentConfig(Frozen):
    """A run that trains one model and evaluates it: every number of it.

    Attributes:
        seed: of weights, data order, augmentation and noise.
        data: crops and keypoint set.
        model: backbone and head.
        train: schedule, optimiser, augmentation.
        evaluation: how the trained model is judged.
        pretext: the recipe that pretrains the backbone, where it starts from one.
        initial_sha256: of the checkpoint that weights start from (`poseur train --init`), by its bytes; None: of none.
    """

    kind: Literal["experiment"] = "experiment"
    seed: Seed = 0
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    pretext: PretextConfig | None = None
    initial_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None

    @property
    def name(self) -> str:
        """Readable part of the run id."""
        (height, width), head, whole = self.data.input_size, self.model.head, self.data.whole_image
        method = head.method if isinstance(head, MaskRCNNConfig) else head.kind
        shown = f"{height}x{width}" if whole is None else f"side{max(whole.test_sides)}"
        return f"{method}_{self.model.backbone.name}_{shown}_seed{self.seed}"

    @property
    def pretext_run(self) -> PretextRunConfig | None:
        """The run whose backbone this one starts from."""
        if self.pretext is None:
            return None
        backbone = self.model.backbone.with_changes(weights="none")
        crops = DataConfig(keypoint_set=PRETEXT_KEYPOINTS, input_size=self.data.input_size)
        return PretextRunConfig(data=crops, backbone=backbone, pretext=self.pretext)

    @model_validator(mode="after")
    def _pretext_where_it_is_used(self) -> "ExperimentConfig":
        if (self.model.backbone.weights == "pretext") != (self.pretext is not None):
            given = "null" if self.pretext is None else "given"
            raise ValueError(
                f"model.backbone.weights {self.model.backbone.weights!r} with pretext {given}: "
                "a pretext is given exactly where weights is 'pretext'; set pretext null or another weights"
            )
        return self

    @model_validator(mode="after")
    def _whole_images_where_people_are_found(self) -> "ExperimentConfig":
        whole = self.data.whole_image is not None
        if whole != isinstance(self.model.head, MaskRCNNConfig):
            given = "given" if whole else "null"
            raise ValueError(
                f"model.head.kind {self.model.head.kind!r} with data.whole_image {given}: whole images are what"
                " 'mask_rcnn' sees, and it alone"
            )
        if whole and self.train.freeze == "backbone":
            raise ValueError("train.freeze 'backbone' is of crops: with 'mask_rcnn' there is model.head.frozen_stages")
        if whole and self.train.augment is not None:
            raise ValueError("train.augment is of crops: with data.whole_image, which has its own, set it null")
        return self

    @model_validator(mode="after")
    def _supervised_where_the_head_can_reach(self) -> "ExperimentConfig":
        """A target that no output can come near would only pull predictions to the border."""
        confined = self.model.head.confined_to_crop
        if self.train.supervise_outside_crop and confined:
            raise ValueError(f"train.supervise_outside_crop True: {confined}, so it cannot reach outside the crop")
        return self
