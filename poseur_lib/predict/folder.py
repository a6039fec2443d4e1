"""From image files to pictures and COCO results in a folder; what cannot be read is told of and left out."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from poseur_lib.data.coco_folder import category_entry
from poseur_lib.data.images import read_image
from poseur_lib.errors import Interrupted, UserError, naming
from poseur_lib.files import require_output, write_atomically
from poseur_lib.keypoints import KeypointSet
from poseur_lib.predict.drawing import with_caption
from poseur_lib.predict.files import JPEG, chosen_ids, overlay_paths
from poseur_lib.predict.people import KEYPOINT_THRESHOLD, BoxFinder, PersonBox
from poseur_lib.predict.predictor import ImagePoses, Poseur

RESULTS_FILE, IMAGES_FILE = "predictions.json", "images.json"
DESCRIPTION = f"images of {RESULTS_FILE}"
PERSON = 1
CHUNK_BYTES = 2**28
"""Images of so many bytes are in memory at a time, and at least one."""


@dataclass(frozen=True)
class Output:
    """What is written.

    Attributes:
        folder: of the pictures, of predictions.json (COCO's results format, a list) and of images.json (which image has
            which `image_id`, and the keypoints' names; `COCO("images.json").loadRes("predictions.json")` reads both).
        pictures: write the images with the skeletons over them.
        threshold: of the keypoints that are drawn as sure.
        nms: OKS-NMS, as `poseur evaluate` has it.
        caption: is written below each picture.
    """

    folder: Path
    pictures: bool = True
    threshold: float = KEYPOINT_THRESHOLD
    nms: bool = True
    caption: str = ""


@dataclass
class Predicted:
    """What was done.

    Attributes:
        entries: COCO's image entries of the images that were predicted on, with the picture's name.
        results: COCO's results.
        nobody: images without a person.
        skipped: images that could not be used, and why.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    nobody: list[Path] = field(default_factory=list)
    skipped: dict[Path, str] = field(default_factory=dict)

    def text(self, output: Output) -> str:
        """A few lines for a person."""
        people = f"{len(self.results)} {'person' if len(self.results) == 1 else 'people'}"
        images = f"{len(self.entries)} image{'s' * (len(self.entries) != 1)}"
        lines = [f"{people} on {images}" + (f", {len(self.skipped)} skipped" if self.skipped else "")]
        if self.entries:
            lines.append(f"results: {output.folder / RESULTS_FILE} (image names: {IMAGES_FILE})")
        elif (output.folder / RESULTS_FILE).exists():
            lines.append(f"nothing is written: {output.folder / RESULTS_FILE} is an earlier call's")
        if self.entries and output.pictures:
            lines.append(f"pictures: {output.folder}")
        return "\n".join(lines)


class Task(NamedTuple):
    """One image on its way."""

    path: Path
    image_id: int
    picture: Path
    image: np.ndarray
    boxes: list[PersonBox]


def predict_files(
    poseur: Poseur,
    images: Sequence[Path],
    source: BoxFinder,
    output: Output,
    *,
    known_ids: dict[Path, int] | None = None,
    category_id: int = PERSON,
    renumber: bool = False,
) -> Predicted:
    """Predict on files, a batch of people at a time, and write pictures as they are done and the results at the end.

    Args:
        source: where the people are.
        known_ids: `image_id`s that a file of boxes tells; see `image_ids`.
        category_id: of the people in the results.
        renumber: images may get other ids than the known ones, where not every image has one.

    Raises:
        UserError: the folder cannot be written to or holds another `images.json`, or a picture would overwrite an
            image.
        Interrupted: Ctrl-C; what is done is written, the results too.
    """
    pictures = overlay_paths(images, output.folder) if output.pictures else images
    ids, line = chosen_ids(images, known_ids or {}, renumber)
    if line is not None:
        tqdm.write(line)
    done = Predicted()
    require_results(output.folder)
    try:
        with tqdm(total=len(images), unit="image", disable=None) as bar:
            tasks = _read(list(zip(images, ids, pictures, strict=True)), source, done, bar)
            for chunk in chunks(tasks, poseur.config.evaluation.batch):
                _predict_chunk(poseur, chunk, output, done, category_id)
                bar.update(len(chunk))
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted: {len(done.entries)} of {len(images)} images are done, their results are in {output.folder}"
        ) from None
    finally:
        if done.entries:
            write_json(output.folder / RESULTS_FILE, done.results)
            write_json(output.folder / IMAGES_FILE, image_info(done.entries, poseur.keypoint_set, category_id))
    return done


