"""Schedule, optimiser, and the pretext task that plays ImageNet's part."""

from typing import Annotated, Literal

from pydantic import Field

from poseur_lib.config.base import Frozen
from poseur_lib.config.data import AugmentConfig

Positive = Annotated[int, Field(gt=0, le=2**40)]
Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0)]


class StepSchedule(Frozen):
    """Learning rate x `factor` at each of `milestones` (epochs). Sec. 4.1: 255 and 310 of 325."""

    kind: Literal["step"] = "step"
    milestones: tuple[Positive, ...] = (255, 310)
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1


class CosineSchedule(Frozen):
    """Learning rate on a half cosine to zero over all steps."""

    kind: Literal["cosine"] = "cosine"


class TrainConfig(Frozen):
    """The recipe of Sec. 4.1; what the paper leaves out is the released code's.

    Attributes:
        epochs: passes over the training people (varied in supp. Table 1).
        people_per_epoch: length of one pass where it is cut or stretched; None: every person once.
        global_batch: people (of end-to-end models: images) per optimiser step, over all devices and accumulation steps.
        optimiser: AdamW, or stochastic gradient descent with momentum (Detectron2's, of end-to-end models).
        learning_rate: of the optimiser, before the schedule.
        betas: of AdamW.
        momentum: of SGD.
        weight_decay: of either optimiser, on every parameter.
        sampling_offsets_lr_factor: on the linear layers of sampling offsets and learned reference points (Sec. 4.1).
        schedule: what becomes of the learning rate over the epochs.
        warmup_steps, warmup_start_lr: linear warm-up of the learning rate.
        gradient_clip: largest gradient norm; None as released.
        augment: None trains on the plain crops.
        ema_decay: of an exponential moving average of the weights, a step of the optimiser each, which is measured and
            saved in their place; None, as in the paper and as released: no average.
        freeze: "backbone": it keeps the weights and the statistics that it starts with, and the head alone is trained.
        supervise_outside_crop: False: keypoints outside the crop have weight 0 (released code). True: every labelled
            keypoint has a target wherever it lies, for heads that can reach it (supp. Sec. 8 speaks of such keypoints).
    """

    epochs: Positive = 325
    people_per_epoch: Positive | None = None
    global_batch: Positive = 256
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Rate = 1e-3
    betas: tuple[Share, Share] = (0.9, 0.999)
    momentum: Share = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    sampling_offsets_lr_factor: Rate = 0.1
    schedule: Annotated[StepSchedule | CosineSchedule, Field(discriminator="kind")] = StepSchedule()
    warmup_steps: Annotated[int, Field(ge=0, le=2**40)] = 500
    warmup_start_lr: Rate = 1e-6
    gradient_clip: Rate | None = None
    augment: AugmentConfig | None = AugmentConfig()
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    freeze: Literal["none", "backbone"] = "none"
    supervise_outside_crop: bool = False


class PretextConfig(Frozen):
    """Part segmentation on generated people: what a backbone knows before it meets a keypoint.

    It favours no method under study: no keypoint, no heatmap, no regression. One run serves every variant.

    Attributes:
        epochs, people_per_epoch, global_batch, weight_decay: as in `TrainConfig`.
        learning_rate: of AdamW; it falls on a half cosine, without warm-up.
        seed: of weights, data order and augmentation; the same for every seed of the experiments.
        augment: of crops and label maps alike.
    """

    epochs: Positive = 4
    people_per_epoch: Positive | None = None
    global_batch: Positive = 32
    learning_rate: Rate = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    augment: AugmentConfig = AugmentConfig(half_body_probability=0.0)
