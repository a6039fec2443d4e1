"""The people of a folder in COCO's layout: `annotations/*.json` beside `train2017/` and `val2017/`."""

import contextlib
import copy
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from pycocotools.coco import COCO

from poseur_lib.config.data import Split
from poseur_lib.data.annotation_file import read_annotation_file, say_once
from poseur_lib.data.annotations import load_annotations, load_json, no_collection, person_category
from poseur_lib.data.box_convention import detector_boxes, overlap_note
from poseur_lib.data.images import LabelFrame
from poseur_lib.data.keypoint_file import IN_FOLDER
from poseur_lib.errors import UserError, naming
from poseur_lib.files import file_sha256
from poseur_lib.keypoints import KeypointSet

SPLITS: tuple[Split, ...] = ("train", "val")
BARE_SHARE = 0.05
"""Of the images may be without a box and without a word: there may be nobody on them."""


@dataclass(frozen=True, eq=False)
class Person:
    """One box to crop: a labelled person, or a detection (then the labels and the annotation's id are None).

    Attributes:
        box: (x, y, w, h) in image pixels.
        bbox_score: the detector's score; 1 for a labelled person.
        keypoints_image: (x, y) in image pixels; (0, 0) where not labelled.
        visibility: 0 not labelled, 1 labelled but hidden, 2 visible.
        area: the annotation's area in square image pixels (of the person's mask), which OKS uses.
        image_size: (height, width) that the annotation file says; None where it is not known before the image is read.
        label_frame: what box and labels are of, where the image has an EXIF orientation.
        head_box: (left, top, right, bottom) in image pixels, where the data set has one: it is judged by PCKh.
    """

    image_id: int
    image_path: Path
    box: tuple[float, float, float, float]
    bbox_score: float = 1.0
    annotation_id: int | None = None
    keypoints_image: Float[np.ndarray, "K 2"] | None = None
    visibility: Int[np.ndarray, "K"] | None = None
    area: float | None = None
    image_size: tuple[int, int] | None = None
    label_frame: LabelFrame = "unsaid"
    head_box: tuple[float, float, float, float] | None = None


class Labels(NamedTuple):
    """The labels of N people; the fields as those of `Person`."""

    keypoints_image: Float[np.ndarray, "N K 2"]
    visibility: Int[np.ndarray, "N K"]
    area: Float[np.ndarray, "N"]


def labels_of(people: Sequence[Person]) -> Labels:
    """The labels of people, of whom there must be one.

    Raises:
        ValueError: one of them is a detection.
    """
    labels = [
        (one.keypoints_image, one.visibility, one.area)
        for one in people
        if one.keypoints_image is not None and one.visibility is not None and one.area is not None
    ]
    if len(labels) != len(people):
        raise ValueError(f"people must be labelled, but {len(people) - len(labels)} are detections")
    points, visibility, area = zip(*labels, strict=True)
    return Labels(np.stack(points), np.stack(visibility), np.array(area, np.float64))


