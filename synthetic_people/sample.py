"""One image of a data set: a pure function of (settings, split, index)."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from synthetic_people.annotate import RULES, PersonLabel, label_scene, part_map
from synthetic_people.camera import encode_jpeg, encode_labels, photograph
from synthetic_people.detector import Detection, detect
from synthetic_people.scene import drawing_of, render_scene, sample_scene
from synthetic_people.settings import SPLITS, PeopleSettings, difficulty

SCENE_STREAM, CAMERA_STREAM = 0, 1


class Sample(NamedTuple):
    """A generated image with its labels; `parts` is the PNG of the part map."""

    pixels: UInt8[np.ndarray, "H W 3"]
    jpeg: bytes
    parts: bytes | None
    labels: list[PersonLabel]
    detections: list[Detection]


def image_id(split: str, index: int) -> int:
    """COCO's id: 1, 2, ... in train, 1000001, ... in val."""
    return SPLITS.index(split) * 1_000_000 + index + 1


def make_sample(settings: PeopleSettings, split: str, index: int) -> Sample:
    """Image `index` of `split`, rendered and labelled."""
    key, level = (settings.seed, SPLITS.index(split), index), difficulty(settings.hard)
    scene = sample_scene(np.random.default_rng([*key, SCENE_STREAM]), settings.image_size, level)
    drawing = drawing_of(scene)
    rendering = render_scene(scene, drawing)
    camera = np.random.default_rng([*key, CAMERA_STREAM])
    pixels = photograph(camera, rendering.image, level)
    jpeg = encode_jpeg(pixels, int(camera.integers(85, 96)))
    labels = label_scene(scene, drawing, rendering, RULES[settings.keypoints])
    parts = encode_labels(part_map(drawing, rendering)) if settings.parts else None
    return Sample(pixels, jpeg, parts, labels, detect(labels, settings.image_size, key))


def image_entry(settings: PeopleSettings, split: str, index: int) -> dict[str, Any]:
    """The image's entry of the annotation file."""
    number = image_id(split, index)
    height, width = settings.image_size
    return {"id": number, "file_name": f"{number:012d}.jpg", "height": height, "width": width}
