"""Every number of a run in one frozen tree, strictly validated and stored as JSON."""

from poseur_lib.config.backbone import (
    HRFormerConfig,
    HRNetConfig,
    HRNetStemConfig,
    MobileNetV2Config,
    NarrowHighResolutionConfig,
    NarrowResNetConfig,
    ResNetConfig,
    TimmConfig,
    ViTConfig,
)
from poseur_lib.config.data import AugmentConfig, DataConfig, WholeImageConfig
from poseur_lib.config.evaluation import EvaluationConfig
from poseur_lib.config.experiment import ExperimentConfig, PretextRunConfig
from poseur_lib.config.heads import (
    HeadConfig,
    HeatmapCodecConfig,
    HeatmapConfig,
    IntegralConfig,
    MaskRCNNConfig,
    NoNoise,
    PaperNoise,
    PoseurConfig,
    PRTRConfig,
    RegionHeatmapConfig,
    RegressionConfig,
    ReleasedNoise,
    RLELossConfig,
    TokenPoseConfig,
    TransPoseConfig,
)
from poseur_lib.config.keypoints import OwnKeypoints
from poseur_lib.config.model import ModelConfig
from poseur_lib.config.presets import PAPER_TEXT, PRESETS, RELEASED
from poseur_lib.config.training import PretextConfig, TrainConfig