class CocoPeople:
    """One split of a data set, indexed with pycocotools and checked.

    Attributes:
        coco: the pycocotools index, for evaluation.
        category_id: the category that has the keypoints (1 in COCO).
        known_categories: the ids of all categories of the file.
        others: annotations of other categories.

    Raises:
        UserError: folder or annotation file missing, malformed JSON, a bad entry (named by its id), or keypoints other
            than the keypoint set's.
    """

    def __init__(self, root: Path, split: Split, keypoints: KeypointSet) -> None:
        if not root.is_dir():
            raise UserError(f"{root}: no such data set folder")
        self.root, self.split, self.keypoints = root, split, keypoints
        path = annotation_path(root, split)
        with no_collection(), naming(path):
            file = read_annotation_file(path, keypoints)
            for problem in file.problems:
                raise UserError(f"{file.path}: {problem}")
            self.coco = index(file.dataset, file.category_id)
        file.say()
        self.category_id, self.label_frame = file.category_id, file.label_frame
        self.known_categories = [category.get("id") for category in file.dataset["categories"]]
        self.others = len(file.dataset["annotations"]) - len(self.coco.dataset["annotations"])

    @property
    def image_folder(self) -> Path:
        """Where the images of the split lie."""
        return self.root / f"{self.split}2017"

    @property
    def image_ids(self) -> list[int]:
        """Of all images, in ascending order."""
        return sorted(self.coco.getImgIds())

    @property
    def has_heads(self) -> bool:
        """Whether its people have head boxes, so that they are judged by PCKh."""
        return any("head_box" in entry for entry in self.coco.dataset["annotations"])

    @property
    def generated(self) -> bool:
        """Whether they are people that this project made, who are no evidence of real ones."""
        return any("poseur_people" in entry for entry in self.coco.dataset["annotations"])

    def people(self) -> list[Person]:
        """The labelled people as COCO top-down training takes them.

        Crowds, people without labelled keypoints, and boxes that are empty once clipped to the image are left out.
        Order: images, then annotations, as in the file.

        Raises:
            UserError: that leaves nobody.
        """
        self.require_people()
        with no_collection():
            return [self._person(entry, box) for entry, box in self._labelled()]

    def require_people(self) -> None:
        """Check that there is somebody to find.

        Raises:
            UserError: nobody is left; the message says by which filter.
        """
        if next(self._labelled(), None) is None:
            raise UserError(f"{annotation_path(self.root, self.split)}: {nobody(self.coco.dataset, self.others)}")

    def _labelled(self) -> Iterator[tuple[dict[str, Any], tuple[float, float, float, float]]]:
        for image_id in self.coco.getImgIds():
            ids = self.coco.getAnnIds(imgIds=image_id, catIds=self.category_id, iscrowd=False)
            for entry in self.coco.loadAnns(ids):
                box = box_of_labelled(entry, self.coco.imgs[image_id])
                if box is not None:
                    yield entry, box

    def _person(self, entry: dict[str, Any], box: tuple[float, float, float, float]) -> Person:
        points = np.array(entry["keypoints"], np.float32).reshape(-1, 3)
        visibility = points[:, 2].astype(np.int64)
        return Person(
            image_id=entry["image_id"],
            image_path=self._image_path(entry["image_id"]),
            box=box,
            annotation_id=entry["id"],
            keypoints_image=np.where(visibility[:, None] > 0, points[:, :2], np.float32(0)),
            visibility=visibility,
            area=float(entry["area"]),
            image_size=self._image_size(entry["image_id"]),
            label_frame=self.label_frame,
            head_box=to_box(entry["head_box"]) if "head_box" in entry else None,
        )

    def detections(self, path: Path | None = None) -> list[Person]:
        """The boxes of a detector's COCO results file, people only, on this split's images; boxes are not clipped.

        It is said where many of the images have none.

        Args:
            path: the file; `annotations/person_detections_{split}2017.json` of the data set if None.

        Raises:
            UserError: file missing or malformed, a bad entry (named by its position), or no detection on these images.
        """
        path = detection_path(self.root, self.split) if path is None else path
        images = ListedImages(
            self.image_folder, self.coco.imgs, self.category_id, self.known_categories, self.label_frame
        )
        people = detected_people(path, images, self.split, self.coco.dataset["annotations"])
        bare = self.coco.imgs.keys() - {person.image_id for person in people}
        if len(bare) > BARE_SHARE * len(self.coco.imgs):
            labelled = sum(any(one["num_keypoints"] for one in self.coco.imgToAnns.get(image, ())) for image in bare)
            say_once(
                f"{path}: no box on {len(bare):,} of the {len(self.coco.imgs):,} images of {self.split},"
                f" {labelled:,} of them with labelled people, who count as missed"
            )
        return people

    def on_images(self, image_ids: set[int]) -> "CocoPeople":
        """The people of some of the images, and their ground truth alone."""
        dataset = self.coco.dataset
        part = copy.copy(self)
        images = [image for image in dataset["images"] if image["id"] in image_ids]
        annotations = [entry for entry in dataset["annotations"] if entry["image_id"] in image_ids]
        part.coco = index({**dataset, "images": images, "annotations": annotations}, self.category_id)
        return part

    def _image_path(self, image_id: int) -> Path:
        return self.image_folder / self.coco.imgs[image_id]["file_name"]

    def _image_size(self, image_id: int) -> tuple[int, int]:
        image = self.coco.imgs[image_id]
        return int(image["height"]), int(image["width"])


class ListedImages(NamedTuple):
    """Images of a file, labelled or not: where they lie, their entries by id, and the ids of the file's categories."""

    folder: Path
    entries: Mapping[int, dict[str, Any]]
    category_id: int
    known_categories: list[Any]
    label_frame: LabelFrame = "unsaid"


def detected_people(
    path: Path, images: ListedImages, split: str, annotations: Sequence[dict[str, Any]] = ()
) -> list[Person]:
    """The boxes of a detector's COCO results file on some images, people only; boxes are not clipped.

    Args:
        split: what the images are called in messages.
        annotations: of the images, which tell boxes of another frame.

    Raises:
        UserError: file missing or malformed, a bad entry (named by its position), or no detection on these images.
    """
    sizes = {image_id: (int(one["height"]), int(one["width"])) for image_id, one in images.entries.items()}
    found = detector_boxes(load_json(path), images.category_id, sizes, images.known_categories)
    for problem in found.problems:
        raise UserError(f"{path}: {problem}")
    people = [
        Person(
            image_id=entry["image_id"],
            image_path=images.folder / images.entries[entry["image_id"]]["file_name"],
            box=to_box(entry["bbox"]),
            bbox_score=float(entry["score"]),
            image_size=sizes[entry["image_id"]],
            label_frame=images.label_frame,
        )
        for _, entry in found.people
        if entry["image_id"] in sizes and min(entry["bbox"][2:]) > 0
    ]
    if not people:
        said = f" ({'; '.join(found.notes)})" if found.notes else ""
        raise UserError(f"{path}: no detection of a person on the {len(sizes)} images of {split}{said}")
    doubt = overlap_note([entry for _, entry in found.people], annotations) if annotations else None
    elsewhere = sum(entry["image_id"] not in sizes for _, entry in found.people)
    empty = [position for position, entry in found.people if not min(entry["bbox"][2:])]
    left_out = f"{elsewhere} boxes on images that are not in the split are left out" if elsewhere else None
    no_area = f"{len(empty)} without width or height are left out, first detection {empty[0]}" if empty else None
    for note in filter(None, (*found.notes, doubt, left_out, no_area)):
        say_once(f"{path}: {note}")
    return people


