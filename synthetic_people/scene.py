"""One image: who stands where, before what, behind what."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64

from synthetic_people.appearance import Appearance, Material, sample_appearance
from synthetic_people.background import sample_background
from synthetic_people.body import person_primitives
from synthetic_people.kinematics import coco_keypoints, head_bounds, skeleton_of
from synthetic_people.objects import Thing, is_seated, occluder, stool
from synthetic_people.raster import Drawing, Rendering, place, render
from synthetic_people.settings import Difficulty
from synthetic_people.skeleton import Bone, Skeleton, sample_pose, sample_shape
from synthetic_people.textures import cloth_grain

Keypoints = Callable[[Skeleton], Float64[np.ndarray, "K 3"]]
"""Gives the keypoints of a body, camera frame, metres."""


class Actor(NamedTuple):
    """A placed person: px a metre, and the pelvis (x, y, z) in px."""

    skeleton: Skeleton
    appearance: Appearance
    scale: float
    offset: tuple[float, float, float]
    main: bool

    def keypoints_image(self, keypoints: Keypoints = coco_keypoints) -> Float64[np.ndarray, "K 3"]:
        """Keypoints, px: x, y, depth towards the viewer."""
        return keypoints(self.skeleton) * self.scale + np.array(self.offset)

    def head_box(self) -> tuple[float, ...]:
        """Left, top, right, bottom of the head, px; it may lie outside the image, or be hidden."""
        corners = np.concatenate(head_bounds(self.skeleton)) * self.scale + np.array(2 * self.offset[:2])
        return tuple(round(float(value), 2) for value in corners)


class Scene(NamedTuple):
    """Everything in one image; `light` as `raster.render` takes it."""

    actors: tuple[Actor, ...]
    things: tuple[Thing, ...]
    background: Float32[np.ndarray, "H W 3"]
    light: Float64[np.ndarray, "7"]


def _sample_person(rng: np.random.Generator, level: Difficulty) -> tuple[Skeleton, Appearance]:
    pose, shape = sample_pose(rng, level), sample_shape(rng)
    return skeleton_of(shape, pose), sample_appearance(rng)


def _extent(skeleton: Skeleton) -> tuple[float, float, float, float]:
    """About where the body ends, metres from the pelvis: left, top, right, bottom of the picture."""
    points = coco_keypoints(skeleton)[:, :2]
    low, high = points.min(0) - 0.09, points.max(0) + 0.09
    return float(low[0]), float(low[1] - 0.08), float(high[0]), float(high[1] + 0.02)


def place_main(
    rng: np.random.Generator, skeleton: Skeleton, size: tuple[int, int], level: Difficulty
) -> tuple[float, tuple[float, float, float]]:
    """Scale and offset of the main person: large, inside the image or cut by its border."""
    height, width = size
    left, top, right, bottom = _extent(skeleton)
    fit = 0.97 * min(height / (bottom - top), width / (right - left))
    draw = rng.random()
    scale = fit * float(rng.uniform(0.72, 1.0))
    if draw < 0.75 * level.truncation:  # the legs are cut off
        scale = fit * float(rng.uniform(1.2, 1.8))
        x = width / 2 - scale * (0.5 * (left + right) - float(rng.normal(0, 0.08)))
        return scale, (x, float(rng.uniform(0.01, 0.08)) * height - scale * top, 0.0)
    free_x, free_y = width - scale * (right - left), height - scale * (bottom - top)
    y = float(rng.uniform(0.2, 1.0)) * free_y - scale * top
    if draw < level.truncation:  # one side is cut off
        cut = float(rng.uniform(0.2, 0.45)) * scale * (right - left)
        x = -cut if rng.random() < 0.5 else free_x + cut
        return scale, (x - scale * left, y, 0.0)
    return scale, (float(rng.uniform(0, 1)) * free_x - scale * left, y, 0.0)


def place_other(
    rng: np.random.Generator, skeleton: Skeleton, main: Actor, size: tuple[int, int], rank: int, level: Difficulty
) -> tuple[float, tuple[float, float, float]]:
    """Scale and offset of a further person: mostly smaller and behind, on the same ground."""
    height, width = size
    front = rng.random() < level.others_in_front
    scale = min(main.scale, 0.6 * height) * float(rng.uniform(0.8, 1.1) if front else rng.uniform(0.45, 0.85))
    horizon = 0.38 * height
    ground = main.offset[1] + main.scale * _extent(main.skeleton)[3]
    ground = horizon + (min(ground, 1.15 * height) - horizon) * scale / main.scale * float(rng.uniform(0.95, 1.1))
    side = 1 if rng.random() < 0.5 else -1
    x = main.offset[0] + side * main.scale * float(rng.uniform(0.30, 0.75 if front else 0.65))
    if not -0.05 * width < x < 1.05 * width:
        x = float(rng.uniform(-0.05, 1.05)) * width
    depth = (1.5 + rank) * main.scale * (1.0 if front else -1.0)
    return scale, (x, ground - scale * _extent(skeleton)[3], depth)


def _sample_occluder(rng: np.random.Generator, main: Actor, size: tuple[int, int]) -> Thing:
    """An object before a random keypoint of the main person's body or limbs."""
    target = main.keypoints_image()[int(rng.integers(5, 17))]
    x, y = target[:2] + rng.normal(0, 0.09, 2) * main.scale
    return occluder(rng, float(np.clip(x, 0, size[1])), float(np.clip(y, 0, size[0])), 1.0 * main.scale, main.scale)


