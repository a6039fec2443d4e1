"""COCO test-dev2017, whose labels only COCO's server has: what is uploaded there.

`annotations/image_info_test-dev2017.json` lists 20,288 of the images in `test2017/`. The server takes a ZIP without
folders that holds `person_keypoints_test-dev2017_<name>_results.json`, and counts 20 people an image at most.
"""

import io
import json
import re
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from poseur_lib.config import ExperimentConfig
from poseur_lib.data.annotation_file import say_once
from poseur_lib.data.annotations import image_problem, listed_images
from poseur_lib.data.coco import ListedImages, Person, detected_people
from poseur_lib.errors import UserError, shown
from poseur_lib.evaluation.ap import rank_people
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.files import require_writable, write_atomically
from poseur_lib.keypoints import COCO_17
from poseur_lib.models.pose_model import PoseModel
from poseur_lib.runtime import Runtime
from poseur_lib.scoring.instance import require_factors

TEST_DEV = "test-dev2017"
IMAGES = 20_288
LEAST_SHARE = 0.1
"""Of the images must have a box: a detector finds people on most of them."""
PERSON, COUNTED = 1, 20
SERVER_S_CLOCK = (1980, 1, 1, 0, 0, 0)  # of the ZIP's entry, so that the same results are the same bytes


class Submission(NamedTuple):
    """A ZIP to upload.

    Attributes:
        found, images: images with a person, and all.
        beyond: people that the server does not count, as their images have more than 20.
    """

    path: Path
    people: int
    found: int
    images: int
    beyond: int

    @property
    def text(self) -> str:
        """What it holds and where it goes, for a person."""
        more = f"; {self.beyond:,} beyond {COUNTED} an image do not count" if self.beyond else ""
        return (
            f"{self.path}: {self.people:,} people on {self.found:,} of {self.images:,} images of {TEST_DEV}{more}\n"
            "upload it to COCO's evaluation server, keypoint challenge, phase test-dev2017"
        )


@dataclass(frozen=True)
class TestDev:
    """The images of test-dev, and the boxes that a detector found on them."""

    __test__ = False

    ids: frozenset[int]
    people: list[Person]

    @classmethod
    def open(cls, root: Path, boxes: Path) -> "TestDev":
        """Read both files; no image is looked at.

        Raises:
            UserError: one is missing or malformed, the list is not that of test-dev, an image is not there, or hardly
                any image has a box.
        """
        path = root / "annotations" / f"image_info_{TEST_DEV}.json"
        entries = listed_images(path)
        for one in entries:
            if (problem := image_problem(one)) is not None:
                raise UserError(f"{path}: image {shown(one.get('id', '(no id)'))}: {problem}")
        images = {one["id"]: one for one in entries}
        if len(images) != IMAGES:
            raise UserError(f"{path}: {len(images):,} images, {TEST_DEV} has {IMAGES:,}")
        if not boxes.is_file():
            raise UserError(f"boxes {str(boxes)!r}: {TEST_DEV} has no labels, give a detector's file in COCO's format")
        people = detected_people(boxes, ListedImages(root / "test2017", images, PERSON, [PERSON]), TEST_DEV)
        covered = dict.fromkeys(one.image_path for one in people)
        if bare := IMAGES - len(covered):
            note = f"{boxes}: no box on {bare:,} of the {IMAGES:,} images of {TEST_DEV}"
            if len(covered) < LEAST_SHARE * IMAGES:
                raise UserError(f"{note}, whose people the server counts as missed: give the boxes of all images")
            say_once(note)
        for image in covered:
            if not image.is_file():
                raise UserError(f"{image}: no such image (poseur data fetch coco DIR --only test brings it)")
        return cls(frozenset(images), people)

    def submit(
        self, model: PoseModel, config: ExperimentConfig, runtime: Runtime, name: str, folder: Path
    ) -> Submission:
        """Predict everybody and write the ZIP to `folder`.

        Raises:
            UserError: the model has other keypoints than COCO's, the ZIP is there, the folder cannot be written to, or
                a box score is negative that the instance score multiplies by.
        """
        if config.data.keypoint_set != COCO_17.name:
            raise UserError(f"{TEST_DEV} is about {COCO_17.name}, the model predicts {config.data.keypoints_name}")
        require_writable(folder)
        if (path := zip_path(name, folder)).exists():
            raise UserError(f"{path} is there already: give another --name or --output, or remove it")
        require_factors(np.array([one.bbox_score for one in self.people]), config.evaluation.instance_score, TEST_DEV)
        predictions = predict_people(model, self.people, config, runtime)
        results = rank_people(predictions, config, COCO_17).to_coco(PERSON)
        return write_submission(results, self.ids, name, folder)


def zip_path(name: str, folder: Path) -> Path:
    """Where the ZIP of a method lies."""
    return folder / f"person_keypoints_{TEST_DEV}_{name}_results.zip"


def method_name(given: str) -> str:
    """A name as the server takes it, letters, digits, hyphens: everything else becomes a hyphen.

    Raises:
        UserError: nothing is left.
    """
    name = re.sub(r"[^A-Za-z0-9-]+", "-", given).strip("-")
    if not name:
        raise UserError(f"name {given!r}: give letters or digits")
    return name


def write_submission(results: list[dict[str, Any]], ids: frozenset[int], name: str, folder: Path) -> Submission:
    """Write results of images `ids` as the server takes them.

    Raises:
        UserError: there is none, or a number is not finite.
    """
    if not results:
        raise UserError(f"{TEST_DEV}: no person was found, and the server takes no empty results")
    try:
        content = json.dumps(results, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise UserError(f"results cannot be submitted: a keypoint or score is not finite ({error})") from None
    path = zip_path(name, folder)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(f"{path.stem}.json", SERVER_S_CLOCK), content, zipfile.ZIP_DEFLATED)
    write_atomically(path, buffer.getvalue())
    number = Counter(one["image_id"] for one in results)
    beyond = sum(max(0, people - COUNTED) for people in number.values())
    return Submission(path, len(results), len(number), len(ids), beyond)
