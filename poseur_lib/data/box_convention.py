"""Which convention boxes and categories follow: COCO's is (x, y, width, height) in pixels, and categories from 1."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from pycocotools import mask

from poseur_lib.data.annotations import detection_problems, meant_integer
from poseur_lib.errors import listed, shown

COCO_PERSON = 1
"""The category of people in COCO and in what detectors that were trained on it write."""
BEYOND_PX, BEYOND_SHARE = 2.0, 0.02
"""A box leaves the image by more than so many pixels and so much of the side: less is rounding."""
CLEARLY = 0.1
"""Of the side: boxes of which none leaves the image by so much may also be a detector's that does not cut them."""
MOST, SOME, ENOUGH = 0.8, 0.2, 8
"""A few odd boxes hide no convention: so large a share has to fit it, and so large a one to leave the images clearly.
Fewer boxes than enough are not told to be centres by that."""
OVERLAP, FOUND = 0.5, 0.3
"""Where fewer of the labelled people have a box of such an IoU, a file is doubted: detectors find most of them."""
CORNERS, CENTRES = "(left, top, right, bottom)", "(centre x, centre y, width, height)"


def leaves_image(boxes: Float[np.ndarray, "N 4"], sizes: Float[np.ndarray, "N 2"]) -> Bool[np.ndarray, "N"]:
    """Whether (x, y, width, height) reaches beyond the image of (width, height), right or below."""
    beyond = boxes[:, :2] + boxes[:, 2:] - sizes
    return np.asarray((beyond > np.maximum(BEYOND_PX, BEYOND_SHARE * sizes)).any(axis=1))


def reads_as_corners(boxes: Float[np.ndarray, "N 4"], sizes: Float[np.ndarray, "N 2"]) -> Bool[np.ndarray, "N"]:
    """Whether the four numbers are a box inside the image if they are taken as (left, top, right, bottom)."""
    ordered = (boxes[:, 2:] > boxes[:, :2]) & (boxes[:, 2:] <= sizes + BEYOND_PX)
    return np.asarray(ordered.all(axis=1) & (boxes[:, :2] >= -BEYOND_PX).all(axis=1))


def reads_as_centres(boxes: Float[np.ndarray, "N 4"], sizes: Float[np.ndarray, "N 2"]) -> Bool[np.ndarray, "N"]:
    """Whether the four numbers are a box inside the image if taken as (centre x, centre y, width, height)."""
    low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
    return np.asarray(((low >= -BEYOND_PX) & (high <= sizes + BEYOND_PX)).all(axis=1))


def convention_guess(boxes: Float[np.ndarray, "N 4"], sizes: Float[np.ndarray, "N 2"]) -> tuple[int, str] | None:
    """The first box that leaves its image where boxes were rather written otherwise, and how; None where not.

    All of them have to be boxes inside their images as corners, and one has to leave its image clearly, or half of
    them. Or most are, as corners or by their centres, and some of these leave their images clearly.
    """
    leaving = leaves_image(boxes, sizes)
    clearly = ((boxes[:, :2] + boxes[:, 2:] - sizes) / sizes > CLEARLY).any(axis=1)
    corners, centres = reads_as_corners(boxes, sizes), reads_as_centres(boxes, sizes)
    if leaving.any() and corners.all() and (clearly.any() or leaving.mean() >= 0.5):
        return int(leaving.argmax()), CORNERS
    for form, reads in ((CORNERS, corners), (CENTRES, centres)):
        if len(boxes) >= ENOUGH and reads.mean() >= MOST and (reads & clearly).mean() >= SOME:
            return int((reads & clearly).argmax()), form
    return None


def convention_message(box: Sequence[float], image_size: tuple[float, float], counts: str, form: str) -> str:
    """What to say of boxes that were rather written otherwise; `image_size` is (height, width)."""
    return (
        f"bbox {list(box)} leaves the image of {image_size[1]:g} x {image_size[0]:g} pixels: {counts} as {form}; write"
        " [x, y, width, height]"
    )


def are_fractions(boxes: Float[np.ndarray, "N 4"], sizes: Float[np.ndarray, "N 2"]) -> Bool[np.ndarray, "N"]:
    """Whether a box is in 0 to 1, or -1 to 1, of an image, whose (width, height) is larger than a few pixels."""
    corner, sides = boxes[:, :2], boxes[:, 2:]
    inside = ((corner >= 0) & (corner <= 1) & (sides <= 1)) | ((corner >= -1) & (corner + sides <= 1))
    return np.asarray((inside & (sides > 0) & (sizes > 4)).all(axis=1))


