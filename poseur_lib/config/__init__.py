"""Every number of a run in one frozen tree, strictly validated and stored as JSON."""

from poseur_lib.config.data import AugmentConfig, DataConfig
from poseur_lib.config.evaluation import EvaluationConfig
from poseur_lib.config.experiment import ExperimentConfig, PretextRunConfig
from poseur_lib.config.model import (
    ModelConfig,
    NarrowResNetConfig,
    NoNoise,
    PaperNoise,
    PoseurConfig,
    ReleasedNoise,
    ResNetConfig,
    RLELossConfig,
)
from poseur_lib.config.training import PretextConfig, TrainConfig

__all__ = [
    "AugmentConfig",
    "DataConfig",
    "EvaluationConfig",
    "ExperimentConfig",
    "ModelConfig",
    "NarrowResNetConfig",
    "NoNoise",
    "PaperNoise",
    "PoseurConfig",
    "PretextConfig",
    "PretextRunConfig",
    "RLELossConfig",
    "ReleasedNoise",
    "ResNetConfig",
    "TrainConfig",
]
