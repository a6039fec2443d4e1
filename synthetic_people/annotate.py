"""Labels of a rendered scene, as COCO defines them.

- area: the person's visible pixels; bbox: their tight box; segmentation: their mask as a compressed RLE.
- visibility 2: the front-most surface at the keypoint shows it (`SHOWN_BY`). 1: something hides it. 0, at (0, 0):
  outside the image; on a face turned away; hidden and far outside the visible box (an annotator would not guess it).
- people under 32 x 32 px of area have no keypoints, as in COCO.

MPII's joints are labelled by the same rules, and people have a head box.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from pycocotools import mask as rle

from poseur_lib.data.part_labels import Part
from poseur_lib.keypoints import COCO_17, MPII_16
from synthetic_people.kinematics import coco_keypoints, face_turned_away, mpii_keypoints
from synthetic_people.raster import Drawing, Rendering
from synthetic_people.scene import Actor, Keypoints, Scene

SMALL_AREA = 32 * 32
MIN_AREA = 40
"""People of fewer visible pixels are not annotated."""

_AWAY = np.array([0.40, 0.40, 0.40, 0.35, 0.35])
"""Nose, eyes and ears turned further away than this are not labelled."""


class ShownBy(NamedTuple):
    """A keypoint is visible where the front-most surface is one of `parts`, at most `depth` metres before it."""

    parts: tuple[Part, ...]
    depth: float


def _sides(left_parts: tuple[Part, ...], depth: float) -> tuple[ShownBy, ShownBy]:
    """The rule of a left keypoint and its mirror image; parts below LEFT_UPPER_ARM have no side."""
    mirrored = tuple(Part(p + 1) if p >= Part.LEFT_UPPER_ARM else p for p in left_parts)
    return ShownBy(left_parts, depth), ShownBy(mirrored, depth)


_HEAD = (Part.FACE, Part.HAIR)
SHOWN_BY: tuple[ShownBy, ...] = (
    ShownBy(_HEAD, 0.05),
    *_sides(_HEAD, 0.05),
    *_sides(_HEAD, 0.07),
    *_sides((Part.TORSO, Part.LEFT_UPPER_ARM, Part.HAIR), 0.17),
    *_sides((Part.LEFT_UPPER_ARM, Part.LEFT_LOWER_ARM), 0.12),
    *_sides((Part.LEFT_LOWER_ARM,), 0.10),
    *_sides((Part.TORSO, Part.LEFT_UPPER_LEG), 0.19),
    *_sides((Part.LEFT_UPPER_LEG, Part.LEFT_LOWER_LEG), 0.16),
    *_sides((Part.LEFT_LOWER_LEG, Part.LEFT_FOOT), 0.16),
)
"""One rule per COCO keypoint, in COCO's order."""

_TRUNK = (Part.TORSO, Part.HAIR)
_AXIS = (
    ShownBy((Part.TORSO, Part.LEFT_UPPER_LEG, Part.RIGHT_UPPER_LEG), 0.19),
    ShownBy(_TRUNK, 0.17),
    ShownBy((*_HEAD, Part.TORSO), 0.12),
    ShownBy(_HEAD, 0.12),
)
"""Pelvis, thorax, upper neck and head's top."""


class LabelRules(NamedTuple):
    """How a keypoint set is labelled; `heads`: people have head boxes."""

    keypoints: Keypoints
    shown_by: tuple[ShownBy, ...]
    facing: int  # so many keypoints, the first ones, are on the face
    heads: bool


RULES = {
    COCO_17.name: LabelRules(coco_keypoints, SHOWN_BY, len(_AWAY), False),
    MPII_16.name: LabelRules(
        mpii_keypoints,
        (*(SHOWN_BY[k] for k in (16, 14, 12, 11, 13, 15)), *_AXIS, *(SHOWN_BY[k] for k in (10, 8, 6, 5, 7, 9))),
        0,
        True,
    ),
}

assert [len(RULES[one.name].shown_by) for one in (COCO_17, MPII_16)] == [COCO_17.num_keypoints, MPII_16.num_keypoints]


RENDERED_CENTRE = 0.5
"""Of the first pixel, on the axes of `raster`."""


