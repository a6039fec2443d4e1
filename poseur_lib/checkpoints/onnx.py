"""ONNX: the model at inference, for runtimes without torch."""

import importlib.util
import logging
import warnings
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from poseur_lib.errors import UserError

OPSET = 18
"""ONNX operator set of the graph."""
INPUT, OUTPUTS = "images", ("keypoints", "keypoint_scores")


class Inference(nn.Module):
    """The model's keypoints and scores as plain tensors."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> tuple[Float[Tensor, "B K 2"], Float[Tensor, "B K"]]:
        """Keypoints in [0, 1] of the crop, and their scores."""
        prediction = self.model(images)
        return prediction.keypoints, prediction.keypoint_scores


def export_onnx(model: nn.Module, path: Path, input_size: tuple[int, int], *, batch: int = 1) -> None:
    """Writes the inference model as ONNX, weights inside.

    The graph takes `images` [batch, 3, height, width], RGB by ImageNet's mean and deviation, and gives `keypoints`
    [batch, K, 2], (x, y) in [0, 1] of the crop, and `keypoint_scores` [batch, K]. There is no flip test in it. Crops
    are to be made by the head's `crop_rule`; keypoints go back to the image by the box's sides, whatever the rule.

    Args:
        input_size: (height, width) of the crops.
        batch: the one batch size of the graph.

    Raises:
        UserError: the packages onnx and onnxscript are missing, or there is no such folder.
    """
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"exporting needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    if not path.parent.is_dir():
        raise UserError(f"{path.parent}: no such folder")
    inference = Inference(model).eval()
    images = torch.zeros(batch, 3, *input_size)
    with torch.no_grad():
        inference(images)  # positions and geometry of the maps are made once, as tensors, and not traced
        with warnings.catch_warnings(action="ignore"):
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            torch.onnx.export(
                inference,
                (images,),
                path,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
                optimize=False,  # onnxscript 0.7.2 loses the input of a clamp; runtimes optimise by themselves
            )
