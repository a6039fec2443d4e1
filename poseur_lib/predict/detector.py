"""torchvision's person detectors, with their COCO weights."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import torch
from jaxtyping import UInt8
from torch import nn
from torchvision.models import WeightsEnum
from torchvision.models.detection import (
    FasterRCNN_MobileNet_V3_Large_320_FPN_Weights,
    FasterRCNN_ResNet50_FPN_V2_Weights,
    fasterrcnn_mobilenet_v3_large_320_fpn,
    fasterrcnn_resnet50_fpn_v2,
)
from torchvision.transforms.functional import to_tensor

from poseur_lib.errors import UserError, first_line, require_known
from poseur_lib.files import file_sha256
from poseur_lib.predict.people import PersonBox

PERSON = "person"
LEAST_SCORE = 0.05
"""What torchvision itself leaves out below, unless it is told otherwise."""


@dataclass(frozen=True)
class Architecture:
    """A detector of torchvision: how it is built, and the weights whose categories it finds."""

    build: Callable[..., nn.Module]
    weights: WeightsEnum

    @property
    def file(self) -> Path:
        """Where torch.hub keeps the weights."""
        return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(self.weights.url).path).name


DETECTORS = {
    "torchvision": Architecture(fasterrcnn_resnet50_fpn_v2, FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1),
    "torchvision-light": Architecture(
        fasterrcnn_mobilenet_v3_large_320_fpn, FasterRCNN_MobileNet_V3_Large_320_FPN_Weights.COCO_V1
    ),
}


class Detector:
    """A `BoxFinder`: the people that a detector finds, best first.

    Args:
        model: of torchvision's contract: a list of RGB images in [0, 1] gives boxes (left, top, right, bottom), labels
            and scores.
        person: the label of a person.
        min_score: detections with a lower score are left out.
    """

    def __init__(self, model: nn.Module, person: int, min_score: float, device: torch.device) -> None:
        self.model, self.person, self.min_score, self.device = model.to(device).eval(), person, min_score, device

    @torch.inference_mode()
    def boxes(self, path: Path, image: UInt8[np.ndarray, "height width 3"]) -> list[PersonBox]:
        """The people of one image; `path` does not matter."""
        (found,) = self.model([to_tensor(image).to(self.device)])
        chosen = (found["labels"] == self.person) & (found["scores"] >= self.min_score)
        corners, scores = found["boxes"][chosen].double().cpu(), found["scores"][chosen].double().cpu()
        sizes = corners[:, 2:] - corners[:, :2]
        order = [int(index) for index in scores.argsort(descending=True, stable=True) if bool((sizes[index] > 0).all())]
        return [PersonBox((*corners[index, :2].tolist(), *sizes[index].tolist()), float(scores[index]))
                for index in order]  # fmt: skip


def load_detector(name: str, min_score: float, device: torch.device) -> Detector:
    """A detector with its weights, which torchvision downloads once and holds against their checksum.

    Args:
        name: "torchvision" (Faster R-CNN with ResNet-50, 167 MB) or "torchvision-light" (MobileNetV3 at 320 px, 74 MB).

    Raises:
        UserError: there is no such detector, or its weights cannot be had or are damaged.
    """
    require_known("detector", [name], DETECTORS)
    architecture = DETECTORS[name]
    _require_undamaged(name, architecture.file)
    try:
        model = architecture.build(weights=architecture.weights, box_score_thresh=min(min_score, LEAST_SCORE))
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"the weights of detector {name!r} could not be fetched ({first_line(error)}): give boxes with "
            "--boxes FILE, predict on whole images without either, or place "
            f"{architecture.weights.url} at {architecture.file}"
        ) from error
    return Detector(model, architecture.weights.meta["categories"].index(PERSON), min_score, device)


def _require_undamaged(name: str, file: Path) -> None:
    """A file that is already there has the digest whose start its name ends with, as torch.hub checks when it loads.

    Raises:
        UserError: it has another one.
    """
    if not file.is_file():
        return
    if not (digest := file_sha256(file)).startswith(file.stem.rpartition("-")[2]):
        raise UserError(f"weights of detector {name!r} are damaged: {file} has the SHA-256 {digest[:8]}…: delete it")
