"""Fields of people that repeat one another: coordinates, boxes and areas against the image and against each other."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from poseur_lib.data.box_convention import (
    CENTRES,
    CORNERS,
    ENOUGH,
    SOME,
    are_fractions,
    convention_message,
    leaves_image,
    reads_as_corners,
)

FEW, MANY = 0.3, 0.5
"""A file is refused where more than so large a share of its people contradict themselves."""
OUTSIDE = 0.05
"""Of an image's side: a label that lies beyond it by more than that is not of this image."""
READS, NEARLY = 0.8, 0.9
"""Another convention is named where it fits more than so large a share."""
BOX_SLACK, BOX_MARGIN = 0.05, 0.5
"""Of a box's side: labels that lie outside of it by so much are still inside; those by more are far outside."""
AREA_RANGE = (0.01, 2.0)
"""Of a box's area: what a person's mask may take."""
SQUARES = (100, 256)
"""Sides that all images are thought of as having: per cent, and what networks take."""
REPEATED = "the same box and keypoints come before on the same image, under another id"


class LabelledPeople(NamedTuple):
    """N people with a labelled keypoint, no crowds, as a file has them; image pixels.

    Attributes:
        ids: the annotations' ids.
        image_ids: those of their images.
        boxes: (x, y, w, h).
        sizes: (width, height) of the images.
        labelled: visibility is 1 or 2.
    """

    ids: Sequence[int]
    image_ids: Sequence[int]
    boxes: Float[np.ndarray, "N 4"]
    areas: Float[np.ndarray, "N"]
    sizes: Float[np.ndarray, "N 2"]
    points: Float[np.ndarray, "N K 2"]
    labelled: Bool[np.ndarray, "N K"]

    @classmethod
    def of(
        cls, entries: Sequence[dict[str, Any]], images: dict[int, dict[str, Any]], keypoints: Float[np.ndarray, "N K 3"]
    ) -> "LabelledPeople":
        """Those of annotations."""
        of_images = [images[entry["image_id"]] for entry in entries]
        return cls(
            [entry["id"] for entry in entries],
            [entry["image_id"] for entry in entries],
            np.array([entry["bbox"] for entry in entries], np.float64).reshape(-1, 4),
            np.array([entry["area"] for entry in entries], np.float64),
            np.array([(image["width"], image["height"]) for image in of_images], np.float64).reshape(-1, 2),
            keypoints[..., :2],
            keypoints[..., 2] > 0,
        )


def contradictions(people: LabelledPeople) -> Iterator[str]:
    """What cannot be right; each message names an annotation and its value."""
    if len(people.ids):
        yield from _normalised(people)
        yield from _corners(people)
        yield from _keypoints_outside(people)
        yield from _beside_boxes(people)
        for wrong, message in _shares(people):
            if wrong.mean() > FEW and not _too_few(wrong, message):
                first = people.ids[int(wrong.argmax())]
                yield f"annotation {first}: {message}, as {wrong.sum()} of {len(wrong)} people"


def doubts(people: LabelledPeople) -> Iterator[str]:
    """What is odd with some people of a file that is taken all the same."""
    if not len(people.ids):
        return
    away = (people.boxes[:, 2:] > 0).all(axis=1) & ~_held(people, BOX_MARGIN)
    for wrong, message in ((away, "most labelled keypoints lie far outside the bbox"), *_shares(people)):
        if 0 < wrong.mean() <= FEW or _too_few(wrong, message):
            yield f"{wrong.sum()} of {len(wrong)} people, first annotation {people.ids[int(wrong.argmax())]}: {message}"
    corners, convention = _as_corners(people)
    if corners.any() and not convention:
        first = people.ids[int(corners.argmax())]
        message = f"the bbox leaves the image, and holds its keypoints if it is read as {CORNERS}"
        yield f"{corners.sum()} of {len(corners)} people, first annotation {first}: {message}"
    yield from _another_scale(people)


def _another_scale(people: LabelledPeople) -> Iterator[str]:
    """Nobody on several images reaches their other half, or on images of several sizes beyond one square."""
    if len(people.ids) < ENOUGH or len(set(people.image_ids)) == 1:
        return
    labels = np.where(people.labelled[..., None], people.points, 0).max(axis=1)
    reach = np.maximum(people.boxes[:, :2] + people.boxes[:, 2:], labels)
    far, several = reach.max(axis=0), (people.sizes != people.sizes[0]).any()
    square = next((side for side in SQUARES if (far <= side + 1).all() and (far > NEARLY * side).all()), 0)
    if several and square and (people.sizes > square / NEARLY).all():
        where = f"in {square} x {square} pixels of images that are larger"
    elif (reach <= people.sizes / 2 + 1).all():
        where = "in the upper left quarter of their images"
    else:
        return
    yield f"all boxes and labels of {len(reach)} people lie {where}: are they in pixels of the images' full size?"


