"""How many keypoints a run finds of cut people: in its crop, beyond the cut, and outside the crop (supp. Fig. 1).

`outside_in_training` counts those outside the crop in training: what the knob `supervise_outside_crop` has to act on.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from poseur_lib.config.base import Frozen
from poseur_lib.config.data import AugmentConfig
from poseur_lib.data.coco import CocoPeople, Person
from poseur_lib.data.crop import PIXELS_PER_SCALE, PLAIN, CropRule, inside_crop
from poseur_lib.data.dataset import view_person
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.inference import predict_people
from poseur_lib.evaluation.truncation import Cut, CutImages, Side, correct, cut_people, places
from poseur_lib.keypoints import KeypointSet
from poseur_study.analysis.measured_values import MeasuredValues, StoredSample
from poseur_study.measurements.measure import measure_rows
from poseur_study.measurements.trained_models import RowModel, study_runtime
from poseur_study.runs.evaluation_file import BOOTSTRAP_SEED, image_weights
from poseur_study.table_study import TableStudy

SIDES: tuple[Side, ...] = ("bottom", "right")
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
ZONES = ("inside", "padding", "outside", "far")
"""The places of `evaluation.truncation.Places`."""
PEOPLE = 1000
"""Of the train split."""
MOST_IMAGES = 1000
"""Of the val split: every person is predicted a dozen times."""
CUT_RESAMPLES = 300
EXAMPLE_CUT = Cut("bottom", 0.4)
EXAMPLES = 3
EXAMPLE_SEED = 0
LEAST_OUTSIDE = 4
"""Labelled keypoints outside the crop of a person who is drawn."""


class ZonePoint(Frozen):
    """One place of keypoints at one cut.

    Attributes:
        share: of the box that is cut off; None: all shares above 0 together.
        zone: one of `ZONES`.
        keypoints: that lie there.
        placed_outside: per cent of them whose prediction lies outside the crop; None where there are none.
        correct: per cent of them with a prediction that is near enough.
    """

    side: Side
    share: float | None
    zone: str
    keypoints: int
    placed_outside: float | None
    correct: StoredSample


class ExamplePose(Frozen):
    """What a run predicts for a cut person who is drawn.

    Attributes:
        crop: (x0, y0, x1, y1) of the cropped region in pixels of the image.
        keypoints: (x, y) in pixels of the image.
    """

    annotation_id: int
    crop: tuple[float, ...]
    keypoints: tuple[tuple[float, ...], ...]


class TruncatedRun(MeasuredValues):
    """One run on cut people."""

    points: tuple[ZonePoint, ...]
    examples: tuple[ExamplePose, ...]

    def lines(self) -> Sequence[Mapping[str, Any]]:
        """A line a cut and place."""
        return [
            {
                "side": point.side, "share cut": "all" if point.share is None else point.share, "zone": point.zone,
                "keypoints": point.keypoints, "placed outside %": point.placed_outside,
                "correct %": point.correct.value,
            }
            for point in self.points
        ]  # fmt: skip


Tally = Float[np.ndarray, "3 I Z"]
"""Keypoints counted by image (of I) and zone: how many there are, are correct, and are placed outside the crop."""


def measurement_settings() -> dict[str, Any]:
    """What the values depend on beside the run."""
    return {
        "sides": list(SIDES), "shares": list(SHARES), "images": MOST_IMAGES,
        "resamples": [CUT_RESAMPLES, BOOTSTRAP_SEED],
        "examples": [EXAMPLE_CUT.side, EXAMPLE_CUT.share, EXAMPLES, EXAMPLE_SEED, LEAST_OUTSIDE],
    }  # fmt: skip


def truncation(study: TableStudy) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every run of a table on cut people, where there are weights or it was measured before: keypoints, and examples.

    Columns of the first: row, seed, side, cut (share of the box; `all`: those above 0 together), zone, keypoints (that
    lie there), outside (per cent of them that are placed outside the crop), correct (per cent of them), sample (the
    same with its resamples). Of the second, a line a person: row, seed, person (id of the annotation), crop (x0, y0,
    x1, y1) and pose (K, 2), both in pixels of the image. `attrs["images"]` of the first counts the images.
    """
    measure = partial(measure_truncation, study)
    found = measure_rows(study, "truncation", TruncatedRun, measure, measurement_settings())
    columns = ("side", "cut", "zone", "keypoints", "outside", "correct", "sample")
    keypoints = found.frame(study, columns, _point_lines).astype({"outside": float, "correct": float})
    keypoints.attrs["images"] = len(measured_images(study))
    poses = found.frame(study, ("person", "crop", "pose"), _pose_lines)
    return keypoints, poses


def _point_lines(of: TruncatedRun) -> Iterator[tuple[Any, ...]]:
    for one in of.points:
        cut = "all" if one.share is None else one.share
        yield one.side, cut, one.zone, one.keypoints, one.placed_outside, one.correct.value, one.correct


def _pose_lines(of: TruncatedRun) -> Iterator[tuple[Any, ...]]:
    return ((one.annotation_id, one.crop, np.array(one.keypoints)) for one in of.examples)


def measure_truncation(study: TableStudy, of: RowModel) -> TruncatedRun:
    """Predict the people of the val split's first images again for every cut."""
    val, rule, images = study.dataset.val, of.model.head.crop_rule, measured_images(study)
    people = [person for person in val.people() if person.image_id <= images[-1]]
    points: list[ZonePoint] = []
    for side in SIDES:
        tallies = {}
        for share in SHARES:
            cut = Cut(side, share)
            tallies[share] = count(predict_cut(study, of, people, cut), people, cut, val.keypoints, rule, images)
        points += side_points(side, tallies)
    drawn = example_people(people, val.keypoints, of.run.config.data.input_size, rule)
    return TruncatedRun(points=tuple(points), examples=_examples(drawn, predict_cut(study, of, drawn, EXAMPLE_CUT)))


