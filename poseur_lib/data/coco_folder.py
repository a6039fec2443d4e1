"""Writing people who are known by their joints alone as a folder in COCO's layout.

Without person masks and boxes, a box is that of the labelled joints, with `BOX_MARGIN` of its longer side on each side,
cut to the image unless it lies beside it; the area that OKS takes is `AREA_SHARE` of the box.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Integer
from scipy.io import loadmat

from poseur_lib.data.annotation_file import AREA_SHARE
from poseur_lib.data.box_convention import COCO_PERSON
from poseur_lib.data.coco import Split, annotation_path
from poseur_lib.data.image_digests import record_images
from poseur_lib.errors import UserError, first_line, shown
from poseur_lib.files import atomic_file, leaves_folder, write_atomically
from poseur_lib.keypoints import KeypointSet

BOX_MARGIN = 0.1  # of the longer side of the joints' box: they end at wrists, ankles and the head's top
LEAST_SIDE = 1.0  # pixels: the joints may be one, and who has an empty box counts as nobody


def read_mat(path: Path, **how: Any) -> dict[str, Any]:
    """The content of a file of Matlab's, as SciPy's `loadmat` gives it.

    Raises:
        UserError: there is no such file, or it cannot be read.
    """
    if not path.exists():  # of which SciPy says that it "needs file name or open file-like object"
        raise UserError(f"{path}: no such file")
    try:
        return loadmat(path, **how)
    except Exception as error:  # of a damaged file also zlib's, struct's and SciPy's own, which have no common one
        raise UserError(f"{path}: cannot be read: {first_line(error)}") from None


def category_entry(keypoints: KeypointSet, category_id: int = COCO_PERSON) -> dict[str, Any]:
    """COCO's category of people who are labelled with a keypoint set; its skeleton counts from 1."""
    return {
        "id": category_id,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(keypoints.names),
        "skeleton": [[a + 1, b + 1] for a, b in keypoints.skeleton],
    }


def person_entry(
    number: int,
    image_id: int,
    points: Float[np.ndarray, "K 2"],
    visibility: Integer[np.ndarray, " K"],
    image_size: tuple[int, int],
) -> dict[str, Any]:
    """The annotation of a person whose joints lie at (x, y) in pixels of an image of (height, width)."""
    box = box_of_joints(points[visibility > 0], image_size)
    triples = np.where(visibility[:, None] > 0, np.column_stack([points.round(2), visibility]), 0)
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [round(value, 2) for value in box],
        "area": round(AREA_SHARE * box[2] * box[3], 2),
        "num_keypoints": int((visibility > 0).sum()),
        "keypoints": [int(value) if value == int(value) else float(value) for value in triples.ravel()],
    }


def box_of_joints(points: Float[np.ndarray, "L 2"], image_size: tuple[int, int]) -> tuple[float, float, float, float]:
    """(x, y, w, h) around joints with the margin, all in pixels of an image of (height, width).

    It is cut to the image where `LEAST_SIDE` is left of it, and is no smaller elsewhere.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.maximum(BOX_MARGIN * (high - low).max(), (LEAST_SIDE - (high - low)) / 2)
    low, high = low - margin, high + margin
    cut = np.maximum(low, 0), np.minimum(high, image_size[::-1])
    if (cut[1] - cut[0] >= LEAST_SIDE).all():
        low, high = cut
    x, y, width, height = (float(value) for value in (*low, *(high - low)))
    return x, y, width, height


def require_inside(name: str, where: Path) -> None:
    """Check the name of an image that the file `where` gives.

    Raises:
        UserError: it would lie outside the folder of images.
    """
    if leaves_folder(name):
        raise UserError(f"{where}: image {shown(name)} would lie outside the folder of images")


def write_folder(folder: Path, files: Mapping[Split, dict[str, Any]], images: Path) -> None:
    """Write annotation files and the images that they name, which lie in `images`; the annotation files come last.

    Images are hard links where the file system has them, else copies.

    Raises:
        UserError: `folder` holds another data set, or an image would lie outside it; then nothing is written.
    """
    for split, of_split in files.items():
        for image in of_split["images"]:
            require_inside(image["file_name"], annotation_path(folder, split))
    contents = {annotation_path(folder, split): _bytes(content) for split, content in files.items()}
    for path, content in contents.items():
        if path.exists() and (not path.is_file() or path.read_bytes() != content):
            raise UserError(f"{path} is there and is another data set: choose another folder")
    for split, of_split in files.items():
        for image in of_split["images"]:
            _place(images / image["file_name"], folder / f"{split}2017" / image["file_name"])
    record_images(folder)
    for path, content in contents.items():
        write_atomically(path, content)


def _bytes(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _place(image: Path, there: Path) -> None:
    if there.exists() and there.stat().st_size == image.stat().st_size:
        return
    there.unlink(missing_ok=True)
    there.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(image.resolve(), there)
    except OSError:  # another file system, or one without links
        with atomic_file(there) as temporary:
            shutil.copyfile(image, temporary)
