"""Skeletons, rays and visibility against closed forms and constructed scenes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poseur_lib.data.part_labels import FLIP_PAIRS, PART_NAMES, Part
from poseur_lib.keypoints import COCO_17
from synthetic_people.annotate import keypoint_visibility, label_scene
from synthetic_people.appearance import MATERIAL_COLUMNS, sample_appearance
from synthetic_people.body import person_primitives
from synthetic_people.kinematics import coco_keypoints, face_turned_away, rotation, skeleton_of
from synthetic_people.objects import Thing, panel
from synthetic_people.primitive import Primitive
from synthetic_people.raster import Drawing, place, render
from synthetic_people.scene import Actor, Scene, drawing_of, render_scene, sample_scene
from synthetic_people.settings import difficulty
from synthetic_people.skeleton import (
    ARM_LIMITS,
    HEAD_LIMITS,
    LEG_LIMITS,
    SPINE_LIMITS,
    Arm,
    Leg,
    Pose,
    Shape,
    Skeleton,
    Trunk,
    sample_pose,
    sample_shape,
)

SIZE = (256, 192)
LIGHT = np.array([0.0, 0.0, 1.0, 0.5, 1.0, 1.0, 1.0])
NOSE, LEFT_EYE, LEFT_EAR, RIGHT_EAR, LEFT_SHOULDER, RIGHT_SHOULDER = 0, 1, 3, 4, 5, 6
LEFT_WRIST, RIGHT_WRIST = 9, 10
HANGING = Arm(0, 12, 0, 5)
STILL = Trunk(0.0, 0.0, 0.0)
SHAPE = Shape(0.24, 0.25, 0.085, 0.178, 0.098, 0.285, 0.25, 0.41, 0.41, 1.05, 1.1)


def standing(yaw: float, left_arm: Arm = HANGING, right_arm: Arm = HANGING) -> Skeleton:
    leg = Leg(0, 5, 0, 0, 0)
    return skeleton_of(SHAPE, Pose(yaw, 0.0, 0.0, STILL, STILL, left_arm, right_arm, leg, leg))


def mirrored(pose: Pose) -> Pose:
    """The same pose in a mirror."""

    def turn(trunk: Trunk) -> Trunk:
        return Trunk(trunk.bend, -trunk.lean, -trunk.twist)

    return Pose(
        -pose.yaw, pose.pitch, -pose.roll, turn(pose.spine), turn(pose.head),
        pose.right_arm, pose.left_arm, pose.right_leg, pose.left_leg,
    )  # fmt: skip


def scene_of(*skeletons_at: tuple[Skeleton, float, float], things: tuple[Thing, ...] = ()) -> Scene:
    """People at (x, depth) px in an empty image, 120 px a metre."""
    look = sample_appearance(np.random.default_rng(1))
    look = look._replace(cut=look.cut._replace(hat=False, hair=1, bag=False, skirt=0.0))
    actors = tuple(Actor(s, look, 120.0, (x, 125.0, z), i == 0) for i, (s, x, z) in enumerate(skeletons_at))
    return Scene(actors, things, np.full((*SIZE, 3), 0.5, np.float32), LIGHT)


def visibility_of(scene: Scene, person: int = 0) -> np.ndarray:
    drawing = drawing_of(scene)
    return keypoint_visibility(scene.actors[person], person, drawing, render_scene(scene, drawing))[0]


def test_left_is_on_the_right_of_the_image_in_front_views_only() -> None:
    front, back = coco_keypoints(standing(0.0)), coco_keypoints(standing(180.0))
    for left, right in COCO_17.flip_pairs:
        assert front[left, 0] > front[right, 0]
        assert back[left, 0] < back[right, 0]


def test_a_person_turned_to_the_image_right_looks_there() -> None:
    points = coco_keypoints(standing(90.0))
    assert points[NOSE, 0] > points[LEFT_EAR, 0] + 0.05
    assert points[LEFT_SHOULDER, 2] < points[RIGHT_SHOULDER, 2]  # the left side is the far one


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_a_mirrored_pose_is_the_mirror_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pose, shape = sample_pose(rng, difficulty(1.0)), sample_shape(rng)
    ours, theirs = coco_keypoints(skeleton_of(shape, pose)), coco_keypoints(skeleton_of(shape, mirrored(pose)))
    order = np.arange(17)
    for left, right in COCO_17.flip_pairs:
        order[[left, right]] = right, left
    np.testing.assert_allclose(theirs[order] * [-1, 1, 1], ours, atol=1e-9)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_poses_keep_joint_limits_and_bone_lengths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pose, shape = sample_pose(rng, difficulty(1.0)), sample_shape(rng)
    checks = [(pose.left_arm, ARM_LIMITS), (pose.right_arm, ARM_LIMITS), (pose.left_leg, LEG_LIMITS)]
    checks += [(pose.right_leg, LEG_LIMITS), (pose.spine, SPINE_LIMITS), (pose.head, HEAD_LIMITS)]
    for angles, (low, high) in checks:
        assert all(a <= x <= b for x, a, b in zip(angles, low, high, strict=True))
    points = coco_keypoints(skeleton_of(shape, pose))
    for start, end, length in ((5, 7, shape.upper_arm), (10, 8, shape.lower_arm), (13, 11, shape.upper_leg)):
        assert np.linalg.norm(points[start] - points[end]) == pytest.approx(length)
    frames = skeleton_of(shape, pose).frames
    np.testing.assert_allclose(frames @ frames.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (13, 3, 3)), atol=1e-9)


def test_the_face_turns_with_the_head() -> None:
    assert (face_turned_away(standing(0.0))[:3] < -0.8).all()
    assert (face_turned_away(standing(180.0))[:3] > 0.8).all()
    side = face_turned_away(standing(90.0))
    assert side[3] == pytest.approx(1.0) and side[4] == pytest.approx(-1.0)


def _draw(prim: Primitive, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(covered pixels, depth) of one primitive at the middle of a 64 x 64 image."""
    drawing = Drawing(
        place([prim], scale, (32.0, 32.0, 0.0)), np.zeros((1, 5), np.int32), np.ones((1, MATERIAL_COLUMNS))
    )
    out = render(drawing, np.zeros((64, 64, 3), np.float32), np.zeros((8, 8), np.float32), LIGHT)
    return out.primitive >= 0, out.depth


