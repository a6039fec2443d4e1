"""The library's face for one's own images: a checkpoint in, poses out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from poseur_lib.checkpoints.checkpoint import checkpoint_file
from poseur_lib.checkpoints.origin import ONLY_GENERATED, trained_on_generated
from poseur_lib.checkpoints.released_load import asked_knobs, load_network_with_changes
from poseur_lib.checkpoints.shipped import SHIPPED
from poseur_lib.config.evaluation import InstanceRule
from poseur_lib.config.experiment import ExperimentConfig
from poseur_lib.config.heads.poseur import FlipFusion, KeypointScore
from poseur_lib.data.coco import Person, to_box
from poseur_lib.data.crop import PIXELS_PER_SCALE
from poseur_lib.errors import UserError
from poseur_lib.evaluation.ap import RankedPeople, rank_people
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.whole_images import people_of_image, predictions_in_boxes
from poseur_lib.keypoints import KeypointSet, keypoint_set
from poseur_lib.models.build import Network
from poseur_lib.models.end_to_end.model import EndToEndModel
from poseur_lib.models.optimise import PLAIN, SAFE, example_images, optimise, require_plain
from poseur_lib.predict.people import (
    BOX_THRESHOLD,
    KEYPOINT_THRESHOLD,
    BoxesLike,
    BoxFormat,
    PersonBox,
    PersonPose,
    as_boxes,
    whole_image,
)
from poseur_lib.predict.rgb import ImageLike, as_rgb
from poseur_lib.runtime import Compile, Device, InferenceRuntime, Precision


@dataclass(frozen=True, eq=False)
class ImagePoses:
    """The people of one image.

    Attributes:
        image: RGB, upright: what was predicted on, and what the pixels of the poses are of.
        people: in the order of the boxes; after OKS-NMS the best first.
        keypoint_set: the names and the skeleton of the keypoints.
    """

    image: UInt8[np.ndarray, "height width 3"]
    people: tuple[PersonPose, ...]
    keypoint_set: KeypointSet

    def to_coco(self, image_id: int = 1, category_id: int = 1) -> list[dict[str, Any]]:
        """One entry a person in COCO's results format, which pycocotools' `loadRes` reads."""
        return [person.to_coco(image_id, category_id) for person in self.people]

    def draw(self, threshold: float = KEYPOINT_THRESHOLD) -> UInt8[np.ndarray, "height width 3"]:
        """The image with the skeletons over it, RGB; see `poseur_lib.predict.drawing.draw_people`."""
        from poseur_lib.predict.drawing import draw_people  # matplotlib's second, for whoever draws

        return draw_people(self.image, self.people, self.keypoint_set, threshold)


class Poseur:
    """A trained model that predicts the poses of people in boxes: Poseur, or another method of this project.

        poseur = Poseur.from_pretrained("model.pt")
        poses = poseur.predict("photo.jpg", boxes=[[120, 40, 200, 420]])
        poses.people[0].keypoints_image     # K x 2, (x, y) in pixels of the photo

    Attributes:
        model: as it infers.
        config: crop size, flip test, scores.
        inference: a line of what makes inference faster here, and one for each thing that does not.
        caution: what to know before its poses are believed; "" where nothing is known.
    """

    def __init__(
        self, model: Network, config: ExperimentConfig, *, runtime: InferenceRuntime, inference: str = "",
        caution: str = "",
    ) -> None:  # fmt: skip
        self.model, self.config, self.runtime, self.inference = model, config, runtime, inference
        self.caution = caution

    @classmethod
    def from_pretrained(
        cls,
        path: str | os.PathLike[str] = SHIPPED,
        *,
        device: Device | str | torch.device = "auto",
        precision: Precision = "32",
        flip: bool | None = None,
        batch: int | None = None,
        input_size: tuple[int, int] | None = None,
        flip_fusion: FlipFusion | None = None,
        keypoint_score: KeypointScore | None = None,
        score_radius: float | None = None,
        sigma_factor: float | None = None,
        instance_score: InstanceRule | None = None,
        box_threshold: float | None = None,
        test_sides: Sequence[int] | None = None,
        fast: bool = True,
        compile: Compile = "auto",
    ) -> "Poseur":
        """The model of a checkpoint. None is what the checkpoint says, or the released code's choice.

        Args:
            path: a `model.pt` of this project, a run's folder, or a checkpoint of the released code. Without one it is
                the small model of the package (`poseur_lib.checkpoints.shipped`), which knows generated people alone.
            device: "auto" is a GPU where there is one; "cuda:1" is the second one.
            flip: flip test: predict the mirror image too.
            batch: people in one forward pass; not of an end-to-end model.
            input_size: crop (height, width), of a released checkpoint that does not tell it.
            flip_fusion, keypoint_score, score_radius, sigma_factor, instance_score: as `poseur_lib.load_released`.
            box_threshold: least score of the boxes that an end-to-end model finds. None: 0.5, or the model's own
                threshold where that is higher; `poseur predict` does the same. `poseur evaluate` takes the model's own:
                AP needs the doubtful boxes too.
            test_sides: of an end-to-end model, the short sides in pixels that an image is shown with; several are
                averaged.
            fast: fold batch norms and order memory by channels, if that leaves the keypoints where they are; an
                end-to-end model stays as it is.
            compile: as of `InferenceRuntime`: "graph" for many images on a GPU, "inductor" (minutes at the start);
                neither is for an end-to-end model.

        Raises:
            UserError: the checkpoint cannot be used or has not what is asked for, or there is no such device or
                precision.
            pydantic.ValidationError: an argument has a value that does not exist.
        """
        runtime = InferenceRuntime(device=str(device), precision=precision, compile=compile)
        torch_device = runtime.torch_device
        knobs = asked_knobs(
            input_size=input_size,
            flip_fusion=flip_fusion,
            keypoint_score=keypoint_score,
            score_radius=score_radius,
            sigma_factor=sigma_factor,
            instance_score=instance_score,
            test_sides=test_sides,
        )
        model, config = load_network_with_changes(Path(path), knobs)
        asked = {"evaluation.flip_test": flip, "evaluation.batch": batch}
        config = config.with_changes(**{name: value for name, value in asked.items() if value is not None})
        caution = ONLY_GENERATED if trained_on_generated(checkpoint_file(Path(path))) else ""
        if isinstance(model, EndToEndModel):
            if batch is not None:
                raise UserError(f"{path}: batch {batch}: it takes an image a forward pass, with all of its people")
            require_plain(path, compile)
            least = max(BOX_THRESHOLD, model.config.score_threshold) if box_threshold is None else box_threshold
            config = config.with_changes(**{"model.head.score_threshold": least})
            model.roi_heads.score_thresh = least
            return cls(model.to(torch_device), config, runtime=runtime, caution=caution)
        if box_threshold is not None:
            found = "it finds nobody itself: give boxes, or a detector's (--boxes, --detector)"
            raise UserError(f"{path}: box_threshold {box_threshold:g}: {found}")
        images = example_images(config.data.input_size).to(torch_device)
        options = replace(SAFE if fast else PLAIN, compile=compile == "inductor")
        with runtime.on_device():
            optimised = optimise(model.eval().to(torch_device), images, options)
        said = "\n".join(filter(None, (optimised.text(), runtime.inference_note(model.recordable))))
        return cls(optimised.model, config, runtime=runtime, inference=said, caution=caution)

    @property
    def keypoint_set(self) -> KeypointSet:
        """Names, mirror pairs and skeleton of the K keypoints."""
        return keypoint_set(self.config.data.keypoint_set)

    def predict(
        self, image: ImageLike, boxes: BoxesLike | None = None, *, box_format: BoxFormat = "xywh", nms: bool = False
    ) -> ImagePoses:
        """The poses of the people of one image.

        Args:
            image: a path, a Pillow image, or a uint8 array H x W x 3 in the order RGB (not OpenCV's BGR); files and
                Pillow images are turned as their EXIF orientation says. See `as_rgb`.
            boxes: one row a person, in pixels of the upright image: (x, y, width, height), and a score if there is
                one. None: one person who fills the image; an end-to-end model finds the people itself, from the score
                `box_threshold` of `from_pretrained` on. An empty list: nobody.
            box_format: "xywh", or "xyxy" for (left, top, right, bottom).
            nms: OKS-NMS, as `poseur evaluate` has it: a person is left out who nearly coincides with a better-scored
                one, and the others come best first. Without it every box has its pose, in the boxes' order.

        Raises:
            UserError: the image or a box cannot be used.
        """
        return self.predict_batch([image], [boxes], box_format=box_format, nms=nms)[0]

    def predict_batch(
        self,
        images: Sequence[ImageLike],
        boxes: Sequence[BoxesLike | None] | None = None,
        *,
        box_format: BoxFormat = "xywh",
        nms: bool = False,
    ) -> list[ImagePoses]:
        """`predict` for several images, whose people share the forward passes; `boxes` has one entry an image."""
        if isinstance(images, str | os.PathLike | Image.Image) or (isinstance(images, np.ndarray) and images.ndim != 4):
            raise UserError("images must be a list of them, and this is one: give [image], or use predict")
        boxes = [None] * len(images) if boxes is None else list(boxes)
        if len(boxes) != len(images):
            raise UserError(f"{len(images)} images and boxes of {len(boxes)}: give one entry an image")
        arrays = [as_rgb(image) for image in images]
        given = [
            self._own_boxes(array) if some is None else as_boxes(some, array.shape[:2], box_format)
            for array, some in zip(arrays, boxes, strict=True)
        ]
        ranked = self._predict(arrays, given, nms)
        people: list[list[PersonPose]] = [[] for _ in arrays]
        flat = [box for some in given for box in some]
        predictions = ranked.predictions
        poses = predictions.keypoints_image()
        for index in ranked.kept:
            score = float(ranked.instance_scores[index])
            person = _person(predictions, poses[index], score, flat[index], int(index))
            people[predictions.image_id[index]].append(person)
        return [ImagePoses(array, tuple(some), self.keypoint_set) for array, some in zip(arrays, people, strict=True)]

    def boxes(self, path: Path, image: UInt8[np.ndarray, "height width 3"]) -> list[PersonBox]:
        """Where the people of an image are: an end-to-end model finds them itself; of others, all of it is one person.

        `path` does not matter; with it, a model is a `BoxFinder`. Poses in these boxes take another pass.
        """
        return self._own_boxes(image)

    def _own_boxes(self, image: UInt8[np.ndarray, "height width 3"]) -> list[PersonBox]:
        if not isinstance(self.model, EndToEndModel):
            return [whole_image(image)]
        with self.runtime.on_device():
            found = people_of_image(self.model, image, self.config, self.runtime)
        corners = found.boxes.astype(np.float64)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        return [PersonBox(to_box(box), float(score)) for box, score in zip(boxes, found.bbox_scores, strict=True)]

    def _predict(self, arrays: list[np.ndarray], given: list[list[PersonBox]], nms: bool) -> RankedPeople:
        """Predictions for all boxes; an image's path is its number."""
        images = {Path(str(number)): array for number, array in enumerate(arrays)}
        people = [
            Person(image_id=number, image_path=Path(str(number)), box=box.box, bbox_score=box.score)
            for number, some in enumerate(given)
            for box in some
        ]
        with self.runtime.on_device():
            predictions = predictions_in_boxes(self.model, people, self.config, self.runtime, images.__getitem__)
        keypoints = self.keypoint_set
        return rank_people(predictions, self.config, keypoints, nms=nms and bool(keypoints.oks_sigmas))


def _person(predictions: PredictedPeople, pose: np.ndarray, score: float, box: PersonBox, index: int) -> PersonPose:
    side = predictions.box_scale[index] * np.float32(PIXELS_PER_SCALE)
    return PersonPose(
        keypoints_image=pose,
        keypoint_scores=predictions.keypoint_scores[index],
        score=score,
        box=box.box,
        box_score=box.score,
        sigma_image=None if predictions.sigma is None else predictions.sigma[index] * side,
    )
