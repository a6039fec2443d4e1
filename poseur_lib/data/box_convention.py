"""Which convention boxes and categories follow: COCO's is (x, y, width, height) in pixels, and categories from 1."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from poseur_lib.errors import listed

BEYOND_PX, BEYOND_SHARE = 2.0, 0.02
"""A box leaves the image by more than so many pixels and so much of the side: less is rounding."""
CLEARLY = 0.1
"""Of the side: boxes of which none leaves the image by so much may also be a detector's that does not cut them."""


def leaves_image(boxes: Float[np.ndarray, "N 4"], sizes: Float[np.ndarray, "N 2"]) -> Bool[np.ndarray, "N"]:
    """Whether (x, y, width, height) reaches beyond the image of (width, height), right or below."""
    beyond = boxes[:, :2] + boxes[:, 2:] - sizes
    return np.asarray((beyond > np.maximum(BEYOND_PX, BEYOND_SHARE * sizes)).any(axis=1))


def reads_as_corners(boxes: Float[np.ndarray, "N 4"], sizes: Float[np.ndarray, "N 2"]) -> Bool[np.ndarray, "N"]:
    """Whether the four numbers are a box inside the image if they are taken as (left, top, right, bottom)."""
    ordered = (boxes[:, 2:] > boxes[:, :2]) & (boxes[:, 2:] <= sizes + BEYOND_PX)
    return np.asarray(ordered.all(axis=1) & (boxes[:, :2] >= -BEYOND_PX).all(axis=1))


def corners_guess(boxes: Float[np.ndarray, "N 4"], sizes: Float[np.ndarray, "N 2"]) -> int | None:
    """The first box that leaves its image, where all boxes were rather written as corners; None where they were not.

    All of them have to be boxes inside their images as corners, and one has to leave its image clearly, or half of
    them.
    """
    if not len(boxes) or not reads_as_corners(boxes, sizes).all():
        return None
    leaving = leaves_image(boxes, sizes)
    clearly = ((boxes[:, :2] + boxes[:, 2:] - sizes) / sizes > CLEARLY).any()
    return int(leaving.argmax()) if leaving.any() and (clearly or leaving.mean() >= 0.5) else None


def corners_message(box: Sequence[float], image_size: tuple[float, float], leaving: int, boxes: int) -> str:
    """What to say of boxes that were rather written as corners; `image_size` is (height, width)."""
    return (
        f"bbox {list(box)} leaves the image of {image_size[1]:g} x {image_size[0]:g} pixels: {leaving} of {boxes} boxes"
        " do, and all fit as (left, top, right, bottom); write [x, y, width, height]"
    )


def is_normalised(box: Sequence[float], image_size: tuple[float, float]) -> bool:
    """Whether a box is one of fractions of an image, whose (height, width) is larger than a few pixels."""
    x, y, width, height = box
    return min(image_size) > 4 and 0 <= x <= 1 and 0 <= y <= 1 and 0 < width <= 1 and 0 < height <= 1


def box_list_problems(
    where: Sequence[str], boxes: Sequence[Sequence[float]], image_sizes: Sequence[tuple[float, float]]
) -> Iterator[str]:
    """What is wrong with the convention of boxes whose images' (height, width) are known; `where` names each box."""
    for place, box, size in zip(where, boxes, image_sizes, strict=True):
        if is_normalised(box, size):
            yield f"{place}: bbox {list(box)} is a fraction of the image: boxes are in pixels"
            return
    array = np.array(boxes, np.float64).reshape(-1, 4)
    sizes = np.array(image_sizes, np.float64).reshape(-1, 2)[:, ::-1]
    if (first := corners_guess(array, sizes)) is not None:
        leaving = int(leaves_image(array, sizes).sum())
        yield f"{where[first]}: {corners_message(boxes[first], image_sizes[first], leaving, len(boxes))}"


def detector_problems(
    entries: Sequence[dict[str, Any]],
    category_id: int,
    sizes: Mapping[int, tuple[float, float]],
    known: Sequence[int] = (),
) -> Iterator[str]:
    """What is wrong with a detector's categories and boxes, once each entry is sound in itself.

    Args:
        category_id: the people's.
        sizes: (height, width) of the images that are known.
        known: the ids of the data set's categories.
    """
    for position, entry in enumerate(entries):
        if entry.get("category_id", category_id) == 0 and 0 not in (category_id, *known):
            yield (
                f"detection {position} (image {entry['image_id']}): category_id is 0, but people are category "
                f"{category_id}: the file seems to count categories from 0, so that {category_id} would be another one"
            )
            return
    people = [
        (position, entry)
        for position, entry in enumerate(entries)
        if entry.get("category_id", category_id) == category_id
        and entry["image_id"] in sizes
        and min(entry["bbox"][2:]) > 0
    ]
    where = [f"detection {position} (image {entry['image_id']})" for position, entry in people]
    yield from box_list_problems(
        where, [entry["bbox"] for _, entry in people], [sizes[entry["image_id"]] for _, entry in people]
    )


def categories_note(entries: Sequence[dict[str, Any]], category_id: int) -> str:
    """Which categories of a detector's file are left out; "" if none is."""
    counts = Counter(entry.get("category_id", category_id) for entry in entries)
    taken = counts.pop(category_id, 0)
    if not counts:
        return ""
    others = [f"{category} ({count})" for category, count in sorted(counts.items(), key=lambda item: str(item[0]))]
    return f"people are category {category_id}: {taken} boxes; left out are those of category {listed(others, 5)}"
