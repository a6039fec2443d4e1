"""MPII Human Pose (Andriluka et al., CVPR 2014) as a folder in COCO's layout, from either form that it is had in.

- **HRNet's files**: `annot/train.json` (22,246 people) and `annot/valid.json` (2,958), a person each: `image`,
  `center`, `scale`, `joints` (16 x 2), `joints_vis`; and `annot/gt_valid.mat` beside them, the labels and head boxes of
  val, in the order of valid.json. A person of test.json has no labels, and is not converted.
- **the original** `mpii_human_pose_v1_u12_1.mat`. It knows no val split, as all labelled people are its training set:
  people on images that `annot/valid.json` names are val where that file is there, else a tenth of the images, whole
  videos by the SHA-256 of their index (`vidx`). Neither is HRNet's split, which leaves out whom valid.json does not
  list, so PCKh on it does not compare with published numbers.

Both count pixels from 1; the folder counts from 0. As in HRNet's code, a crop is the square of 200 px times the scale
around the centre, which is first moved down by 15 px times the scale; the factor 1.25 is the crop rule's. It may leave
the image, and is not cut to it (`crop_box`). Head boxes are (left, top, right, bottom) (`head_box`). People are trained
on and judged in these crops; an end-to-end model learns its boxes from `bbox`, which is that of the joints, and is
judged in crops all the same, as PCKh is of given places.

HRNet's flag says labelled or not, so visibility is 2 or 0; the original also tells hidden joints, which are 1.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Integer
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from poseur_lib.data.annotations import annotation_problem, load_json
from poseur_lib.data.coco import Split
from poseur_lib.data.coco_folder import category_entry, person_entry, read_mat, require_inside, write_folder
from poseur_lib.data.consistency import far_outside
from poseur_lib.data.crop import PIXELS_PER_SCALE
from poseur_lib.data.images import head_of_file
from poseur_lib.errors import UserError, describe_validation, first_line
from poseur_lib.keypoints import MPII_16

ORIGINAL = "mpii_human_pose_v1_u12_1.mat"
ORIGIN = 1  # Matlab's first pixel
DOWN = 15  # pixels that the centre moves down for a scale of 1, "to avoid cropping limbs"
VAL_SHARE = 10
SAME_WITHIN = 0.01  # pixels: valid.json has four decimals of what gt_valid.mat has
FILES: dict[Split, str] = {"train": "train.json", "val": "valid.json"}
TRUTH = "gt_valid.mat"


class MpiiPerson(NamedTuple):
    """A person as distributed, pixels counted from 1.

    Attributes:
        source: the file and the person's place in it, as messages name it.
        visibility: 0 not labelled, 1 hidden, 2 labelled or visible.
        head_box: (left, top, right, bottom).
        video: index of the one that the image is a frame of, where the file says it: its frames show the same people.
    """

    source: str
    image: str
    center: tuple[float, float]
    scale: float
    joints: Float[np.ndarray, "16 2"]
    visibility: Integer[np.ndarray, "16"]
    head_box: tuple[float, ...] | None = None
    video: int | None = None


class MpiiConversion(NamedTuple):
    """What was written.

    Attributes:
        train, val: people of each split.
        left_out: people who have no centre, no scale or no labelled joint.
        outside: images of people who are left out as all their labelled joints lie far outside.
        own_val: what val is, where it is not HRNet's list of people; else empty.
    """

    train: int
    val: int
    left_out: int
    outside: tuple[str, ...] = ()
    own_val: str = ""


class _Listed(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)
    image: str
    center: tuple[float, float]
    scale: float
    joints: list[tuple[float, float]]
    joints_vis: list[int]


def convert_mpii(source: Path, folder: Path) -> MpiiConversion:
    """Write the data set in `source`, with its images in `source/images`, to `folder`.

    Raises:
        UserError: neither form is there, a file of it is malformed or has a value that cannot be meant (the person is
            named), an image is missing, or `folder` holds another data set.
    """
    annot = source / "annot" if (source / "annot").is_dir() else source
    listed = all((annot / name).is_file() for name in (*FILES.values(), TRUTH))  # the usual 2,958 to evaluate on
    found = [] if listed else [annot / ORIGINAL, source / ORIGINAL]
    original = next((path for path in found if path.is_file()), None)
    if original is not None:
        people, own_val = _by_split(read_original(original), annot / FILES["val"])
    else:
        own_val = ""
        people = {split: read_listed(annot / name) for split, name in FILES.items()}
        people["val"] = with_heads(people["val"], annot / TRUTH)
    usable = {split: [one for one in some if _usable(one)] for split, some in people.items()}
    names = sorted({one.image for some in usable.values() for one in some})
    sizes = {name: _size(source / "images" / name) for name in names}
    shown = {split: [one for one in some if _in_image(one, sizes[one.image])] for split, some in usable.items()}
    write_folder(folder, {split: _annotations(some, sizes) for split, some in shown.items()}, source / "images")
    return MpiiConversion(
        len(shown["train"]),
        len(shown["val"]),
        sum(len(people[split]) - len(usable[split]) for split in people),
        tuple(one.image for split, some in usable.items() for one in some if not _in_image(one, sizes[one.image])),
        own_val,
    )


def crop_box(center: tuple[float, float], scale: float) -> tuple[float, float, float, float]:
    """(x, y, w, h) of what the crop rule enlarges, pixels counted from 0, of a centre counted from 1."""
    side = PIXELS_PER_SCALE * scale
    x, y = center[0] - ORIGIN, center[1] + DOWN * scale - ORIGIN
    return x - side / 2, y - side / 2, side, side


def read_listed(path: Path) -> list[MpiiPerson]:
    """The people of one of HRNet's JSON files.

    Raises:
        UserError: the file is missing or malformed (the message names the person's place), or an image's name leaves
            its folder.
    """
    content = load_json(path)
    try:
        people = TypeAdapter(list[_Listed]).validate_python(content)
    except ValidationError as error:
        raise UserError(f"{path}: {describe_validation(error)}") from None
    for place, one in enumerate(people):
        require_inside(one.image, path)
        if (len(one.joints), len(one.joints_vis)) != (MPII_16.num_keypoints,) * 2 or not set(one.joints_vis) <= {0, 1}:
            raise UserError(f"{path}: person {place}: joints and joints_vis (0 or 1) must be 16, got {one.joints_vis}")
    return [
        MpiiPerson(
            f"{path}: person {place} ({one.image})",
            one.image,
            one.center,
            one.scale,
            np.array(one.joints),
            2 * np.array(one.joints_vis),
        )
        for place, one in enumerate(people)
    ]


def with_heads(people: list[MpiiPerson], path: Path) -> list[MpiiPerson]:
    """People of valid.json with the head boxes of gt_valid.mat.

    Raises:
        UserError: the file is missing, its labels are not those of these people, or a head box is none.
    """
    truth = read_mat(path)
    names = ("jnt_missing", "pos_gt_src", "headboxes_src")
    missing, points, heads = (np.asarray(truth.get(name, ())) for name in names)
    shapes = [(16, len(people)), (16, 2, len(people)), (2, 2, len(people))]
    if [one.shape for one in (missing, points, heads)] != shapes:
        raise UserError(f"{path}: jnt_missing, pos_gt_src and headboxes_src must be of {len(people)} people, {shapes}")
    for place, one in enumerate(people):
        labelled = one.visibility > 0
        apart = np.abs(points[:, :, place] - one.joints)[labelled].max(initial=0)
        if apart > SAME_WITHIN or (labelled == (missing[:, place] > 0)).any():
            raise UserError(f"{path}: the labels of person {place} are not those of {FILES['val']} ({one.image})")
    return [
        one._replace(head_box=_head_box(heads[:, :, place].ravel().tolist(), f"{path}: person {place} ({one.image})"))
        for place, one in enumerate(people)
    ]


def _head_box(corners: list[float], source: str) -> tuple[float, ...]:
    """(left, top, right, bottom) of two opposite corners (x, y), whichever comes first: PCKh takes their distance."""
    low, high = np.sort(np.reshape(corners, (2, 2)), axis=0)
    if not (np.isfinite(corners).all() and (low < high).all()):
        raise UserError(f"{source}: head box must have two corners (x, y, x, y) with an area between, got {corners}")
    return *low.tolist(), *high.tolist()


def read_original(path: Path) -> list[MpiiPerson]:
    """The labelled people of the original file's training images.

    Raises:
        UserError: the file is none of that kind, an image's name leaves its folder, or a joint or a head box is none.
    """
    content = read_mat(path, struct_as_record=False, squeeze_me=True)
    try:
        release = content["RELEASE"]
        images, training = np.atleast_1d(release.annolist), np.atleast_1d(release.img_train)
        found = [
            _original_person(path, image, place, one)
            for image, train in zip(images, training, strict=True)
            if train
            for place, one in enumerate(np.atleast_1d(image.annorect))
            if _there(one, "annopoints") and _there(one.annopoints, "point")
        ]
    except UserError:
        raise
    except (KeyError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not MPII's annotations: {first_line(error)}") from None
    for person in found:
        require_inside(person.image, path)
    return found


def _original_person(path: Path, image: Any, number: int, one: Any) -> MpiiPerson:
    name = str(image.image.name)
    source = f"{path}: person {number} of {name}"
    joints, visibility = np.zeros((16, 2)), np.zeros(16, np.int64)
    for point in np.atleast_1d(one.annopoints.point):
        if float(point.id) not in range(16):
            raise UserError(f"{source}: id of a joint must be 0 to 15, got {point.id}")
        joint = int(point.id)
        joints[joint] = point.x, point.y
        if not np.isfinite(joints[joint]).all():
            raise UserError(f"{source}: joint {joint} must lie at two numbers, got {point.x}, {point.y}")
        hidden = _there(point, "is_visible") and int(point.is_visible) == 0  # of neck and head it says nothing
        visibility[joint] = 1 if hidden else 2
    place = (float(one.objpos.x), float(one.objpos.y)) if _there(one, "objpos") else (-1.0, -1.0)
    scale = float(one.scale) if _there(one, "scale") else 0.0
    head = [float(getattr(one, side)) if _there(one, side) else float("nan") for side in ("x1", "y1", "x2", "y2")]
    video = int(image.vidx) if _there(image, "vidx") else None
    return MpiiPerson(source, name, place, scale, joints, visibility, _head_box(head, source), video)


def _there(of: Any, name: str) -> bool:
    return np.size(getattr(of, name, ())) > 0


def _usable(one: MpiiPerson) -> bool:
    return one.scale > 0 and one.center[0] != -1 and bool((one.visibility > 0).any())


def _in_image(one: MpiiPerson, size: tuple[int, int]) -> bool:
    """Whether a labelled joint lies in or near the image of (height, width)."""
    joints = one.joints[one.visibility > 0] - ORIGIN
    return not bool(far_outside(joints, np.array(size[::-1], np.float64)).all())


def _by_split(people: list[MpiiPerson], listed: Path) -> tuple[dict[Split, list[MpiiPerson]], str]:
    """The people of each split, and what val is."""
    if listed.is_file():
        val, own = frozenset(one.image for one in read_listed(listed)), f"everybody on the images of {listed.name}"
    else:
        val = val_images({one.image: one.video for one in people})
        own = f"one in {VAL_SHARE} images, whole videos where the file says which, by this project's rule"
    return {split: [one for one in people if (one.image in val) == (split == "val")] for split in FILES}, own


def val_images(videos: Mapping[str, int | None]) -> frozenset[str]:
    """The images of the val split where nothing names them: whole videos until a tenth of the images is reached.

    They are taken by the SHA-256 of their index, an image of none by that of its name.

    Args:
        videos: of every image, by name.
    """
    frames: dict[str, list[str]] = {}
    for name, video in videos.items():
        frames.setdefault(name if video is None else f"video {video}", []).append(name)
    val: list[str] = []
    for key in sorted(frames, key=lambda key: hashlib.sha256(f"mpii {key}".encode()).digest()):
        if len(val) < max(1, len(videos) // VAL_SHARE):
            val += frames[key]
    return frozenset(val)


def _annotations(people: list[MpiiPerson], sizes: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """A split's annotation file; people are numbered from 1 in their order, images in that of their names.

    Args:
        sizes: (height, width) of the images, by name.
    """
    numbers = {name: number for number, name in enumerate(sorted({one.image for one in people}), 1)}
    images = [
        {"id": number, "file_name": name, "height": sizes[name][0], "width": sizes[name][1]}
        for name, number in numbers.items()
    ]
    info = {"description": "MPII Human Pose, converted by poseur data convert mpii", "exif_orientation": "ignored"}
    entries = [_entry(place, one, numbers[one.image], sizes[one.image]) for place, one in enumerate(people, 1)]
    return {"info": info, "categories": [category_entry(MPII_16)], "images": images, "annotations": entries}


def _entry(number: int, one: MpiiPerson, image_id: int, size: tuple[int, int]) -> dict[str, Any]:
    entry = person_entry(number, image_id, one.joints - ORIGIN, one.visibility, size)
    entry["crop_box"] = [round(value, 4) for value in crop_box(one.center, one.scale)]
    if one.head_box is not None:
        entry["head_box"] = [round(value - ORIGIN, 4) for value in one.head_box]
    problem = annotation_problem(entry, {image_id}, MPII_16.num_keypoints)
    if problem:
        raise UserError(f"{one.source}, with centre {list(one.center)} and scale {one.scale:g}: {problem}")
    return entry


def _size(path: Path) -> tuple[int, int]:
    head = head_of_file(path)
    if head is None:
        raise UserError(f"{path}: image is missing or cannot be read")
    return head.height, head.width