def _cast_shadow(image: Float32[np.ndarray, "H W 3"], actor: Actor) -> None:
    """Darken the ground under both feet, in place."""
    height, width = image.shape[:2]
    for bone in (Bone.LEFT_FOOT, Bone.RIGHT_FOOT):
        x, y = actor.skeleton.origins[bone, :2] * actor.scale + np.array(actor.offset[:2])
        y, a, b = y + 0.07 * actor.scale, 0.2 * actor.scale, 0.055 * actor.scale
        rows = slice(max(0, int(y - 2 * b)), max(0, min(height, int(y + 2 * b))))
        columns = slice(max(0, int(x - 2 * a)), max(0, min(width, int(x + 2 * a))))
        dy = (np.arange(rows.start, rows.stop, dtype=np.float32) - np.float32(y)) / np.float32(b)
        dx = (np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(x)) / np.float32(a)
        shade = 1.0 - 0.4 * np.exp(-(dy[:, None] ** 2) - dx[None, :] ** 2)
        for channel in range(3):
            image[rows, columns, channel] *= shade


def _sample_light(rng: np.random.Generator) -> Float64[np.ndarray, "7"]:
    """A light from above and before the scene, warm or cold."""
    direction = np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.8, -0.2), 1.0])
    tint = 1.12 * (1.0 + rng.uniform(-0.06, 0.06) * np.array([1.0, 0.0, -1.0]))
    return np.concatenate([direction / np.sqrt(direction @ direction), [rng.uniform(0.45, 0.65)], tint])


def sample_scene(rng: np.random.Generator, size: tuple[int, int], level: Difficulty) -> Scene:
    """A random scene of `size` (height, width) px; the main person comes first."""
    skeleton, appearance = _sample_person(rng, level)
    main = Actor(skeleton, appearance, *place_main(rng, skeleton, size, level), True)
    actors = [main]
    for rank in range(min(3, int(rng.poisson(level.others)))):
        skeleton, appearance = _sample_person(rng, level)
        actors.append(Actor(skeleton, appearance, *place_other(rng, skeleton, main, size, rank, level), False))
    things = [stool(rng, actor.skeleton, actor.scale, actor.offset) for actor in actors if is_seated(actor.skeleton)]
    if rng.random() < level.occluder:
        things.append(_sample_occluder(rng, main, size))
    background = sample_background(rng, *size, level)
    for actor in actors:
        _cast_shadow(background, actor)
    return Scene(tuple(actors), tuple(things), background, _sample_light(rng))


def drawing_of(scene: Scene) -> Drawing:
    """The primitives of all actors, then of all things; the person label is the actor's index, -1 for things."""
    geometry, labels, materials = [], [], []
    for person, actor in enumerate(scene.actors):
        prims = person_primitives(actor.skeleton, actor.appearance)
        row = sum(len(m) for m in materials)
        geometry.append(place(prims, actor.scale, actor.offset))
        labels += [(p.part, person, row + p.material, p.decal, row + Material.INNER) for p in prims]
        materials.append(actor.appearance.materials)
    for thing in scene.things:
        row = sum(len(m) for m in materials)
        geometry.append(thing.geometry)
        labels += [(0, -1, row, 0, row)] * len(thing.geometry)
        materials.append(thing.material[None])
    return Drawing(np.concatenate(geometry), np.array(labels, np.int32), np.concatenate(materials))


def render_scene(scene: Scene, drawing: Drawing) -> Rendering:
    """Draw the scene's primitives over its background."""
    return render(drawing, scene.background, cloth_grain(), scene.light)
