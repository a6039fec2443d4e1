"""Tidy frames of what a table's runs have left: one line an observation, rows by their labels in the table's order.

Everything is read from records, evaluations and, where they are here, full predictions; no weights are needed.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from poseur_lib.config import ExperimentConfig, PretextConfig, PretextRunConfig
from poseur_lib.data.coco import labels_of
from poseur_lib.data.crop import CropRule
from poseur_lib.evaluation.bootstrap import Scorer
from poseur_lib.evaluation.calibration import label_offsets
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.evaluation.errors import ErrorType
from poseur_lib.evaluation.oks import keypoint_similarity
from poseur_lib.evaluation.pckh import THRESHOLDS
from poseur_lib.evaluation.strata import NAMES
from poseur_lib.training.curve import Curve
from poseur_study.analysis.table_data import AREAS, TableData
from poseur_study.experiments.experiment import METRICS, Table
from poseur_study.paper.tables import Printed, paper_tables
from poseur_study.runs.evaluation_file import SIZES, TRUNCATED, VIEWS, RunEvaluation
from poseur_study.runs.record import Record


class TableFrames:
    """The frames of a table's finished runs; a frame without a run is empty, with the same columns."""

    def __init__(self, data: TableData) -> None:
        self.data = data

    @property
    def finished(self) -> Iterator[tuple[str, str, int]]:
        """Key, label and seed of each finished run, a rescored row counted as one."""
        for row in self.data.table.runnable:
            for seed in self.data.done(row.key):
                yield row.key, row.label, seed

    def record(self, row: str, seed: int) -> Record:
        """The record of a finished run; a row is given by its key or its label.

        Raises:
            UserError: there is no such row or seed, or the run has no record here.
        """
        return self.data.store.record(self.data.run(row, seed).run_id)

    def ap(self) -> pd.DataFrame:
        """AP and AR (x 100) by the table's boxes: row, seed, AP, AP50, AP75, AP_M, AP_L, AR; `pckh` has PCKh."""
        lines = [(label, seed, *self._metrics(key, seed)) for key, label, seed in self.finished]
        return self._frame(lines, ("row", "seed", *METRICS))

    def pckh(self) -> pd.DataFrame:
        """PCKh (x 100) of people with head boxes: row, seed, threshold, of, PCKh.

        `of` is "all joints" (weighted by their number, HRNet's mean), "kinds of joints" (weighted alike), or at 0.5
        alone a group of MPII's tables.
        """
        lines: list[tuple[Any, ...]] = []
        for key, label, seed in self.finished:
            if (hits := self.data.evaluation(key, seed).pckh) is None:
                continue
            found = hits.metrics(self.data.dataset.keypoints.names)
            for threshold, weighted, kinds in zip(THRESHOLDS, found.weighted, found.unweighted, strict=True):
                lines += [
                    (label, seed, threshold, "all joints", weighted),
                    (label, seed, threshold, "kinds of joints", kinds),
                ]
            lines += [(label, seed, THRESHOLDS[0], *group) for group in found.of_groups.items()]
        return self._frame(lines, ("row", "seed", "threshold", "of", "PCKh"))

    def scores(self) -> pd.DataFrame:
        """Every detection after OKS-NMS: row, seed, image, person, OKS, rank.

        `person` is the id of the annotation that the pose fits best, none where it has OKS of 0.1 with nobody; OKS is 0
        to 1, to a thousandth, 0 without a person; `rank` is the place in the order of a run's scores, 0 is the lowest.
        """
        frame = self.data.scores().rename(columns={"score": "rank"})
        labels = {row.key: row.label for row in self.data.table.rows}
        return self._ordered(frame.assign(row=frame["row"].map(labels)))

    def best_oks(self) -> pd.DataFrame:
        """The best OKS (x 100) of every labelled person, 0 where no detection fits: row, seed, person, OKS."""
        found = self.data.scores().dropna(subset="person").groupby(["row", "seed", "person"])["OKS"].max()
        people = self.people()["person"]
        lines = [
            (label, seed, person, 100 * found.get((key, seed, person), 0.0))
            for key, label, seed in self.finished
            for person in people
        ]
        return self._frame(lines, ("row", "seed", "person", "OKS"))

    def people(self) -> pd.DataFrame:
        """The labelled people of the val split: image, person, size, hidden (a share), truncated, view, company.

        `truncated` and `view` are known of generated people only; `company` counts the labelled people of the image.
        """
        columns = ("image", "person", "size", "hidden", "truncated", "view", "company")
        first = next(self.finished, None)
        return pd.DataFrame(
            [] if first is None else list(_people(self.data.evaluation(first[0], first[2]))), columns=columns
        )

    def errors(self) -> pd.DataFrame:
        """Labelled keypoints by error type at ground-truth boxes: row, seed, image (its place), error, keypoints."""
        lines = [
            (label, seed, image, kind.word, int(number))
            for key, label, seed in self.finished
            for kind, of_kind in zip(ErrorType, self.data.evaluation(key, seed).errors.types, strict=True)
            for image, number in enumerate(of_kind)
        ]
        return self._frame(lines, ("row", "seed", "image", "error", "keypoints"))

    def parts(self) -> pd.DataFrame:
        """Mean similarity (OKS's term, x 100): row, seed, by, part, keypoints (their number), similarity.

        `by` is keypoint, left and right together (part `wrist`), or visibility (part `seen` or `hidden`).
        """
        lines = [
            (label, seed, part, name, number, mean)
            for key, label, seed in self.finished
            for part, name, number, mean, _ in self.data.evaluation(key, seed).errors.similarities()
        ]
        return self._frame(lines, ("row", "seed", "by", "part", "keypoints", "similarity"))

    def keypoints(self) -> pd.DataFrame:
        """Every labelled keypoint at ground-truth boxes, of the runs whose predictions are here.

        Columns: row, seed, image, person, keypoint, visibility (1 hidden, 2 visible), inside (the crop), dx and dy
        (prediction minus label, % of the crop's width and height), error (distance, crop pixels), similarity (OKS's
        term, 0 to 1), sigma_x and sigma_y (%, none where the method has none), score (on the method's own scale).
        `attrs["missing"]` names the runs that are left out, and so does a warning.
        """
        found, missing = [], []
        for key, label, seed in self.finished:
            if self.data.store.has_predictions(self.data.runs[key, seed].run_id):
                found.append(self._keypoints(key, seed).assign(row=label, seed=seed))
            else:
                missing.append(f"{label}, seed {seed}")
        columns = ["row", "seed", *KEYPOINT_COLUMNS]
        frame = pd.concat(found)[columns] if found else pd.DataFrame(columns=columns)
        frame = self._ordered(frame.reset_index(drop=True))
        frame.attrs["missing"] = tuple(missing)
        if missing:
            frame.attrs["note"] = f"Left out, as their predictions are not here: {'; '.join(missing)}."
            warnings.warn(f"keypoints(): {frame.attrs['note']}", stacklevel=2)
        return frame

    def poses(self, row: str, seed: int) -> dict[int, Float[np.ndarray, "K 2"]]:
        """A run's poses at ground-truth boxes, image pixels, by annotation id; none where they are not here.

        A row is given by its key or its label.

        Raises:
            UserError: there is no such row or seed.
        """
        if not self.data.store.has_predictions(self.data.run(row, seed).run_id):
            return {}
        poses = self.data.predictions(self.data.table.row(row).key, seed, BoxSource.GROUND_TRUTH).keypoints_image()
        return {person.annotation_id: pose for person, pose in zip(self.data.dataset.val.people(), poses, strict=True)}

    def curves(self) -> pd.DataFrame:
        """How runs learned, a line an epoch: row, seed, epoch, people (seen), seconds, loss, AP, mean OKS, terms.

        AP and mean OKS are those of some people at ground-truth boxes without flip test, none where not measured; the
        AP of an end-to-end model is one in its own boxes. What else no run has is no column.
        """
        found = [
            curve_frame(self.record(key, seed).curve).assign(row=label, seed=seed) for key, label, seed in self.finished
        ] or [curve_frame(()).assign(row=None, seed=None)]
        frame = pd.concat(found, ignore_index=True).drop(columns="IoU")
        named = ["row", "seed", "epoch", "people", "seconds", "loss", "AP", "mean OKS"]
        others = [name for name in frame.columns.drop(named) if not frame[name].isin([None, ""]).all()]
        return self._ordered(frame[named + others])

    def paired(self, frame: pd.DataFrame, value: str, by: str | list[str]) -> pd.DataFrame:
        """A frame with a column for each of the table's rows, none where it was not run: mean values a line of `by`."""
        labels = [row.label for row in self.data.table.runnable]
        wide = (
            frame.groupby([*([by] if isinstance(by, str) else by), "row"], observed=True)[value].mean().unstack("row")
        )
        return wide.astype(float).reindex(columns=pd.Index(labels, name="row"))

    def _metrics(self, row_key: str, seed: int) -> tuple[float, ...]:
        """By the record; of rows with scores of their own, matched again."""
        if self.data.table.row(row_key).scoring is None:
            metrics = self.record(row_key, seed).of(self.data.boxes)
            return tuple(np.nan if (value := getattr(metrics, name)) is None else value for name in METRICS)
        matches = self.data.matches(row_key, seed)
        return tuple(Scorer(matches[AREAS.get(name, "all")], "AP" if name in AREAS else name)() for name in METRICS)

    def _keypoints(self, row_key: str, seed: int) -> pd.DataFrame:
        predictions = self.data.predictions(row_key, seed, BoxSource.GROUND_TRUTH)
        people, keypoints = self.data.dataset.val.people(), self.data.dataset.keypoints
        truth, visibility, area = labels_of(people)
        codec = getattr(self.data.runs[row_key, seed].config.model.head, "codec", None)
        rule = CropRule(unbiased=codec is not None and codec.unbiased)
        offset, inside = label_offsets(predictions, people, rule)
        chosen = visibility > 0
        person, keypoint = np.nonzero(chosen)
        sigma = np.full(offset.shape, np.nan) if predictions.sigma is None else predictions.sigma
        similarity = keypoint_similarity(predictions.keypoints_image(), truth, area, keypoints.oks_sigmas)
        return pd.DataFrame({
            "image": predictions.image_id[person],
            "person": np.array([one.annotation_id for one in people])[person],
            "keypoint": pd.Categorical.from_codes(keypoint, categories=list(keypoints.names)),
            "visibility": visibility[chosen].astype(int),
            "inside": inside[chosen],
            "dx": 100 * offset[chosen][:, 0], "dy": 100 * offset[chosen][:, 1],
            "error": np.linalg.norm(offset * rule.extent_px(predictions.input_size), axis=-1)[chosen],
            "similarity": similarity[chosen],
            "sigma_x": 100 * sigma[chosen][:, 0], "sigma_y": 100 * sigma[chosen][:, 1],
            "score": predictions.keypoint_scores[chosen],
        })  # fmt: skip

    def _frame(self, lines: list[tuple[Any, ...]], columns: tuple[str, ...]) -> pd.DataFrame:
        return self._ordered(pd.DataFrame(lines, columns=list(columns)))

    def _ordered(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Rows as categories in the table's order."""
        return frame.assign(row=pd.Categorical(frame["row"], [row.label for row in self.data.table.runnable]))


KEYPOINT_COLUMNS = (
    "image", "person", "keypoint", "visibility", "inside", "dx", "dy", "error", "similarity", "sigma_x", "sigma_y",
    "score",
)  # fmt: skip


def _people(evaluation: RunEvaluation) -> Iterator[tuple[Any, ...]]:
    people = evaluation.people
    images = np.repeat(np.cumsum(people.image_id), people.per_image)
    counted = pd.Series(people.counted > 0).groupby(images).sum()
    for place, (image, person) in enumerate(zip(images, np.cumsum(people.id), strict=True)):
        if people.counted[place]:
            area = SIZES[people.size[place]]
            size = NAMES["size"][SIZES.index(area)] if area < SIZES[-1] else "large"
            hidden = people.hidden[place] / people.labelled[place]
            truncated, view = TRUNCATED[people.truncated[place]], VIEWS[people.view[place]]
            yield int(image), int(person), size, float(hidden), truncated, view, int(counted[image])


def paper_frame(table: Table) -> pd.DataFrame:
    """The numbers that the paper prints of a table's rows: row, and a column each; none where it prints none."""
    lines = [
        {"row": row.label} | {name: cell.value if isinstance(cell := row.printed(name), Printed) else np.nan
                              for name in table.columns}
        for row in table.rows
    ]  # fmt: skip
    return pd.DataFrame(lines).set_index("row")


def subjects_frame(table: Table) -> pd.DataFrame:
    """What the rows are, by one name in all tables: row, method, kind (heatmap, regression), backbone, input."""
    lines = []
    for row in table.rows:
        if row.paper is not None:
            one = paper_tables()[row.paper[0]].row(row.paper[1]).subject
            lines.append((row.label, one.method, one.kind.value, one.backbone, one.input))
    return pd.DataFrame(lines, columns=["row", "method", "kind", "backbone", "input"]).set_index("row")


def flatten(tree: Any, path: str = "") -> dict[str, Any]:
    """A JSON tree as dotted path -> value; lists stay whole."""
    if not isinstance(tree, dict):
        return {path: tree}
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= flatten(value, f"{path}.{name}" if path else name)
    return found


def variants_frame(table: Table, configs: dict[str, ExperimentConfig]) -> pd.DataFrame:
    """A line a row that can be run, a column a setting that differs between the rows' configurations.

    Args:
        configs: by row key.
    """
    flat = {row.label: flatten(configs[row.key].model_dump(mode="json")) for row in table.runnable}
    paths = list(dict.fromkeys(path for of_row in flat.values() for path in of_row))
    moving = [path for path in paths if len({str(of_row.get(path)) for of_row in flat.values()}) > 1]
    frame = pd.DataFrame(
        {path: [of_row.get(path) for of_row in flat.values()] for path in moving}, index=list(flat), dtype=object
    )
    if any(row.scoring for row in table.rows):
        frame["scored by"] = [row.scoring.value if row.scoring else "its own score" for row in table.runnable]
    return frame.rename_axis("row")


def changed_settings(config: ExperimentConfig | PretextRunConfig) -> pd.DataFrame:
    """The settings of a run that differ from the defaults, which are the released code's: setting, here, default."""
    default = flatten(type(config)().model_dump(mode="json"))
    default = flatten({"pretext": PretextConfig().model_dump(mode="json")}) | default
    here = flatten(config.model_dump(mode="json"))
    lines = [(path, str(value), str(default.get(path))) for path, value in here.items() if default.get(path) != value]
    return pd.DataFrame(lines, columns=["setting", "here", "default"]).set_index("setting")


def curve_frame(curve: Curve) -> pd.DataFrame:
    """How a run learned, a line an epoch: epoch, people, seconds, loss, AP, mean OKS, IoU (pretraining), loss terms."""
    names = {"images": "people", "ap": "AP", "mean_oks": "mean OKS", "part_iou": "IoU"}
    points = [{**point.model_dump(exclude={"terms", "step"}), **point.terms} for point in curve]
    columns = ["epoch", "images", "seconds", "loss", "ap", "mean_oks", "part_iou"]
    terms = dict.fromkeys(name for point in points for name in point if name not in columns)
    frame = pd.DataFrame(points, columns=[*columns, *terms]).rename(columns=names)
    return frame.astype({"AP": float, "mean OKS": float, "IoU": float})