def require_results(folder: Path) -> None:
    """Check, before anything is computed, that results can be written to a folder.

    Raises:
        UserError: they cannot, or would overwrite an `images.json` that is not one of predictions, such as the digests
            of a data set's images.
    """
    for name in (RESULTS_FILE, IMAGES_FILE):
        require_output(folder / name)
    path = folder / IMAGES_FILE
    if path.exists() and DESCRIPTION.encode() not in path.read_bytes():
        raise UserError(f"{path} is not one of predictions, and would be overwritten: choose another --out")


def _read(files: Sequence[tuple[Path, int, Path]], source: BoxFinder, done: Predicted, bar: tqdm) -> Iterator[Task]:
    for path, image_id, picture in files:
        try:
            with naming(path):
                image = read_image(path)
                boxes = source.boxes(path, image)
                for box in boxes:
                    box.require_inside(image.shape[:2])
        except UserError as error:
            _skip(path, error, done)
            bar.update(1)
            continue
        yield Task(path, image_id, picture, image, boxes)


def chunks(tasks: Iterator[Task], people: int) -> Iterator[list[Task]]:
    """Tasks of together at least `people` people, or as many images as memory should hold."""
    chunk: list[Task] = []
    for task in tasks:
        chunk.append(task)
        if sum(len(one.boxes) for one in chunk) >= people or sum(one.image.nbytes for one in chunk) >= CHUNK_BYTES:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _predict_chunk(poseur: Poseur, chunk: list[Task], output: Output, done: Predicted, category_id: int) -> None:
    for task, poses in _poses(poseur, chunk, output, done):
        if not poses.people:
            done.nobody.append(task.path)
            tqdm.write(f"no person: {task.path}")
        if output.pictures:
            _write_picture(task.picture, poses, output)
        height, width = poses.image.shape[:2]
        entry = {"id": task.image_id, "file_name": str(task.path), "height": height, "width": width}
        done.entries.append(entry | ({"picture": task.picture.name} if output.pictures else {}))
        done.results += poses.to_coco(task.image_id, category_id)


def _poses(poseur: Poseur, chunk: list[Task], output: Output, done: Predicted) -> list[tuple[Task, ImagePoses]]:
    """The poses of a chunk's images; where something is wrong with one of them, each is predicted on apart."""
    try:
        with naming(chunk[0].path):
            images, boxes = [task.image for task in chunk], [task.boxes for task in chunk]
            return list(zip(chunk, poseur.predict_batch(images, boxes, nms=output.nms), strict=True))
    except UserError as error:
        if len(chunk) > 1:
            return [found for task in chunk for found in _poses(poseur, [task], output, done)]
        _skip(chunk[0].path, error, done)
        return []


def _skip(path: Path, error: UserError, done: Predicted) -> None:
    done.skipped[path] = reason = str(error).removeprefix(f"{path}: ")
    tqdm.write(f"skipped: {path}: {reason}")


def image_info(entries: list[dict[str, Any]], keypoint_set: KeypointSet, category_id: int) -> dict[str, Any]:
    """A COCO file without annotations, as the test sets have."""
    return {
        "info": {"description": f"{DESCRIPTION}; keypoint set {keypoint_set.name}"},
        "images": entries,
        "annotations": [],
        "categories": [category_entry(keypoint_set, category_id)],
    }


def picture_of(poses: ImagePoses, output: Output) -> np.ndarray:
    """The image with what is drawn over it and its caption, RGB."""
    return with_caption(poses.draw(output.threshold), output.caption)


def _write_picture(path: Path, poses: ImagePoses, output: Output) -> None:
    suffix = ".jpg" if path.suffix.lower() in JPEG else ".png"
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix == ".jpg" else []
    done, encoded = cv2.imencode(suffix, cv2.cvtColor(picture_of(poses, output), cv2.COLOR_RGB2BGR), options)
    if not done:
        height, width = poses.image.shape[:2]
        raise UserError(f"{path}: a picture of {width} x {height} pixels cannot be written as {suffix[1:].upper()}")
    _write(path, encoded.tobytes())


def write_json(path: Path, content: object) -> None:
    """JSON that is there whole or not at all. Raises UserError where it cannot be written."""
    _write(path, json.dumps(content).encode())


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
