"""What a run's metrics, intervals and strata are computed from: small enough to be committed of every run.

`evaluation.xz` stands for predictions and labels wherever results are computed again. It holds, for both box sources,
the order of the detections' scores, their OKS with the people whom they fit, and which of them OKS-NMS takes for copies
of each other; of the people, what matching and strata ask for; of the poses at ground-truth boxes, the types of their
errors by image, and the mean similarities of their keypoints on every resample of the images. All metrics come out bit
by bit as from the predictions: thresholds of OKS are whole steps of what is kept, and areas are kept as the class that
COCO's ranges tell apart. Of people with head boxes it holds the hits of PCKh, by image. The file names the predictions
that it was made of, and carries its own SHA-256.
"""

import contextlib
import io
import json
import lzma
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Integer, Num
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from poseur_lib.data.coco import index
from poseur_lib.evaluation.bootstrap import resamples
from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople
from poseur_lib.evaluation.errors import ErrorType
from poseur_lib.evaluation.pckh import JointHits
from poseur_lib.evaluation.strata import GENERATED, LARGE, MEDIUM, NAMES

EVALUATION_FILE = "evaluation.xz"
FORMAT = 1
RESAMPLES, BOOTSTRAP_SEED = 1000, 0
OKS_STEPS = 1000  # of which COCO's thresholds, multiples of 0.05, are whole numbers
DRAW_STEP = 1e-5  # of a similarity x 100, which tables print to a thousandth
UNDEFINED = np.iinfo(np.int32).min  # of a draw in whose resample no such keypoint is
SIZES = (0.0, MEDIUM, LARGE, LARGE + 1)  # an area of each class: COCO's ranges contain both of their limits
TRUNCATED, VIEWS = (False, True, None), (*NAMES["view"], None)
MAX_BYTES = 2**27
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0}]


@dataclass(frozen=True, eq=False)
class People:
    """The labelled people G of I images, in the order of image ids.

    Attributes:
        image_id, id: of images and people, each as the difference to the one before.
        counted: they have labelled keypoints; without, COCO ignores them.
        size: class of the area, a place in `SIZES`.
        hidden, labelled: numbers of keypoints.
        truncated, view: of generated people, places in `TRUNCATED` and `VIEWS`.
    """

    image_id: Integer[np.ndarray, " I"]
    per_image: Integer[np.ndarray, " I"]
    id: Integer[np.ndarray, " G"]
    crowd: Integer[np.ndarray, " G"]
    counted: Integer[np.ndarray, " G"]
    size: Integer[np.ndarray, " G"]
    hidden: Integer[np.ndarray, " G"]
    labelled: Integer[np.ndarray, " G"]
    truncated: Integer[np.ndarray, " G"]
    view: Integer[np.ndarray, " G"]


@dataclass(frozen=True, eq=False)
class Detections:
    """The predictions D of one box source, in the order of image ids, before OKS-NMS.

    Attributes:
        rank: of the instance score as the run was configured, 0 the lowest; equal scores share one.
        size: class of the area around the keypoints, a place in `SIZES`.
        fit: detection and person (place in the image) of each pair with an OKS of at least 0.1, a detection's best
            pair first; the detection as the difference to the pair before.
        oks: of each pair, in steps of 1 / `OKS_STEPS`, rounded down.
        copies: pairs of detections of one image that OKS-NMS does not keep both.
    """

    per_image: Integer[np.ndarray, " I"]
    rank: Integer[np.ndarray, " D"]
    size: Integer[np.ndarray, " D"]
    fit: Integer[np.ndarray, "2 F"]
    oks: Integer[np.ndarray, " F"]
    copies: Integer[np.ndarray, "2 C"]

    def similarities(self, people: Integer[np.ndarray, " I"]) -> list[Float[np.ndarray, " _"]]:
        """OKS of each detection with the people of its image, 0 where it is below 0.1.

        Each lies inside its step, and a detection's lie in their order.
        """
        found = [np.zeros(number) for number in np.repeat(people, self.per_image)]
        detection = np.cumsum(self.fit[0], dtype=np.int64)
        order = np.arange(len(detection)) - np.searchsorted(detection, detection)
        for row, person, value in zip(detection, self.fit[1], self.oks + 0.5 - 0.01 * order, strict=True):
            found[row][person] = value / OKS_STEPS
        return found


