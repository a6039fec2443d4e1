"""Ours against the released implementation, config by config.

`python -m poseur_study.evidence.record parity --shared DIR` records it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from poseur_lib.checkpoints.released_load import load_released
from poseur_lib.config.base import Frozen
from poseur_lib.data.crop import keypoints_to_image
from poseur_lib.errors import UserError
from poseur_lib.models.pose_model import PoseModel
from poseur_lib.poses import PosePrediction
from poseur_study.parity.reference import Reference

CROP_TOLERANCE, IMAGE_TOLERANCE = 1e-5, 1e-3
"""Bounds: of what is a fraction of the crop side, or a score; and of pixels of the original image."""
FUSIONS = {"mean": "default", "type1": "type1", "type2": "type2"}
"""The flip fusions by the name that the recorded arrays have."""


class Differences(Frozen):
    """Largest absolute differences over the two recorded crops, all keypoints and both axes.

    Attributes:
        coarse: of the FC proposal; `coarse_sigma` of its sigmas.
        layers, sigmas: of every decoder layer.
        scores: of the keypoint scores.
        image_px: of the last layer in pixels of the original image.
        flip_px, flip_scores: of the three fusions of the flip test, in the order of `FUSIONS`.
    """

    coarse: float
    coarse_sigma: float
    layers: float
    sigmas: float
    scores: float
    image_px: float
    flip_px: tuple[float, float, float]
    flip_scores: tuple[float, float, float]

    @property
    def within(self) -> bool:
        """Whether every difference keeps its bound."""
        in_crop = (self.coarse, self.coarse_sigma, self.layers, self.sigmas, self.scores, *self.flip_scores)
        return max(in_crop) <= CROP_TOLERANCE and max(self.image_px, *self.flip_px) <= IMAGE_TOLERANCE


class ConfigParity(Frozen):
    """A released configuration.

    Attributes:
        recognised: what its state_dict is taken for.
        parameters: of our model; `parameters_released` those that were recorded.
        differences: None where no outputs were recorded.
    """

    name: str
    recognised: str
    input_size: tuple[int, int]
    parameters: int
    parameters_released: int
    differences: Differences | None


def recorded_names(root: Path) -> tuple[str, ...]:
    """The recorded configurations.

    Raises:
        UserError: there are none.
    """
    names = tuple(sorted(path.stem for path in (root / "manifests").glob("*.json")))
    if not names:
        raise UserError(f"{root}: no manifests/*.json of released configurations")
    return names


def config_parity(root: Path, name: str) -> ConfigParity:
    """Recognises a configuration from its names and shapes, and compares outputs where they were recorded."""
    reference = Reference(root, name)
    manifest = reference.manifest()
    size = tuple(manifest["input"][2:])
    with torch.device("meta"):
        shapes = {key: torch.empty(shape) for key, shape in manifest["state_dict"]}
        model, config = load_released(shapes, input_size=size)
    backbone, layers = config.model.backbone.name, config.model.head.decoder_layers
    return ConfigParity(
        name=name,
        recognised=f"{backbone}, {layers} layers, {config.data.keypoint_set}",
        input_size=size,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        parameters_released=manifest["params"]["total"],
        differences=output_differences(reference) if (root / "outputs" / f"{name}.npz").exists() else None,
    )


@torch.no_grad()
def output_differences(reference: Reference) -> Differences:
    """Our model with the recorded weights on the recorded crops, against the recorded outputs."""
    images = reference.fill("input", (2, *reference.manifest()["input"][1:]))
    model, recorded = reference.model(), reference.outputs()
    ours, mirrored = model(images), model(images.flip(3))
    flips = list(_flips(model, recorded, ours, mirrored))
    return Differences(
        coarse=largest(ours.coarse.keypoints, recorded["enc_pred"]),
        coarse_sigma=largest(ours.coarse.sigma, recorded["enc_sigma"]),
        layers=largest(torch.stack([layer.keypoints for layer in ours.layers]), recorded["dec_pred"]),
        sigmas=largest(torch.stack([layer.sigma for layer in ours.layers]), recorded["dec_sigma"]),
        scores=largest(ours.keypoint_scores, recorded["dec_score"]),
        image_px=largest(in_image(ours, recorded), recorded["noflip_preds"][..., :2]),
        flip_px=tuple(pixels for pixels, _ in flips),
        flip_scores=tuple(score for _, score in flips),
    )


def largest(ours: Tensor, theirs: Tensor) -> float:
    """The largest absolute difference."""
    return (ours - theirs.view_as(ours)).abs().max().item()


def in_image(prediction: PosePrediction, recorded: Mapping[str, Tensor]) -> Tensor:
    """Keypoints in pixels of the original image, whose recorded crop they were predicted on."""
    where = (recorded[name].numpy() for name in ("meta_center", "meta_scale"))
    return torch.from_numpy(keypoints_to_image(prediction.keypoints.numpy(), *where))


def _flips(
    model: PoseModel, recorded: Mapping[str, Tensor], ours: PosePrediction, mirrored: PosePrediction
) -> Iterator[tuple[float, float]]:
    """Differences of each fusion: of keypoints in pixels, and of scores."""
    head, configured = model.head, model.head.config
    for fusion, key in FUSIONS.items():
        head.config = configured.with_changes(flip_fusion=fusion)
        merged = head.merge_flipped(ours, mirrored, torch.tensor(model.flip_index))
        theirs = recorded[f"flip_{key}_preds"]
        yield largest(in_image(merged, recorded), theirs[..., :2]), largest(merged.keypoint_scores, theirs[..., 2])
    head.config = configured
