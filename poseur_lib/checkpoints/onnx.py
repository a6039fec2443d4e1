"""ONNX: the model at inference, for runtimes without torch (`docs/deploy.md`)."""

import json
import logging
import warnings
from pathlib import Path

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from poseur_lib.data.crop import CropRule
from poseur_lib.data.dataset import IMAGE_MEAN, IMAGE_STD
from poseur_lib.errors import UserError
from poseur_lib.files import atomic_file
from poseur_lib.keypoints import KeypointSet
from poseur_lib.models.pose_model import PoseModel

OPSET = 18
"""ONNX operator set of the graph."""
INPUT, OUTPUTS, METADATA = "images", ("keypoints", "keypoint_scores"), "poseur"
EXAMPLES = 3
"""Images that a graph of any batch is traced with: of 1, torch takes it that it is always 1."""


class Inference(nn.Module):
    """The model's keypoints and scores as plain tensors.

    Args:
        normalise: the images are crops as they are cut, uint8 from 0 to 255, B H W 3.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, model: nn.Module, normalise: bool = False) -> None:
        super().__init__()
        self.model, self.normalise = model, normalise
        for name, values in (("factor", 1 / (255 * IMAGE_STD)), ("offset", IMAGE_MEAN / IMAGE_STD)):
            self.register_buffer(name, torch.from_numpy(values)[:, None, None], persistent=False)

    def forward(self, images: Shaped[Tensor, "B _ _ _"]) -> tuple[Float[Tensor, "B K 2"], Float[Tensor, "B K"]]:
        """Keypoints in [0, 1] of the crop, and their scores."""
        if self.normalise:
            images = images.permute(0, 3, 1, 2).float() * self.factor - self.offset
        prediction = self.model(images)
        return prediction.keypoints, prediction.keypoint_scores


def export_onnx(
    model: PoseModel,
    path: Path,
    input_size: tuple[int, int],
    *,
    batch: int | None = None,
    normalise: bool = False,
    keypoints: KeypointSet | None = None,
) -> None:
    """Writes the inference model as ONNX, weights inside.

    The graph takes `images` [batch, 3, height, width], RGB by ImageNet's mean and deviation, and gives `keypoints`
    [batch, K, 2], (x, y) in [0, 1] of the crop, and `keypoint_scores` [batch, K]. There is no flip test in it. Crops
    are to be made by the head's `crop_rule`; keypoints go back to the image by the box's sides, whatever the rule. The
    metadata property `poseur` says that rule, the input's size and the keypoints, as JSON.

    Args:
        input_size: (height, width) of the crops.
        batch: the one batch size of the graph; None: any.
        normalise: `images` are the crops themselves, uint8 [batch, height, width, 3], RGB.
        keypoints: their names and skeleton go into the metadata.

    Raises:
        UserError: there is no such folder, the model pairs queries with keypoints on the processor, or the graph would
            take one batch size alone where any was asked for.
    """
    if not model.recordable:
        raise UserError(f"{type(model.head).__name__} pairs queries with keypoints on the processor: no ONNX graph")
    if not path.parent.is_dir():
        raise UserError(f"{path.parent}: no such folder")
    import onnx

    inference = Inference(model, normalise).eval()
    count = batch or EXAMPLES
    images = torch.zeros(count, *input_size, 3, dtype=torch.uint8) if normalise else torch.zeros(count, 3, *input_size)
    with atomic_file(path) as file:
        _trace(inference, images, file, any_batch=batch is None)
        graph = onnx.load(file)
        if batch is None and not graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param:
            raise UserError("this model's graph takes one batch size alone: give it (--batch)")
        facts = _metadata(model.head.crop_rule, input_size, normalise, keypoints)
        onnx.helper.set_model_props(graph, {METADATA: json.dumps(facts, ensure_ascii=False)})
        onnx.save(graph, file)


def _trace(inference: Inference, images: Tensor, file: Path, *, any_batch: bool) -> None:
    with torch.no_grad():
        inference(images)  # positions and geometry of the maps are made once, as tensors, and not traced
        with warnings.catch_warnings(action="ignore"):
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            torch.onnx.export(
                inference,
                (images,),
                file,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                opset_version=OPSET,
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},) if any_batch else None,
                external_data=False,
                verbose=False,
                optimize=False,  # onnxscript 0.7.2 loses the input of a clamp; runtimes optimise by themselves
            )


def _metadata(
    rule: CropRule, input_size: tuple[int, int], normalise: bool, keypoints: KeypointSet | None
) -> dict[str, object]:
    """What a program needs beside the graph; sizes are (height, width), `extent` is (x, y) in crop pixels."""
    facts = {
        "input_size": list(input_size),
        "padding": rule.padding,
        "extent": rule.extent_px(input_size).tolist(),
        "normalised_inside": normalise,
    }
    if keypoints is None:
        return facts
    return {**facts, "keypoints": list(keypoints.names), "skeleton": [list(pair) for pair in keypoints.skeleton]}
