"""Leeds Sports Pose Extended (Johnson and Everingham, CVPR 2011) as a folder in COCO's layout.

As distributed, `joints.mat` holds `joints`, 14 x 3 x N: x, y in pixels of `images/im00001.jpg` (the first one's), and a
flag. The README calls it a visibility flag and says no more. In the data all 16,787 joints with flag 0 lie at 0 or
outside their image, none within, so the flag says labelled or not; whether a labelled joint is occluded is not known.
So visibility is 2 where the flag is 1 and 0 elsewhere, never 1.

There are no person masks and no boxes: `poseur_lib.data.coco_folder` says what stands for them. These boxes know the
labels: in both splits they are the extent of the labelled joints and a constant margin, without a detector's or an
annotator's noise. So the centre of a crop is the midpoint of the extreme joints, and where the longer side of a box
fills the crop they lie at 1/6 and 5/6 of it (margin 0.1, padding 1.25), unless the image cuts the box or augmentation
moves the crop. A head that regresses can read one coordinate of the extreme joints from the crop alone.

Images 1 to N are split by the SHA-256 of their number, a fifth for val. Neighbouring images may show one event: nothing
in the data set tells, so the split does not hold them apart.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from poseur_lib.data.coco import SPLITS
from poseur_lib.data.coco_folder import category_entry, person_entry, read_mat, write_folder
from poseur_lib.data.images import read_image
from poseur_lib.errors import UserError
from poseur_lib.keypoints import LSP_14

JOINTS_FILE = "joints.mat"
VAL_SHARE = 5
"""One image in so many is judged on: 2,000 of 10,000."""
BORDER = 0.01
"""A labelled joint may lie outside its image by this share of the longer side."""
FAR_IN = 1000
"""More than one labelled joint in so many far outside its image: these are not the images of these joints."""


class Conversion(NamedTuple):
    """What was written: images (and people) of each split, and the numbers of images with a joint left out.

    A joint is left out where it is labelled and lies far outside its image (image 8075 as distributed).
    """

    train: int
    val: int
    far: tuple[int, ...]


@dataclass(frozen=True)
class _Source:
    """The data set as it lies there.

    Attributes:
        points: (x, y) in image pixels.
        labelled: the flag.
        sizes: (height, width) of each image.
    """

    root: Path
    points: Float[np.ndarray, "N 14 2"]
    labelled: np.ndarray
    sizes: np.ndarray


def convert_lspet(source: Path, folder: Path) -> Conversion:
    """Write the data set in `source` to `folder`, images linked or copied.

    Raises:
        UserError: `joints.mat` or an image is missing, unreadable or of another shape, there are more images than
            joints, these do not lie in their images, or `folder` holds another data set.
    """
    joints = read_joints(source / JOINTS_FILE)
    wanted = {image_path(source, number) for number in range(1, len(joints) + 1)}
    if more := sorted(set((source / "images").glob("im" + 5 * "[0-9]" + ".jpg")) - wanted):
        there = f"{len(more)} more are there, first {more[0]}"
        raise UserError(f"{source / JOINTS_FILE}: joints are of {len(joints)} images, and {there}")
    sizes = np.array([read_image(image_path(source, number)).shape[:2] for number in range(1, len(joints) + 1)])
    points, labelled = joints[..., :2], joints[..., 2] > 0
    far = labelled & (distance_outside(points, sizes) > BORDER * sizes.max(axis=1)[:, None])
    if far.sum() > max(1, labelled.sum() // FAR_IN):
        number, joint = (int(value) for value in np.argwhere(far)[0])
        raise UserError(
            f"{source / JOINTS_FILE}: {far.sum()} labelled joints lie far outside their images, first index {number}: "
            f"{LSP_14.names[joint]} at {points[number, joint].round(1).tolist()} in {image_path(source, number + 1)}, "
            f"which is {sizes[number, 0]} x {sizes[number, 1]} (height x width)"
        )
    read = _Source(source, points, labelled & ~far, sizes)
    val = val_numbers(len(joints))
    files = {split: _annotations(read, [n for n in range(1, len(joints) + 1) if (n in val) == (split == "val")])
             for split in SPLITS}  # fmt: skip
    write_folder(folder, files, source / "images")
    far_images = np.flatnonzero(far.any(axis=1)) + 1
    return Conversion(len(joints) - len(val), len(val), tuple(far_images.tolist()))


def image_path(root: Path, number: int) -> Path:
    """The image of that number, 1 for the first."""
    return root / "images" / f"im{number:05d}.jpg"


def read_joints(path: Path) -> Float[np.ndarray, "N 14 3"]:
    """x, y and flag of every joint.

    Raises:
        UserError: the file is missing, no such file, of another shape or not in pixels; or a person has no labelled
            joint or one that is no number.
    """
    content = read_mat(path)
    joints = content.get("joints")
    if joints is None:
        names = [name for name in content if not name.startswith("__")]
        raise UserError(f"{path}: no matrix 'joints' in it, only {', '.join(names) or 'nothing'}")
    if joints.ndim != 3 or joints.shape[:2] != (LSP_14.num_keypoints, 3) or joints.shape[2] < VAL_SHARE:
        raise UserError(f"{path}: joints must be 14 x 3 x N (N of {VAL_SHARE} or more), got {joints.shape}")
    if joints.dtype.kind not in "biuf":
        raise UserError(f"{path}: joints must be real numbers, got {joints.dtype}")
    people = joints.transpose(2, 0, 1).astype(np.float64)
    flags = people[..., 2]
    for wrong, what in (
        (~np.isfinite(people).all(axis=(1, 2)), "a joint that is no number"),
        (~np.isin(flags, (0, 1)).all(axis=1), "a flag other than 0 and 1"),
        ((flags > 0).sum(axis=1) < 2, "fewer than two labelled joints"),
    ):
        if wrong.any():
            index = int(np.flatnonzero(wrong)[0])
            raise UserError(f"{path}: index {index} (im{index + 1:05d}.jpg) has {what}")
    if (most := people[flags > 0][:, :2].max()) <= 1:
        raise UserError(f"{path}: joints must be in pixels, and none of them lies beyond {most:.4g}")
    return people


def distance_outside(points: Float[np.ndarray, "N 14 2"], sizes: np.ndarray) -> Float[np.ndarray, "N 14"]:
    """How far joints lie outside their images, in pixels along the worse axis; negative within.

    Args:
        sizes: (height, width) of each image.
    """
    return np.maximum(-points, points - sizes[:, None, ::-1]).max(axis=-1)


def val_numbers(images: int) -> frozenset[int]:
    """The numbers of the val split, of images 1 to `images`: the fifth whose numbers have the smallest SHA-256."""
    digests = {number: hashlib.sha256(f"lspet {number}".encode()).digest() for number in range(1, images + 1)}
    return frozenset(sorted(digests, key=lambda number: digests[number])[: images // VAL_SHARE])


def _annotations(source: _Source, numbers: list[int]) -> dict[str, Any]:
    """A split's annotation file; the id of an image and of its person is the image's number."""
    images = [
        {"id": number, "file_name": image_path(source.root, number).name,
         "height": int(source.sizes[number - 1, 0]), "width": int(source.sizes[number - 1, 1])}
        for number in numbers
    ]  # fmt: skip
    info = {"description": "Leeds Sports Pose Extended, converted by poseur data convert lspet"}
    people = [_person(source, number) for number in numbers]
    return {"info": info, "categories": [category_entry(LSP_14)], "images": images, "annotations": people}


def _person(source: _Source, number: int) -> dict[str, Any]:
    points, labelled = source.points[number - 1], source.labelled[number - 1]
    return person_entry(number, number, points, 2 * labelled, tuple(source.sizes[number - 1].tolist()))
