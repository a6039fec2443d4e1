"""Checkpoints of untrained models, whose poses depend on the image all the same, and images to predict on."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from poseur_lib.checkpoints.checkpoint import save_weights
from poseur_lib.models.build import build_model
from poseur_lib.predict.predictor import Poseur
from tests.training.tiny import tiny_config


def write_checkpoint(path: Path, generated_data: bool = False, **changes) -> Path:
    torch.manual_seed(0)
    config = tiny_config(**changes)
    model = build_model(config).eval()
    with torch.no_grad():
        for branch in model.head.decoder.branches:
            branch.sigma[2].weight.mul_(20)
    save_weights(path, model, config, generated_data)
    return path


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Poseur model of COCO's 17 keypoints."""
    return write_checkpoint(tmp_path_factory.mktemp("coco17") / "model.pt")


@pytest.fixture(scope="session")
def mpii_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Poseur model of MPII's 16 keypoints."""
    return write_checkpoint(tmp_path_factory.mktemp("mpii16") / "model.pt", **{"data.keypoint_set": "mpii16"})


@pytest.fixture(scope="session")
def poseur(checkpoint: Path) -> Poseur:
    """The first of them, as it was trained."""
    return Poseur.from_pretrained(checkpoint, device="cpu", fast=False)


def noise(height: int = 60, width: int = 80, seed: int = 0) -> np.ndarray:
    """An image with structure in every channel."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)


def write_image(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1])
    return path
