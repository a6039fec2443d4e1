"""What a data set folder holds, and what is wrong with it (`poseur data check DIR`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poseur_lib.data.annotations import (
    dataset_problems,
    detection_problems,
    load_annotations,
    load_json,
    person_category,
)
from poseur_lib.data.coco import SPLITS, Split, annotation_path, clip_box, detection_path, mismatch
from poseur_lib.data.images import read_image
from poseur_lib.errors import UserError
from poseur_lib.keypoints import COCO_17, KeypointSet

SHOWN_PROBLEMS = 20


@dataclass(frozen=True)
class SplitReport:
    """One split, counted.

    Attributes:
        images, images_missing: listed in the annotation file; of these not in the folder.
        people: annotations that training takes.
        unlabelled, crowds: annotations that it leaves out (no labelled keypoint or empty box; crowd).
        labelled_keypoints, hidden_keypoints: of `people`, visibility 1 or 2; of these visibility 1.
        detections: entries of the data set's own detector file; None without one.
        images_read: how many image files were decoded for this report.
    """

    split: Split
    images: int
    images_missing: int
    people: int
    unlabelled: int
    crowds: int
    labelled_keypoints: int
    hidden_keypoints: int
    detections: int | None
    images_read: int

    def lines(self) -> list[str]:
        """For a terminal."""
        share = 100 * self.hidden_keypoints / max(1, self.labelled_keypoints)
        detections = "none" if self.detections is None else f"{self.detections} boxes"
        return [
            f"{self.split}: {self.images} images ({self.images_missing} missing, {self.images_read} read)",
            f"  people {self.people} labelled, {self.unlabelled} left out (no keypoint or empty box), "
            f"{self.crowds} crowds",
            f"  keypoints {self.labelled_keypoints} labelled, {share:.1f} % of them hidden",
            f"  detector file {detections}",
        ]


@dataclass(frozen=True)
class DatasetReport:
    """What a folder holds. `problems` are one line each and name file and entry."""

    root: Path
    splits: tuple[SplitReport, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the folder can be used as it is."""
        return not self.problems

    def lines(self) -> list[str]:
        """For a terminal; of many problems the first ones and their number."""
        lines = [f"data set {self.root}"]
        for split in self.splits:
            lines += split.lines()
        lines.append(f"problems: {len(self.problems) or 'none'}")
        lines += [f"  {problem}" for problem in self.problems[:SHOWN_PROBLEMS]]
        if len(self.problems) > SHOWN_PROBLEMS:
            lines.append(f"  ... and {len(self.problems) - SHOWN_PROBLEMS} more")
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())


def check_dataset(
    root: Path, keypoints: KeypointSet = COCO_17, check_images: bool = False, limit: int | None = None
) -> DatasetReport:
    """Look through both splits of a folder.

    Args:
        keypoints: the keypoint set that the files should have.
        check_images: decode the images, and compare their sizes with the annotation file.
        limit: decode only that many of each split, the first ones; all if None.

    Raises:
        UserError: the folder is missing. All else that is wrong is listed in the report.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such data set folder")
    splits, problems = [], []
    for split in SPLITS:
        try:
            report, found = _check_split(root, split, keypoints, check_images, limit)
        except UserError as error:
            report, found = None, [str(error)]
        problems += found
        splits += [report] if report else []
    return DatasetReport(root, tuple(splits), tuple(problems))


def _check_split(
    root: Path, split: Split, keypoints: KeypointSet, check_images: bool, limit: int | None
) -> tuple[SplitReport | None, list[str]]:
    """The counts (None where bad entries forbid counting) and the problems of a split whose file can be read."""
    path = annotation_path(root, split)
    dataset = load_annotations(path)
    category_id, num_keypoints = person_category(dataset, path)
    problems = [f"{path}: {problem}" for problem in dataset_problems(dataset, category_id, num_keypoints)]
    countable = not problems
    if num_keypoints != keypoints.num_keypoints:
        problems.insert(0, mismatch(path, num_keypoints, keypoints))
    missing, damaged, images_read = _image_problems(root / f"{split}2017", dataset, check_images, limit)
    detections, detector_problems = _detections(detection_path(root, split), dataset)
    problems += [*missing, *damaged, *detector_problems]
    if not countable:
        return None, problems
    people, unlabelled, crowds, labelled, hidden = _count_people(dataset, category_id)
    return SplitReport(split, len(dataset["images"]), len(missing), people, unlabelled, crowds, labelled, hidden,
                       detections, images_read), problems  # fmt: skip


def _count_people(dataset: dict[str, Any], category_id: int) -> tuple[int, int, int, int, int]:
    """People, left out, crowds; and of the people labelled and hidden keypoints."""
    images = {image["id"]: image for image in dataset["images"]}
    people = unlabelled = crowds = labelled_keypoints = hidden_keypoints = 0
    for entry in dataset["annotations"]:
        if entry.get("category_id", category_id) != category_id:
            continue
        visibility = entry["keypoints"][2::3]
        labelled = sum(value > 0 for value in visibility)
        if entry.get("iscrowd", 0):
            crowds += 1
        elif not labelled or entry["area"] <= 0 or clip_box(entry["bbox"], images[entry["image_id"]]) is None:
            unlabelled += 1
        else:
            people += 1
            labelled_keypoints += labelled
            hidden_keypoints += sum(value == 1 for value in visibility)
    return people, unlabelled, crowds, labelled_keypoints, hidden_keypoints


def _image_problems(
    folder: Path, dataset: dict[str, Any], check_images: bool, limit: int | None
) -> tuple[list[str], list[str], int]:
    """Missing files, damaged files, and how many were decoded."""
    images = [image for image in dataset["images"] if isinstance(image.get("file_name"), str)]
    there = [(folder / image["file_name"]).is_file() for image in images]
    found = [image for image, exists in zip(images, there, strict=True) if exists]
    missing = [f"{folder / image['file_name']}: no such image (image {image.get('id')})"
               for image, exists in zip(images, there, strict=True) if not exists]  # fmt: skip
    to_read = found[:limit] if check_images else []
    return missing, [problem for image in to_read for problem in _damage(folder, image)], len(to_read)


def _damage(folder: Path, image: dict[str, Any]) -> Iterator[str]:
    path = folder / image["file_name"]
    try:
        height, width = read_image(path).shape[:2]
    except UserError as error:
        yield str(error)
        return
    if (height, width) != (image.get("height"), image.get("width")):
        yield (f"{path}: image is {width} x {height}, but the annotation file says "
               f"{image.get('width')} x {image.get('height')} (image {image.get('id')})")  # fmt: skip


def _detections(path: Path, dataset: dict[str, Any]) -> tuple[int | None, list[str]]:
    """Number of entries (None without a file) and what is wrong with them."""
    if not path.exists():
        return None, []
    try:
        entries = load_json(path)
    except UserError as error:
        return None, [str(error)]
    problems = [f"{path}: {problem}" for problem in detection_problems(entries)]
    if problems:
        return None, problems
    image_ids = {image.get("id") for image in dataset["images"]}
    strangers = [entry["image_id"] for entry in entries if entry["image_id"] not in image_ids]
    if strangers:
        problems.append(f"{path}: {len(strangers)} detections on images that are not in the split, first image "
                        f"{strangers[0]}")  # fmt: skip
    return len(entries), problems
