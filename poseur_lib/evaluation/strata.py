"""AP by kind of person: how much is hidden, truncation, view, size, company.

Ground truth outside a stratum is ignored, as COCO ignores people outside an area range. Detections are matched as COCO
does it, to people inside first: one that reaches the OKS threshold with a person inside may count as found, though it
fits a person outside better. An unmatched one belongs to the person it fits best (highest OKS), and is ignored if that
is a person outside. One that fits nobody (OKS under 0.1 with everyone) is a false positive in every stratum.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from pycocotools.cocoeval import COCOeval

from poseur_lib.evaluation.bootstrap import Scorer
from poseur_lib.evaluation.matches import ImageMatches, collect

FITS = 0.1
MEDIUM, LARGE = 32.0**2, 96.0**2  # COCO's limits of person area, square image pixels
GENERATED = "poseur_people"  # the key under which the generator says how it drew a person

Annotation = dict[str, Any]


@dataclass(frozen=True)
class Stratum:
    """Some of the labelled people.

    Attributes:
        group: what is told apart: "hidden", "truncated", "view", "size", "people".
        name: which part of the group.
    """

    group: str
    name: str
    annotation_ids: frozenset[int]


@dataclass(frozen=True)
class StratumMetrics:
    """AP and AR (times 100) of one stratum, and how many people are in it."""

    group: str
    name: str
    people: int
    AP: float
    AR: float


def hidden_share(annotation: Annotation) -> float:
    """Share of the labelled keypoints that are hidden (visibility 1), 0 to 1."""
    visibility = np.array(annotation["keypoints"][2::3])
    return float((visibility == 1).sum() / max(1, (visibility > 0).sum()))


def _hidden(annotation: Annotation) -> str:
    share = hidden_share(annotation)
    return "none" if share == 0 else "up to 25 %" if share <= 0.25 else "over 25 %"


def _truncated(annotation: Annotation) -> str | None:
    truncated = annotation.get(GENERATED, {}).get("truncated")
    return None if truncated is None else "truncated" if truncated else "whole"


def _view(annotation: Annotation) -> str | None:
    return annotation.get(GENERATED, {}).get("view")


def _size(annotation: Annotation) -> str:
    area = annotation["area"]
    return "small" if area < MEDIUM else "medium" if area < LARGE else "large"


NAMES: dict[str, tuple[str, ...]] = {
    "hidden": ("none", "up to 25 %", "over 25 %"),
    "truncated": ("whole", "truncated"),
    "view": ("front", "side", "back"),
    "size": ("small", "medium", "large"),
    "people": ("1", "2 or 3", "4 or more"),
}
"""The strata, in the order in which they are shown; "people" counts the labelled people of the image."""


def strata(evaluation: COCOeval) -> list[Stratum]:
    """The strata of the labelled people of an evaluation; empty ones are left out.

    Real COCO does not say how a person is seen or truncated, so those two groups are there for generated people only.
    """
    by_image = [annotations for annotations in _ground_truth(evaluation).values() if annotations]
    members: dict[tuple[str, str], set[int]] = defaultdict(set)
    of_person: dict[str, Callable[[Annotation], str | None]] = {
        "hidden": _hidden, "truncated": _truncated, "view": _view, "size": _size,
    }  # fmt: skip
    for annotations in by_image:
        company = "1" if len(annotations) == 1 else "2 or 3" if len(annotations) <= 3 else "4 or more"
        for annotation in annotations:
            members["people", company].add(annotation["id"])
            for group, name_of in of_person.items():
                if (name := name_of(annotation)) is not None:
                    members[group, name].add(annotation["id"])
    return [
        Stratum(group, name, frozenset(members[group, name]))
        for group, names in NAMES.items()
        for name in names
        if members.get((group, name))
    ]


def _ground_truth(evaluation: COCOeval) -> dict[int, list[Annotation]]:
    """The people of each image that count."""
    by_image: dict[int, list[Annotation]] = {}
    coco = evaluation.cocoGt
    for image_id in evaluation.params.imgIds:
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image_id))
        by_image[int(image_id)] = [one for one in annotations if not one["iscrowd"] and one["num_keypoints"] > 0]
    return by_image


def stratum_matches(evaluation: COCOeval, stratum: Stratum) -> ImageMatches:
    """The matches in which only the people of a stratum count, for AP and for intervals.

    Args:
        evaluation: see `coco_evaluation`; it is left as it was.
    """
    parameters = evaluation.params
    category, limit = parameters.catIds[0], parameters.maxDets[-1]
    per_image = []
    for image_id in parameters.imgIds:
        people = evaluation._gts[image_id, category]
        before = [person["ignore"] for person in people]
        outside = np.array([person["id"] not in stratum.annotation_ids for person in people], bool)
        for person, out in zip(people, outside, strict=True):
            person["ignore"] = int(person["ignore"] or out)
        one = evaluation.evaluateImg(image_id, category, parameters.areaRng[0], limit)
        for person, ignore in zip(people, before, strict=True):
            person["ignore"] = ignore
        if one is not None and len(people):
            elsewhere = _fits_outside(evaluation.ious[image_id, category], outside, len(one["dtIds"]))
            one["dtIgnore"] = np.logical_or(one["dtIgnore"], (np.asarray(one["dtMatches"]) == 0) & elsewhere)
        per_image.append(one)
    return collect(evaluation, per_image)


def _fits_outside(
    similarity: Float[np.ndarray, "D G"] | list, outside: Bool[np.ndarray, "G"], detections: int
) -> Bool[np.ndarray, "D"]:
    """Which detections, in the order of their scores, fit a person outside the stratum best."""
    if detections == 0 or len(similarity) == 0:
        return np.zeros(detections, bool)
    similarity = np.asarray(similarity)[:detections]
    return (similarity.max(axis=1) >= FITS) & outside[similarity.argmax(axis=1)]


def evaluate_strata(evaluation: COCOeval) -> list[StratumMetrics]:
    """AP and AR of every stratum of the labelled people."""
    return [
        StratumMetrics(one.group, one.name, len(one.annotation_ids), Scorer(matches)(), Scorer(matches, "AR")())
        for one in strata(evaluation)
        for matches in [stratum_matches(evaluation, one)]
    ]
