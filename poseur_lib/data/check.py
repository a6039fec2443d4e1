"""What a data set folder holds, and what is wrong with it (`poseur data check DIR`)."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poseur_lib.data.annotation_file import AnnotationFile, read_annotation_file
from poseur_lib.data.annotations import detection_problems, image_problem, load_json
from poseur_lib.data.box_convention import detector_boxes, overlap_note
from poseur_lib.data.coco import SPLITS, Split, annotation_path, box_of_labelled, detection_path, index, nobody
from poseur_lib.data.image_digests import changed_files, read_digests
from poseur_lib.data.images import LabelFrame, read_labelled_image
from poseur_lib.errors import UserError, shown
from poseur_lib.keypoints import KeypointSet

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
    """What a folder holds. `problems` and `notes` are one line each and name file and entry.

    Attributes:
        notes: what was assumed or computed, where a file does not say it or contradicts itself.
    """

    root: Path
    splits: tuple[SplitReport, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the folder can be used as it is."""
        return not self.problems

    def lines(self) -> list[str]:
        """For a terminal; of many problems the first ones and their number."""
        lines = [f"data set {self.root}"]
        for split in self.splits:
            lines += split.lines()
        lines += [f"note: {note}" for note in self.notes]
        lines.append(f"problems: {len(self.problems) or 'none'}")
        lines += [f"  {problem}" for problem in self.problems[:SHOWN_PROBLEMS]]
        if len(self.problems) > SHOWN_PROBLEMS:
            lines.append(f"  ... and {len(self.problems) - SHOWN_PROBLEMS} more")
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())