@dataclass(frozen=True, eq=False)
class PoseErrors:
    """What the poses at ground-truth boxes get wrong.

    Attributes:
        types: labelled keypoints of each `ErrorType` in each of I images.
        parts: `keypoint/wrist`, `visibility/hidden`: whose mean similarities these are.
        number: keypoints of each part.
        mean: similarity x 100.
        draws: mean similarity on each resample less that on the images as they are, in steps of `DRAW_STEP`.
    """

    types: Integer[np.ndarray, "T I"]
    parts: np.ndarray
    number: Integer[np.ndarray, " P"]
    mean: Float[np.ndarray, " P"]
    draws: Integer[np.ndarray, "P n"]

    def shares(self) -> Iterator[tuple[str, int, float, Float[np.ndarray, " n"]]]:
        """Of each error type: its name, the labelled keypoints, per cent of them, and that on each resample."""
        labelled, weights = self.types.sum(axis=0), image_weights(self.types.shape[1])
        for kind, of_kind in zip(ErrorType, self.types, strict=True):
            with np.errstate(invalid="ignore", divide="ignore"):
                draws = 100 * (weights @ of_kind) / (weights @ labelled)
                yield kind.word, int(labelled.sum()), float(100 * of_kind.sum() / labelled.sum()), draws

    def similarities(self) -> Iterator[tuple[str, str, int, float, Float[np.ndarray, " n"]]]:
        """Of each part: what it is a part of, its name, its keypoints, their mean similarity x 100, and the draws."""
        for part, number, mean, steps in zip(self.parts, self.number, self.mean, self.draws, strict=True):
            draws = np.where(steps == UNDEFINED, np.nan, mean + steps * DRAW_STEP)
            yield *part.decode().split("/"), int(number), float(mean), draws


@dataclass(frozen=True, eq=False)
class RunEvaluation:
    """What is kept of a run; `errors` and `pckh` are those at ground-truth boxes, the latter of people with heads."""

    people: People
    boxes: Mapping[BoxSource, Detections]
    errors: PoseErrors
    pckh: JointHits | None = None

    def matching(self, boxes: BoxSource, scores: Num[np.ndarray, " D"] | None = None) -> COCOeval:
        """pycocotools' matching after OKS-NMS, not yet accumulated, as `ap.evaluate_predictions` has it of predictions.

        Args:
            scores: by which people are ranked, in the order of image ids; as the run was configured if None.
        """
        of = self.boxes[boxes]
        scores = of.rank if scores is None else scores
        images = np.cumsum(self.people.image_id)
        image, oks = np.repeat(images, of.per_image), of.similarities(self.people.per_image)
        found = [
            {"id": row + 1, "image_id": int(image[row]), "area": SIZES[of.size[row]], "keypoints": []}
            | {"score": float(scores[row]), "oks": oks[row]}
            for row in np.flatnonzero(best_of_copies(scores, of.copies))
        ]
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = _KnownOks(_coco(images, self._annotations()), _coco(images, found), "keypoints")
            evaluation.evaluate()
        return evaluation

    def _annotations(self) -> list[dict[str, Any]]:
        people = self.people
        ids, image = np.cumsum(people.id), np.repeat(np.cumsum(people.image_id), people.per_image)
        return [
            {
                "id": int(ids[row]), "image_id": int(image[row]), "area": SIZES[people.size[row]],
                "iscrowd": int(people.crowd[row]), "num_keypoints": int(people.counted[row]),
                "keypoints": [0, 0, 1] * int(people.hidden[row])
                + [0, 0, 2] * int(people.labelled[row] - people.hidden[row]),
                GENERATED: {"truncated": TRUNCATED[people.truncated[row]], "view": VIEWS[people.view[row]]},
            }
            for row in range(len(image))
        ]  # fmt: skip


def _coco(images: Integer[np.ndarray, " I"], annotations: list[dict[str, Any]]) -> COCO:
    listed = [{"id": int(image)} for image in images]
    return index({"images": listed, "categories": [{"id": 1}], "annotations": annotations}, 1)


