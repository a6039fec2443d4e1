"""A model from its configuration."""

from collections.abc import Sequence

from poseur_lib.config import heads
from poseur_lib.config.experiment import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_lib.keypoints import keypoint_set
from poseur_lib.models.backbones import build_backbone
from poseur_lib.models.baselines.heatmap import HeatmapHead
from poseur_lib.models.baselines.integral import IntegralHead
from poseur_lib.models.baselines.prtr import PRTRHead
from poseur_lib.models.baselines.regression import RegressionHead
from poseur_lib.models.baselines.tokenpose import TokenPoseHead
from poseur_lib.models.baselines.transpose import TransPoseHead
from poseur_lib.models.end_to_end.model import EndToEndModel, build_end_to_end
from poseur_lib.models.pose_model import PoseHead, PoseModel
from poseur_lib.models.poseur.head import PoseurHead

Network = PoseModel | EndToEndModel


def build_network(config: ExperimentConfig) -> Network:
    """The model of a run, of crops or of whole images, freshly initialised.

    Raises:
        UserError: as of `build_model` and `build_end_to_end`.
    """
    return build_end_to_end(config) if isinstance(config.model.head, heads.MaskRCNNConfig) else build_model(config)


def require_crops(network: Network, what: str) -> PoseModel:
    """A model of crops. Raises UserError, which begins with `what`, where it is one that finds people itself."""
    if isinstance(network, PoseModel):
        return network
    raise UserError(f"{what}: its model finds people in whole images itself; only models of crops can be used here")


def build_model(config: ExperimentConfig) -> PoseModel:
    """The model of a run on crops, freshly initialised; the backbone's pretext weights are loaded by the training code.

    Raises:
        UserError: unknown keypoint set, an input size that does not fit the model, or ImageNet
            weights that cannot be had.
    """
    keypoints = keypoint_set(config.data.keypoint_set)
    backbone = build_backbone(config.model.backbone, config.data.input_size)
    head = build_head(config.model.head, keypoints.num_keypoints, backbone.channels, config.data.input_size)
    return PoseModel(backbone=backbone, head=head, flip_index=keypoints.flip_index)


def build_head(
    config: heads.HeadConfig, num_keypoints: int, channels: Sequence[int], input_size: tuple[int, int]
) -> PoseHead:
    """The head of a configuration.

    Args:
        num_keypoints: K.
        channels: widths of the backbone's maps, finest first.
        input_size: (height, width) of the crops, where the head's parameters or its codec depend on it.

    Raises:
        UserError: the input size or the maps do not fit the head.
    """
    match config:
        case heads.PoseurConfig():
            return PoseurHead(config, num_keypoints, channels)
        case heads.HeatmapConfig():
            return HeatmapHead(config, num_keypoints, channels, input_size)
        case heads.IntegralConfig():
            return IntegralHead(config, num_keypoints, channels, input_size)
        case heads.TransPoseConfig():
            return TransPoseHead(config, num_keypoints, channels, input_size)
        case heads.TokenPoseConfig():
            return TokenPoseHead(config, num_keypoints, channels, input_size)
        case heads.RegressionConfig():
            return RegressionHead(config, num_keypoints, channels, input_size)
        case heads.PRTRConfig():
            return PRTRHead(config, num_keypoints, channels)
    raise UserError(f"model.head.kind {config.kind!r} finds people in whole images itself: it is no head of a crop")