def test_an_ellipsoid_is_drawn_where_it_is() -> None:
    a, b, c = 20.0, 12.0, 7.0
    covered, depth = _draw(Primitive(np.zeros(3), np.eye(3), 0.0, 1.0, 1.0, (a, b, c), 1, 0))
    x, y = np.meshgrid(np.arange(64) + 0.5 - 32, np.arange(64) + 0.5 - 32)
    height = 1 - (x / a) ** 2 - (y / b) ** 2
    np.testing.assert_array_equal(covered, height > 0)
    np.testing.assert_allclose(depth[covered], c * np.sqrt(height[covered]), atol=1e-4)


@settings(max_examples=25)
@given(st.floats(-180, 180), st.floats(-80, 80), st.floats(3, 9), st.floats(3, 9))
def test_a_tapered_capsule_is_the_union_of_its_spheres(turn: float, tilt: float, first: float, second: float) -> None:
    frame, length = rotation(2, turn) @ rotation(0, tilt), 18.0
    covered, depth = _draw(Primitive(-9.0 * frame[:, 1], frame, length, first, second, (1.0, 1.0, 1.0), 1, 0))
    x, y = np.meshgrid(np.arange(64) + 0.5 - 32, np.arange(64) + 0.5 - 32)
    best = np.full((64, 64), -np.inf)
    for t in np.linspace(0, 1, 300):
        middle, radius = (t - 0.5) * length * frame[:, 1], first + t * (second - first)
        height = radius**2 - (x - middle[0]) ** 2 - (y - middle[1]) ** 2
        best = np.maximum(best, np.where(height > 0, middle[2] + np.sqrt(np.maximum(height, 0)), -np.inf))
    assert (covered != (best > -np.inf)).sum() <= 6  # the sampled spheres miss a few outline pixels
    both = covered & (best > -np.inf)
    assert np.quantile(np.abs(depth[both] - best[both]), 0.98) < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_the_depth_is_that_of_the_nearest_primitive(seed: int) -> None:
    drawing = drawing_of(sample_scene(np.random.default_rng(seed), SIZE, difficulty(1.0)))
    black, grain = np.zeros((*SIZE, 3), np.float32), np.zeros((8, 8), np.float32)
    alone = []
    for geometry, labels in zip(drawing.geometry, drawing.labels, strict=True):
        alone.append(render(Drawing(geometry[None], labels[None], drawing.materials), black, grain, LIGHT).depth)
    together = render(drawing, black, grain, LIGHT)
    np.testing.assert_array_equal(together.depth, np.max(alone, axis=0))
    seen = np.take_along_axis(np.array(alone), np.maximum(together.primitive, 0)[None], axis=0)[0]
    np.testing.assert_array_equal(seen[together.primitive >= 0], together.depth[together.primitive >= 0])