def fingerprint(root: Path) -> str:
    """What a data set holds, as 16 hexadecimal digits that do not depend on where it lies.

    It covers the annotation and detector files of both splits byte by byte (image names and sizes are in them), not
    the images themselves; a file that is missing counts as such. Beside annotations that do not name their keypoints,
    it covers the folder's keypoint file, which says the order of the labels.
    """
    digest = hashlib.sha256()
    for path in [place(root, split) for split in SPLITS for place in (annotation_path, detection_path)]:
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
        digest.update(f"{path.name} {content}\n".encode())
    files = [root / name for name in IN_FOLDER if (root / name).is_file()]
    if files and any(_names_nothing(annotation_path(root, split)) for split in SPLITS):
        for path in files:
            digest.update(f"{path.name} {file_sha256(path)}\n".encode())
    return digest.hexdigest()[:16]


def _names_nothing(path: Path) -> bool:
    """Whether annotations do not say what their keypoints are; False of what cannot be read, as its reader says."""
    with contextlib.suppress(UserError), naming(path), no_collection():
        return not person_category(load_annotations(path), path)[1]
    return False


def annotation_path(root: Path, split: Split) -> Path:
    """COCO's keypoint annotation file of a split."""
    return root / "annotations" / f"person_keypoints_{split}2017.json"


def detection_path(root: Path, split: Split) -> Path:
    """The data set's own detector file of a split."""
    return root / "annotations" / f"person_detections_{split}2017.json"


def nobody(dataset: dict[str, Any], others: int) -> str:
    """Which filters leave nobody of the annotations of the people's category, beside `others` of other ones."""
    images, entries = {image["id"]: image for image in dataset["images"]}, dataset["annotations"]
    people = [entry for entry in entries if not entry["iscrowd"]]
    labelled = [entry for entry in people if entry["num_keypoints"] > 0]
    empty = sum(clip_box(entry["bbox"], images[entry["image_id"]]) is None for entry in labelled)
    return (
        f"nobody is left of {len(entries) + others} annotations on {len(images)} images: {others} are of other "
        f"categories, {len(entries) - len(people)} crowds, {len(people) - len(labelled)} without a labelled keypoint "
        f"(visibility 1 or 2), {empty} with a box that is empty or outside the image"
    )


def index(dataset: dict[str, Any], category_id: int) -> COCO:
    """A pycocotools index over one category and its annotations, as `read_annotation_file` gives them."""
    annotations = [
        {**entry, "category_id": category_id}
        for entry in dataset["annotations"]
        if entry.get("category_id", category_id) == category_id
    ]
    coco = COCO()
    categories = [entry for entry in dataset["categories"] if entry.get("id") == category_id]
    coco.dataset = {"info": {}, **dataset, "categories": categories, "annotations": annotations}
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def box_of_labelled(entry: dict[str, Any], image: dict[str, Any]) -> tuple[float, float, float, float] | None:
    """The box of an annotation that is no crowd, cut to the image; None where nobody is to be found in it.

    That is an empty box, an area of 0, or a person none of whose keypoints is labelled. An annotation that says nothing
    of its area or of keypoints has only its box. One that says what to crop (`crop_box`, as MPII's centre and scale do)
    is cropped by that, beyond the image's border too.
    """
    found = entry.get("num_keypoints", 1) > 0 and entry.get("area", 1) > 0
    if found and "crop_box" in entry:
        return to_box(entry["crop_box"])
    return clip_box(entry["bbox"], image) if found else None


def to_box(values: Iterable[float]) -> tuple[float, float, float, float]:
    """Four numbers as (x, y, w, h)."""
    x, y, width, height = (float(value) for value in values)
    return x, y, width, height


def clip_box(box: list[float], image: dict[str, Any]) -> tuple[float, float, float, float] | None:
    """(x, y, w, h) cut to the image (0 .. width - 1, 0 .. height - 1), as the released code does it; None if empty."""
    x, y, width, height = box
    left, top = max(0.0, float(x)), max(0.0, float(y))
    right = min(image["width"] - 1.0, left + max(0.0, float(width)))
    bottom = min(image["height"] - 1.0, top + max(0.0, float(height)))
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None