def upside_down(people: LabelledPeople, names: Sequence[str]) -> Iterator[str]:
    """Whether nearly everybody stands on the head, of keypoints of these names."""
    if not {"nose", "left_ankle", "right_ankle"} <= {*names}:
        return
    nose, left, right = (names.index(name) for name in ("nose", "left_ankle", "right_ankle"))
    told = people.points[people.labelled[:, [nose, left, right]].all(axis=1), :, 1]
    below = told[:, nose] > np.maximum(told[:, left], told[:, right])
    if len(told) >= ENOUGH and below.mean() > NEARLY:
        yield f"the nose of {below.sum()} of {len(told)} people lies below their ankles: is y counted from above?"


def _normalised(people: LabelledPeople) -> Iterator[str]:
    """Boxes and keypoints that are fractions of the image: nobody fits into one pixel of its corner."""
    large = (people.sizes > 4).all(axis=1)
    boxes = are_fractions(people.boxes, people.sizes)
    inside = (np.abs(people.points) <= 1).all(axis=2) | ~people.labelled
    points = inside.all(axis=1) & (people.labelled.sum(axis=1) > 1) & large
    unplaced = points & ((people.points == 0).all(axis=2) | ~people.labelled).all(axis=1)
    points &= ~unplaced
    if unplaced.any():
        first = people.ids[int(unplaced.argmax())]
        yield (
            f"annotation {first}: all its keypoints are labelled at 0, 0, as those of {unplaced.sum()} of "
            f"{len(unplaced)} people: write visibility 0 for what is not labelled"
        )
    for index in np.flatnonzero(boxes | points).tolist():
        if boxes[index]:
            what = f"bbox {people.boxes[index].tolist()}"
        else:
            what = f"keypoint {people.points[index][people.labelled[index]][-1].tolist()}"
        width, height = people.sizes[index]
        yield (
            f"annotation {people.ids[index]}: {what} is a fraction of the image of {width:g} x {height:g} pixels: "
            "coordinates are in pixels"
        )
    tiny = (people.areas < 1) & (people.boxes[:, 2:].prod(axis=1) > 4) & ~(boxes | points)
    for index in np.flatnonzero(tiny).tolist():
        yield f"annotation {people.ids[index]}: area {people.areas[index]:g} is less than a pixel: areas are in pixels"


def _as_corners(people: LabelledPeople) -> tuple[Bool[np.ndarray, "N"], bool]:
    """Whose box leaves the image, and holds the keypoints if it is read as (left, top, right, bottom).

    The second value says whether the boxes of the file are written so: as corners more than `MANY` hold their keypoints
    (of right boxes 4 to 17 %), and some of them leave the image, as not in a file of close-ups alone.
    """
    slack = 0.1 * np.abs(people.boxes[:, None, 2:] - people.boxes[:, None, :2]) + 2
    low, high = people.boxes[:, None, :2] - slack, people.boxes[:, None, 2:] + slack
    held = (((people.points >= low) & (people.points <= high)).all(axis=2) | ~people.labelled).all(axis=1)
    fits = reads_as_corners(people.boxes, people.sizes) & held
    corners = leaves_image(people.boxes, people.sizes) & fits
    return corners, bool(fits.mean() > MANY and corners.mean() >= SOME)


def _corners(people: LabelledPeople) -> Iterator[str]:
    corners, convention = _as_corners(people)
    if convention:
        first = int(corners.argmax())
        width, height = people.sizes[first]
        counts = f"{corners.sum()} of {len(corners)} boxes do, and they hold their keypoints"
        message = convention_message(people.boxes[first].tolist(), (height, width), counts, CORNERS)
        yield f"annotation {people.ids[first]}: {message}"


def far_outside(points: Float[np.ndarray, "*N K 2"], sizes: Float[np.ndarray, "*N 2"]) -> Bool[np.ndarray, "*N K"]:
    """Which keypoints lie outside their image of (width, height) by more than `OUTSIDE` of it."""
    sides = sizes[..., None, :]
    beyond = (points < -OUTSIDE * sides) | (points > (1 + OUTSIDE) * sides)
    return np.asarray(beyond.any(axis=-1))


def _keypoints_outside(people: LabelledPeople) -> Iterator[str]:
    outside = far_outside(people.points, people.sizes)
    share = (outside & people.labelled).sum(axis=1) / people.labelled.sum(axis=1)
    if (share > MANY).mean() > FEW or (share == 1).any():
        first = int(share.argmax())
        point = people.points[first][outside[first] & people.labelled[first]][0].tolist()
        width, height = people.sizes[first]
        yield (
            f"annotation {people.ids[first]}: keypoint {point} lies outside the image of {width:g} x {height:g} pixels,"
            f" as most keypoints of {(share > MANY).sum()} of {len(share)} people"
        )