def measured_images(study: TableStudy) -> list[int]:
    """Ids of the images whose people are cut, in order, those without people included."""
    return study.dataset.val.image_ids[:MOST_IMAGES]


def predict_cut(study: TableStudy, of: RowModel, people: Sequence[Person], cut: Cut) -> PredictedPeople:
    """What a run predicts for people who are cut."""
    images = CutImages(people, cut)
    return predict_people(of.model, cut_people(people, cut), of.run.config, study_runtime(study), images)


def count(
    predictions: PredictedPeople,
    people: Sequence[Person],
    cut: Cut,
    keypoints: KeypointSet,
    rule: CropRule,
    images: Sequence[int],
) -> Tally:
    """Predictions for cut people, counted by image and zone.

    Args:
        people: uncut, in the order of the predictions.
        rule: of the crops.
        images: ids of all images, in order, those without people included.
    """
    where = places(people, cut, keypoints, predictions.input_size, rule)
    zones = np.stack([getattr(where, zone) for zone in ZONES], axis=-1)
    hits = correct(predictions.keypoints_image(), people, keypoints)
    beside = ~inside_crop(predictions.keypoints * rule.extent_px(predictions.input_size), predictions.input_size)
    of_image = np.searchsorted(np.asarray(images), predictions.image_id)
    tally = np.zeros((3, len(images), len(ZONES)))
    for counted, chosen in zip(tally, (True, hits[..., None], beside[..., None]), strict=True):
        np.add.at(counted, of_image, (zones & chosen).sum(axis=1))
    return tally


def side_points(side: Side, tallies: Mapping[float, Tally]) -> list[ZonePoint]:
    """The points of every share, and of all above 0 together."""
    pooled = sum(tally for share, tally in tallies.items() if share)
    return [point for share, tally in (*tallies.items(), (None, pooled)) for point in zone_points(side, share, tally)]


def zone_points(side: Side, share: float | None, tally: Tally) -> list[ZonePoint]:
    """A point for every zone."""
    keypoints, found, _ = tally
    weights = image_weights(len(keypoints))[:CUT_RESAMPLES]
    total, hits, beside = tally.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        values, placed = 100 * hits / total, 100 * beside / total
        draws = 100 * (weights @ found) / (weights @ keypoints)
    return [
        ZonePoint(
            side=side,
            share=share,
            zone=zone,
            keypoints=int(total[number]),
            placed_outside=round(float(placed[number]), 3) if total[number] else None,
            correct=StoredSample.of(float(values[number]), draws[:, number]),
        )
        for number, zone in enumerate(ZONES)
    ]


def example_people(
    people: Sequence[Person], keypoints: KeypointSet, input_size: tuple[int, int], rule: CropRule
) -> list[Person]:
    """Who is drawn: some of those with enough labelled keypoints outside the crop, by lot.

    They are the same for every run that has crops of this size and rule.
    """
    outside = places(people, EXAMPLE_CUT, keypoints, input_size, rule).outside.sum(-1)
    enough = np.flatnonzero(outside >= LEAST_OUTSIDE)
    chosen = np.random.default_rng(EXAMPLE_SEED).permutation(enough)[:EXAMPLES]
    return [people[index] for index in sorted(chosen)]


def _examples(people: Sequence[Person], predictions: PredictedPeople) -> tuple[ExamplePose, ...]:
    half = predictions.box_scale * PIXELS_PER_SCALE / 2
    crops = np.concatenate([predictions.center - half, predictions.center + half], axis=1)
    return tuple(
        ExamplePose(annotation_id=person.annotation_id, crop=_rounded(crop), keypoints=tuple(map(_rounded, pose)))
        for person, crop, pose in zip(people, crops, predictions.keypoints_image(), strict=True)
    )


def _rounded(values: Float[np.ndarray, "N"]) -> tuple[float, ...]:
    return tuple(round(float(value), 1) for value in values)


def outside_in_training(study: TableStudy) -> pd.DataFrame:
    """By augmentation (this table's, the profile's): people, their labelled keypoints, and per cent of these outside.

    Of the first people of the train split, one augmented crop each, by the plain crop rule.
    """
    data, config = (
        CocoPeople(study.dataset.root, "train", study.dataset.val.keypoints),
        next(iter(study.configs.values())),
    )
    kinds = {"this table": config.train, f"profile {study.profile.name}": study.profile.config.train}
    lines = {name: _counted(data, train.augment, config.data.input_size) for name, train in kinds.items()}
    return pd.DataFrame.from_dict(lines, orient="index", columns=["people", "keypoints", "outside, %"])


def _counted(data: CocoPeople, augment: AugmentConfig | None, input_size: tuple[int, int]) -> tuple[int, int, float]:
    labelled = outside = 0
    people = data.people()[:PEOPLE]
    for index, person in enumerate(people):
        width = data.coco.imgs[person.image_id]["width"]
        view = view_person(person, width, data.keypoints, input_size, PLAIN, augment, (0, 0, index))
        known = view.visibility > 0
        labelled += int(known.sum())
        outside += int((known & ~inside_crop(view.keypoints_px, input_size)).sum())
    return len(people), labelled, 100 * outside / max(labelled, 1)