@dataclass(frozen=True)
class PersonLabel:
    """One person of one image; keypoints (x, y) in image px, box (x, y, width, height)."""

    keypoints_image: Float[np.ndarray, "K 2"]
    visibility: Int[np.ndarray, "K"]
    box: tuple[int, int, int, int]
    area: int
    segmentation: str
    size: tuple[int, int]
    yaw_degrees: float
    truncated: bool
    main: bool
    head_box: tuple[float, ...] | None = None

    @property
    def view(self) -> str:
        """front, side or back: what the viewer sees of the body."""
        turned = abs(self.yaw_degrees)
        return "front" if turned < 45 else "back" if turned > 135 else "side"

    @property
    def occluded_share(self) -> float:
        """Hidden keypoints among the labelled ones; 0 where none is labelled."""
        labelled = int((self.visibility > 0).sum())
        return float((self.visibility == 1).sum()) / labelled if labelled else 0.0

    def to_coco(self, image_id: int, annotation_id: int, pixel_centre: float) -> dict[str, Any]:
        """The entry of the annotation file; `pixel_centre` is that of the settings."""
        shift = RENDERED_CENTRE - pixel_centre
        shifted = np.maximum(self.keypoints_image - shift, 0)
        points = np.where(self.visibility[:, None] > 0, shifted, 0)
        triples = np.column_stack([points, self.visibility]).round(1)
        head = {} if self.head_box is None else {"head_box": [round(end - shift, 2) for end in self.head_box]}
        return {
            "id": annotation_id,
            "image_id": image_id,
            "category_id": 1,
            "iscrowd": 0,
            "bbox": list(self.box),
            "area": self.area,
            "num_keypoints": int((self.visibility > 0).sum()),
            "keypoints": [int(v) if v == int(v) else float(v) for v in triples.ravel()],
            "segmentation": {"size": list(self.size), "counts": self.segmentation},
            "poseur_people": {
                "view": self.view,
                "yaw_degrees": round(self.yaw_degrees, 1),
                "truncated": self.truncated,
                "occluded_share": round(self.occluded_share, 3),
                "main": self.main,
            },
            **head,
        }


def keypoint_visibility(
    actor: Actor, person: int, drawing: Drawing, rendering: Rendering, rules: LabelRules = RULES[COCO_17.name]
) -> tuple[Int[np.ndarray, "K"], bool]:
    """COCO visibility of an actor's keypoints, and whether the image border cuts any of them off."""
    height, width = rendering.primitive.shape
    away = face_turned_away(actor.skeleton) > _AWAY
    visibility, cut = np.zeros(len(rules.shown_by), np.int64), False
    for k, (x, y, z) in enumerate(actor.keypoints_image(rules.keypoints).tolist()):
        column, row = math.floor(x), math.floor(y)
        if not (0 <= column < width and 0 <= row < height):
            cut = True
            continue
        if k < rules.facing and away[k]:
            continue
        seen = rendering.primitive[row, column]
        part, owner = drawing.labels[seen, :2].tolist() if seen >= 0 else (0, -1)
        near = (
            rendering.depth[row, column].item() - z
            <= rules.shown_by[k].depth * actor.scale * actor.skeleton.shape.girth
        )
        visibility[k] = 2 if owner == person and part in rules.shown_by[k].parts and near else 1
    return visibility, cut


def _within(points: Float[np.ndarray, "K 2"], box: tuple[int, int, int, int], margin: float) -> np.ndarray:
    """Points in the box widened by `margin` of its sides."""
    corner, size = np.array(box[:2]), np.array(box[2:])
    return ((points >= corner - margin * size) & (points <= corner + (1 + margin) * size)).all(1)


def label_person(
    scene: Scene, person: int, drawing: Drawing, rendering: Rendering, owner: np.ndarray, rules: LabelRules
) -> PersonLabel | None:
    """The label of one actor, None if hardly anything of it is seen; `owner` is the person at every pixel."""
    actor, mask = scene.actors[person], owner == person
    area = int(np.count_nonzero(mask))
    if area < MIN_AREA:
        return None
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1))
    visibility, truncated = keypoint_visibility(actor, person, drawing, rendering, rules)
    points = actor.keypoints_image(rules.keypoints)[:, :2]
    visibility[(visibility == 1) & ~_within(points, box, 0.1)] = 0
    if area < SMALL_AREA:
        visibility[:] = 0
    points = np.where(visibility[:, None] > 0, points, 0.0)
    counts = rle.encode(np.asfortranarray(mask, np.uint8))["counts"].decode("ascii")
    yaw = actor.skeleton.pose.yaw
    head = actor.head_box() if rules.heads else None
    return PersonLabel(points, visibility, box, area, counts, mask.shape, yaw, truncated, actor.main, head)


def label_scene(
    scene: Scene, drawing: Drawing, rendering: Rendering, rules: LabelRules = RULES[COCO_17.name]
) -> list[PersonLabel]:
    """Labels of everyone who is seen."""
    owner = np.take(np.append(drawing.labels[:, 1], -1), rendering.primitive)
    labels = (label_person(scene, person, drawing, rendering, owner, rules) for person in range(len(scene.actors)))
    return [label for label in labels if label is not None]


def part_map(drawing: Drawing, rendering: Rendering) -> UInt8[np.ndarray, "H W"]:
    """`parts.Part` of every pixel."""
    return np.take(np.append(drawing.labels[:, 0], 0).astype(np.uint8), rendering.primitive)