def _too_few(wrong: Bool[np.ndarray, "N"], message: str) -> bool:
    """Whether a file is taken though a large share of its people repeat others, as they are a handful."""
    return message == REPEATED and 0 < int(wrong.sum()) < ENOUGH


def _repeated(people: LabelledPeople) -> Bool[np.ndarray, "N"]:
    """Who has the image, the box and the labels of one before."""
    points = np.where(people.labelled[..., None], people.points, -1)
    rows = zip(people.image_ids, map(bytes, people.boxes), map(bytes, points), strict=True)
    first: dict[tuple[int, bytes, bytes], int] = {}
    return np.array([first.setdefault(row, index) != index for index, row in enumerate(rows)], bool)


def _beside_boxes(people: LabelledPeople) -> Iterator[str]:
    """Boxes that do not hold the keypoints, or far too loosely: one of them is of another frame or convention."""
    boxes, points = people.boxes, people.points
    wrong = (boxes[:, 2:] > 0).all(axis=1) & (~_held(people) | _in_upper_left(people))
    if wrong.mean() <= FEW:
        return
    by_centre = np.hstack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]])
    centres = (boxes[:, :2] + boxes[:, 2:] / 2)[people.labelled.nonzero()[0]]
    scale = np.median(centres / np.maximum(points[people.labelled], 1))
    readings = {
        f"they hold their keypoints as {CENTRES}": {"boxes": by_centre},
        "they hold them as (y, x, height, width), or with keypoints as (y, x)": {"boxes": boxes[:, [1, 0, 3, 2]]},
        f"keypoints times {scale:.2g} lie inside": {"points": points * scale},
    }
    fitting = {text: float(_fits(people._replace(**other)).mean()) for text, other in readings.items()}
    best = max(fitting, key=lambda text: fitting[text])
    leaving = int(leaves_image(boxes, people.sizes).sum())
    first = int(wrong.argmax())
    yield (
        f"annotation {people.ids[first]}: most labelled keypoints lie outside the bbox {boxes[first].tolist()}, or in"
        f" a small part of it, as those of {wrong.sum()} of {len(wrong)} people"
        + (f"; {leaving} of {len(boxes)} boxes leave the image" if leaving else "")
        + (f"; {best}" if fitting[best] > READS else "")
    )


def _held(people: LabelledPeople, share: float = BOX_SLACK) -> Bool[np.ndarray, "N"]:
    """Whose box, enlarged by that share of its sides, holds half of the labelled keypoints or more."""
    corner, sides = people.boxes[:, None, :2], people.boxes[:, None, 2:]
    slack = share * sides + 1
    inside = ((people.points >= corner - slack) & (people.points <= corner + sides + slack)).all(axis=2)
    return np.asarray(2 * (inside & people.labelled).sum(axis=1) >= people.labelled.sum(axis=1))


def _fits(people: LabelledPeople) -> Bool[np.ndarray, "N"]:
    """Whose box lies in the image and holds the keypoints well."""
    starts = (people.boxes[:, :2] > -0.05 * people.sizes - 2).all(axis=1)
    return starts & ~leaves_image(people.boxes, people.sizes) & _held(people) & ~_in_upper_left(people)


def _in_upper_left(people: LabelledPeople) -> Bool[np.ndarray, "N"]:
    """Whose labels, four or more, take less than half of both sides of the box, up and left of its centre."""
    labelled, corner = people.labelled[..., None], np.maximum(people.boxes[:, :2], 0)
    sides = np.maximum(np.minimum(people.boxes[:, :2] + people.boxes[:, 2:], people.sizes) - corner, 0)
    low = np.where(labelled, people.points, np.inf).min(axis=1)
    high = np.where(labelled, people.points, -np.inf).max(axis=1)
    beside = (low + high) / 2 - corner - sides / 2 < -0.1 * sides
    return np.asarray((beside & (high - low < sides / 2)).all(axis=1) & (people.labelled.sum(axis=1) >= 4))


def _shares(people: LabelledPeople) -> Iterator[tuple[Bool[np.ndarray, "N"], str]]:
    """Who contradicts himself, and how."""
    box_areas = people.boxes[:, 2:].prod(axis=1)
    whole = np.asarray((people.boxes[:, 2:] > 0).all(axis=1))
    yield whole & (people.areas > AREA_RANGE[1] * box_areas), f"area is more than {AREA_RANGE[1]:g} times the bbox's"
    yield whole & (people.areas < AREA_RANGE[0] * box_areas), f"area is less than {AREA_RANGE[0]:g} of the bbox's"
    yield _repeated(people), REPEATED
    at_zero = ((people.points == 0).all(axis=2) & people.labelled).any(axis=1)
    yield at_zero, "a keypoint is labelled (visibility 1 or 2) at 0, 0"
    yield ~whole, "the bbox is empty, so no crop is taken, though keypoints are labelled"