def test_someone_alone_facing_us_is_seen_whole() -> None:
    assert (visibility_of(scene_of((standing(0.0), 96.0, 0.0))) == 2).all()


def test_from_the_back_the_face_is_not_labelled() -> None:
    visibility = visibility_of(scene_of((standing(180.0), 96.0, 0.0)))
    assert (visibility[:3] == 0).all()
    assert (visibility[LEFT_EAR:] == 2).all()


def test_from_the_side_the_far_half_is_hidden() -> None:
    visibility = visibility_of(scene_of((standing(90.0), 96.0, 0.0)))
    assert visibility[LEFT_EAR] == 0 and visibility[RIGHT_EAR] == 2
    assert visibility[LEFT_SHOULDER] == 1 and visibility[RIGHT_SHOULDER] == 2


def test_a_board_hides_the_wrist_behind_it_only() -> None:
    skeleton = standing(0.0, left_arm=Arm(0, 80, 0, 0))
    x, y = scene_of((skeleton, 96.0, 0.0)).actors[0].keypoints_image()[LEFT_WRIST, :2]
    for depth, expected in ((60.0, 1), (-60.0, 2)):
        board = Thing(panel(float(x), float(y), depth, (9.0, 9.0), 0.0, 120.0), np.full(MATERIAL_COLUMNS, 0.5))
        visibility = visibility_of(scene_of((skeleton, 96.0, 0.0), things=(board,)))
        assert visibility[LEFT_WRIST] == expected
        assert (np.delete(visibility, LEFT_WRIST) == 2).all()


def test_the_nearer_of_two_people_is_seen() -> None:
    here = standing(0.0)
    scene = scene_of((here, 96.0, 0.0), (here, 96.0, 200.0))
    assert (visibility_of(scene, 1) == 2).all()
    assert (visibility_of(scene, 0) == 1).all()
    drawing = drawing_of(scene)
    labels = label_scene(scene, drawing, render_scene(scene, drawing))
    assert [label.main for label in labels] == [False]  # nothing is seen of the one behind


def test_the_border_cuts_keypoints_off() -> None:
    scene = scene_of((standing(0.0), 8.0, 0.0))
    drawing = drawing_of(scene)
    (label,) = label_scene(scene, drawing, render_scene(scene, drawing))
    assert label.truncated and label.box[0] == 0
    assert label.visibility[RIGHT_SHOULDER] == 0 and label.visibility[LEFT_SHOULDER] == 2
    assert (label.keypoints_image[label.visibility == 0] == 0).all()


def test_every_part_is_drawn_and_sides_pair_up() -> None:
    prims = person_primitives(standing(0.0), sample_appearance(np.random.default_rng(0)))
    assert {prim.part for prim in prims} | {Part.BACKGROUND} >= set(Part) - {Part.HAIR}
    for left, right in FLIP_PAIRS:
        assert PART_NAMES[left].replace("left", "right") == PART_NAMES[right]