def check_dataset(
    root: Path, keypoints: KeypointSet | None = None, check_images: bool = False, limit: int | None = None
) -> DatasetReport:
    """Look through both splits of a folder.

    Args:
        keypoints: the keypoint set that both files should have; None: the built-in one whose names the first file that
            can be read has, else COCO's.
        check_images: decode the images, compare their sizes with the annotation file, and all of them with the
            digests of `images.json` where the folder has it.
        limit: decode only that many of each split, the first ones; all if None.

    Raises:
        UserError: the folder is missing. All else that is wrong is listed in the report.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such data set folder")
    splits, problems, notes = [], [], []
    for split in SPLITS:
        try:
            file = read_annotation_file(annotation_path(root, split), keypoints)
            keypoints = file.keypoints
            report, found, said = _check_split(root, split, file, check_images, limit)
        except UserError as error:
            report, found, said = None, [str(error)], []
        problems += found
        notes += said
        splits += [report] if report else []
    if check_images:
        problems += _changes(root, problems)
    return DatasetReport(root, tuple(splits), tuple(problems), tuple(notes))


def _changes(root: Path, known: list[str]) -> Iterator[str]:
    """Images that are not what they were when `images.json` was written, but for those with a known problem."""
    try:
        digests = read_digests(root)
    except UserError as error:
        yield str(error)
        return
    for name, what in changed_files(root, digests or {}):
        if not any(problem.startswith(f"{root / name}:") for problem in known):
            yield f"{root / name}: {what}"


def _check_split(
    root: Path, split: Split, file: AnnotationFile, check_images: bool, limit: int | None
) -> tuple[SplitReport | None, list[str], list[str]]:
    """The counts (None where bad entries forbid counting), the problems and the notes of a split that can be read."""
    problems = [f"{file.path}: {problem}" for problem in file.problems]
    notes = [f"{file.path}: {note}" for note in file.notes]
    missing, damaged, images_read = _image_problems(root / f"{split}2017", file, check_images, limit)
    path = detection_path(root, split)
    detections, detector_problems, detector_notes = _detections(path, file)
    notes += [f"{path}: {note}" for note in detector_notes]
    problems += [*missing, *damaged, *detector_problems]
    if file.problems:
        return None, problems, notes
    dataset = index(file.dataset, file.category_id).dataset
    people, unlabelled, crowds, labelled, hidden = _count_people(dataset)
    if not people:
        others = len(file.dataset["annotations"]) - len(dataset["annotations"])
        problems.append(f"{file.path}: {nobody(dataset, others)}")
    report = SplitReport(split, len(dataset["images"]), len(missing), people, unlabelled, crowds, labelled, hidden,
                         detections, images_read)  # fmt: skip
    return report, problems, notes


def _count_people(dataset: dict[str, Any]) -> tuple[int, int, int, int, int]:
    """People, left out, crowds; and of the people labelled and hidden keypoints; of an index over the people alone."""
    images = {image["id"]: image for image in dataset["images"]}
    people = unlabelled = crowds = labelled_keypoints = hidden_keypoints = 0
    for entry in dataset["annotations"]:
        if entry["iscrowd"]:
            crowds += 1
        elif box_of_labelled(entry, images[entry["image_id"]]) is None:
            unlabelled += 1
        else:
            people += 1
            labelled_keypoints += entry["num_keypoints"]
            hidden_keypoints += sum(value == 1 for value in entry["keypoints"][2::3])
    return people, unlabelled, crowds, labelled_keypoints, hidden_keypoints


def _image_problems(
    folder: Path, file: AnnotationFile, check_images: bool, limit: int | None
) -> tuple[list[str], list[str], int]:
    """Missing files, damaged files, and how many were decoded."""
    images = [image for image in file.dataset["images"] if isinstance(image.get("file_name"), str)]
    there = [os.path.isfile(folder / image["file_name"]) for image in images]
    found = [image for image, exists in zip(images, there, strict=True) if exists]
    missing = []
    for image in (image for image, exists in zip(images, there, strict=True) if not exists):
        path = folder / image["file_name"]
        why = "image cannot be read: not a regular file" if os.path.exists(path) else "no such image"
        missing.append(f"{path}: {why} (image {shown(image.get('id'))})")
    to_read = found[:limit] if check_images else []
    return missing, [problem for image in to_read for problem in _damage(folder, image, file.label_frame)], len(to_read)


def _damage(folder: Path, image: dict[str, Any], frame: LabelFrame) -> Iterator[str]:
    path = folder / image["file_name"]
    try:
        height, width = read_labelled_image(path, frame).shape[:2]
    except UserError as error:
        yield str(error)
        return
    if (height, width) != (image.get("height"), image.get("width")):
        yield (f"{path}: image is {width} x {height}, but the annotation file says "
               f"{image.get('width')} x {image.get('height')} (image {image.get('id')})")  # fmt: skip


def _detections(path: Path, file: AnnotationFile) -> tuple[int | None, list[str], list[str]]:
    """Number of entries (None without a file, or where they cannot be used), what is wrong with them, and notes."""
    if not path.exists():
        return None, [], []
    try:
        entries = load_json(path)
    except UserError as error:
        return None, [str(error)], []
    dataset = file.dataset
    images = {image["id"]: image for image in dataset["images"] if image_problem(image) is None}
    known = [category.get("id") for category in dataset["categories"]]
    sizes = {image_id: (image["height"], image["width"]) for image_id, image in images.items()}
    found = detector_boxes(entries, file.category_id, sizes, known)
    problems = [f"{path}: {problem}" for problem in found.problems]
    if not isinstance(entries, list) or any(detection_problems(entries)):
        return None, problems, []
    strangers = [entry["image_id"] for entry in entries if entry["image_id"] not in images]
    if strangers:
        problems.append(f"{path}: {len(strangers)} detections on images that are not in the split, first image "
                        f"{strangers[0]}")  # fmt: skip
    doubt = None
    if not file.problems:
        people = index(dataset, file.category_id).dataset["annotations"]
        doubt = overlap_note([entry for _, entry in found.people], people)
    return len(entries), problems, [*found.notes, doubt] if doubt else found.notes