class _KnownOks(COCOeval):
    """pycocotools' matching of detections whose OKS with the people of their image stand in them."""

    def computeOks(self, imgId: Any, catId: Any) -> Any:
        found = self._dts[imgId, catId]
        if not found or not self._gts[imgId, catId]:
            return []
        order = np.argsort([-one["score"] for one in found], kind="mergesort")[: self.params.maxDets[-1]]
        return np.stack([found[place]["oks"] for place in order])


def best_of_copies(scores: Num[np.ndarray, " D"], copies: Integer[np.ndarray, "2 C"]) -> np.ndarray:
    """Which detections OKS-NMS keeps: going down the scores, a copy of one that was kept is dropped."""
    place = np.empty(len(scores), int)
    place[np.argsort(-np.asarray(scores, np.float64), kind="stable")] = np.arange(len(scores))
    keep = np.ones(len(scores), bool)
    for better, worse in sorted((sorted(pair, key=place.__getitem__) for pair in copies.T), key=lambda p: place[p[0]]):
        keep[worse] &= not keep[better]
    return keep


def in_order_of_images(predictions: PredictedPeople) -> Integer[np.ndarray, " N"]:
    """Places of predictions in the order in which `Detections` has them."""
    return np.argsort(predictions.image_id, kind="stable")


@lru_cache(maxsize=2)
def image_weights(images: int) -> Float[np.ndarray, "n I"]:
    """How often each image is in each of the resamples that all intervals are computed on."""
    return np.stack(list(resamples(images, RESAMPLES, BOOTSTRAP_SEED))).astype(np.float64)


def once_and_resampled(images: int) -> Float[np.ndarray, "m I"]:
    """The images as they are, then the resamples of `image_weights`."""
    return np.vstack([np.ones(images), image_weights(images)])


def to_bytes(evaluation: RunEvaluation, predictions_sha256: str) -> bytes:
    """The content of `evaluation.xz`: a line of JSON that names the arrays, then their bytes, all first ones first."""
    of = {"people": evaluation.people, "errors": evaluation.errors, **evaluation.boxes}
    of |= {} if evaluation.pckh is None else {"pckh": evaluation.pckh}
    arrays = {f"{name}/{field}": array for name, one in of.items() for field, array in vars(one).items()}
    shapes = {name: [array.dtype.str, array.shape] for name, array in arrays.items()}
    head = {"format": FORMAT, "predictions_sha256": predictions_sha256, "arrays": shapes}
    planes = [
        array.reshape(-1).view(np.uint8).reshape(array.size, array.itemsize).T.tobytes() for array in arrays.values()
    ]
    content = b"".join([json.dumps(head).encode(), b"\n", *planes])
    return lzma.compress(content, check=lzma.CHECK_SHA256, filters=FILTERS)


def from_bytes(content: bytes, predictions_sha256: str) -> RunEvaluation:
    """What `to_bytes` wrote.

    Raises:
        ValueError: it was cut off or altered, or is of other predictions or of another version.
    """
    try:
        unpacking = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        unpacked = unpacking.decompress(content, MAX_BYTES)
        if not unpacking.eof:
            raise ValueError(f"its end is missing, or it has more than {MAX_BYTES} bytes")
        end = unpacked.index(b"\n")
        head, left = json.loads(unpacked[:end]), memoryview(unpacked)[end + 1 :]
    except (lzma.LZMAError, ValueError) as error:
        raise ValueError(f"cut off or altered: {error}") from None
    if (head["format"], head["predictions_sha256"]) != (FORMAT, predictions_sha256):
        raise ValueError(f"of predictions {head['predictions_sha256'][:10]}…, in format {head['format']}")
    fields: dict[str, dict[str, np.ndarray]] = {}
    for name, (kind, shape) in head["arrays"].items():
        dtype, size = np.dtype(kind), int(np.prod(shape))
        planes = np.frombuffer(left[: size * dtype.itemsize], np.uint8).reshape(dtype.itemsize, size)
        left = left[size * dtype.itemsize :]
        of, _, field = name.partition("/")
        fields.setdefault(of, {})[field] = np.ascontiguousarray(planes.T).view(dtype).reshape(shape)
    boxes = {one: Detections(**fields[one]) for one in BoxSource if one in fields}
    pckh = JointHits(**fields["pckh"]) if "pckh" in fields else None
    return RunEvaluation(People(**fields["people"]), boxes, PoseErrors(**fields["errors"]), pckh)