def fraction_problems(
    where: Sequence[str], boxes: Sequence[Sequence[float]], image_sizes: Sequence[tuple[float, float]]
) -> Iterator[str]:
    """The first box that is a fraction of its image of (height, width), and no pixels; `where` names each box."""
    array = np.array(boxes, np.float64).reshape(-1, 4)
    if (fractions := are_fractions(array, np.array(image_sizes, np.float64).reshape(-1, 2)[:, ::-1])).any():
        first = int(fractions.argmax())
        yield f"{where[first]}: bbox {list(boxes[first])} is a fraction of the image: boxes are in pixels"


def box_list_problems(
    where: Sequence[str], boxes: Sequence[Sequence[float]], image_sizes: Sequence[tuple[float, float]]
) -> Iterator[str]:
    """What is wrong with the convention of boxes whose images' (height, width) are known; `where` names each box."""
    array = np.array(boxes, np.float64).reshape(-1, 4)
    sizes = np.array(image_sizes, np.float64).reshape(-1, 2)[:, ::-1]
    if fractions := list(fraction_problems(where, boxes, image_sizes)):
        yield from fractions
        return
    if (guess := convention_guess(array, sizes)) is not None:
        first, form = guess
        reads = (reads_as_corners if form == CORNERS else reads_as_centres)(array, sizes)
        fit = "all fit" if reads.all() else f"{reads.sum()} fit"
        counts = f"{leaves_image(array, sizes).sum()} of {len(boxes)} boxes do, and {fit}"
        yield f"{where[first]}: {convention_message(boxes[first], image_sizes[first], counts, form)}"


def overlap_note(detections: Sequence[dict[str, Any]], annotations: Sequence[dict[str, Any]]) -> str | None:
    """What to say where hardly any of the labelled people on images with boxes has one that overlaps; None else.

    Boxes of images of another size, or of other images, cannot be told by themselves.
    """
    boxes: dict[int, list[Any]] = {}
    for entry in detections:
        boxes.setdefault(entry["image_id"], []).append(entry["bbox"])
    people = [entry for entry in annotations if not entry.get("iscrowd") and entry.get("num_keypoints")]
    people = [entry for entry in people if entry["image_id"] in boxes]
    best = [mask.iou(boxes[one["image_id"]], [one["bbox"]], [0]).max() for one in people]
    found = sum(overlap >= OVERLAP for overlap in best)
    if len(people) < ENOUGH or found >= FOUND * len(people):
        return None
    return (
        f"only {found} of {len(people)} labelled people on images with boxes have a box that overlaps theirs (IoU "
        f"{OVERLAP:g}): are the boxes of these images, and in pixels of their full size?"
    )


class DetectorBoxes(NamedTuple):
    """A detector's COCO results as they are understood.

    Attributes:
        people: each person's position in the file, and the entry; on whatever images.
        problems: why the file is not to be used, a line each; the position of the entry is named.
        notes: what was assumed or left out, likewise.
    """

    people: list[tuple[int, dict[str, Any]]]
    problems: list[str]
    notes: list[str]


def detector_boxes(
    entries: Any, category_id: int, sizes: Mapping[int, tuple[float, float]], known: Sequence[int] = ()
) -> DetectorBoxes:
    """The people of a detector's file, by the categories that it counts.

    They are the data set's; a file with COCO's own 1, which the data set does not have, is in COCO's, where 1 is the
    person and no category is 0.

    Args:
        category_id: the people's in the data set.
        sizes: (height, width) of the images that are known.
        known: the ids of the data set's categories.
    """
    if problems := list(detection_problems(entries)):
        return DetectorBoxes([], problems, [])
    categories = [
        category_id if entry.get("category_id") is None else meant_integer(entry["category_id"]) for entry in entries
    ]
    if 0 in categories and 0 not in (category_id, *known):
        first = categories.index(0)
        problem = (
            f"detection {first} (image {entries[first]['image_id']}): category_id is 0, but people are category "
            f"{category_id}: the file seems to count categories from 0, so that {category_id} would be another one; "
            f"write {category_id} for people"
        )
        return DetectorBoxes([], [problem], [])
    notes, person = [], category_id
    if COCO_PERSON in categories and COCO_PERSON not in (category_id, *known) and 0 not in categories:
        person = COCO_PERSON
        notes.append(f"people are category {COCO_PERSON}, as COCO counts (those of the data set are {category_id})")
    counts = Counter(map(shown, categories))
    taken = counts.pop(str(person), 0)
    if counts:
        others = [f"{category} ({count})" for category, count in sorted(counts.items())]
        notes.append(f"people are category {person}: {taken} boxes; left out are those of category {listed(others, 5)}")
    people = [(position, entry) for position, entry in enumerate(entries) if categories[position] == person]
    sized = [(position, entry) for position, entry in people if entry["image_id"] in sizes and min(entry["bbox"][2:])]
    where = [f"detection {position} (image {entry['image_id']})" for position, entry in sized]
    boxes, of_images = [entry["bbox"] for _, entry in sized], [sizes[entry["image_id"]] for _, entry in sized]
    return DetectorBoxes(people, list(box_list_problems(where, boxes, of_images)), notes)
