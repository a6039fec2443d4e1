"""A model from its configuration."""

from poseur_lib.config.experiment import ExperimentConfig
from poseur_lib.keypoints import keypoint_set
from poseur_lib.models.backbones import build_backbone
from poseur_lib.models.contract import PoseModel
from poseur_lib.models.poseur.head import PoseurHead


def build_model(config: ExperimentConfig) -> PoseModel:
    """The model of a run, freshly initialised; the backbone's pretext weights are loaded by the training code.

    Raises:
        UserError: unknown keypoint set, an input size that does not fit the backbone, or ImageNet
            weights that cannot be had.
    """
    keypoints = keypoint_set(config.data.keypoint_set)
    backbone = build_backbone(config.model.backbone, config.data.input_size)
    head = PoseurHead(config.model.head, keypoints.num_keypoints, backbone.channels)
    return PoseModel(backbone=backbone, head=head, flip_index=keypoints.flip_index)
