"""The released checkpoints' column of a table: from the records of those that were evaluated on its data set."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

from poseur_lib.evaluation.ap import evaluate_predictions
from poseur_lib.evaluation.matches import Area, ImageMatches
from poseur_study.analysis.effect import Effect
from poseur_study.analysis.interval import Estimate, Sample, estimate, weighted
from poseur_study.analysis.result_types import CellResult, ClaimResult, RowResult, TableResult
from poseur_study.analysis.table_data import TableData, all_matches, metric_sample
from poseur_study.analysis.verdict import Evidence, level
from poseur_study.experiments.experiment import METRICS, ClaimTest, Metric
from poseur_study.experiments.profiles import COCO_VAL_IMAGES
from poseur_study.released_checkpoints.row_match import UNKNOWN_SIZE, can_be_evaluated, is_of, paper_config, rivalled
from poseur_study.released_checkpoints.store import Evaluated, ReleasedStore

STRENGTH = tuple(Evidence)  # strongest first


@dataclass(frozen=True)
class Choice:
    """The evaluated checkpoint of a row, or None; `note` says which, or why there is none where some fit."""

    evaluated: Evaluated | None
    note: str = ""

    @property
    def decides(self) -> bool:
        """True if a claim may rest on it."""
        return self.evaluated is not None and self.evaluated.match.size_known


@dataclass(frozen=True, eq=False)
class ReleasedColumn:
    """The checkpoints that were evaluated on a table's data set, each beside the row that it is of."""

    data: TableData

    @cached_property
    def store(self) -> ReleasedStore:
        """Where evaluated checkpoints are kept."""
        return ReleasedStore(self.data.store.folder.parent)

    @cached_property
    def evaluated(self) -> tuple[Evaluated, ...]:
        """All of them, whatever rows they are of."""
        return self.store.evaluated(self.data.dataset.fingerprint)

    @property
    def evidence(self) -> Evidence:
        """What the column is worth: it speaks of the paper on the whole of COCO val only, in the table's boxes."""
        data = self.data
        whole = data.n_images >= COCO_VAL_IMAGES and not data.dataset.generated and data.boxes == data.table.boxes
        return Evidence.RELEASED if whole else Evidence.NONE

    def beside(self, result: TableResult) -> TableResult:
        """A table's results with the column, and claims that rest on it where it is the stronger evidence."""
        if not self.evaluated:
            return result
        claims = zip(self.data.table.claims, result.claims, strict=True)
        return result.model_copy(
            update={
                "rows": tuple(self._row(row) for row in result.rows),
                "claims": tuple(self._claim(claim, of_claim, result.evidence) for claim, of_claim in claims),
                "released_evidence": self.evidence,
            }
        )

    @lru_cache(maxsize=256)  # noqa: B019 it lives as long as a table's results are collected
    def chosen(self, row_key: str) -> Choice:
        """The one evaluated checkpoint that is a row's; of several, none."""
        row = self.data.table.row(row_key)
        if not can_be_evaluated(self.data.table, row):
            return Choice(None)
        config = paper_config(self.data.table, row)
        fitting = [one for one in self.evaluated if is_of(one.match.config, config)]
        left = [one for one in fitting if not any(rivalled(one.match, other.match) for other in fitting)]
        if len(left) == 1 and self.data.boxes in left[0].predicted:
            file = left[0].match.file
            return Choice(left[0], file.name if file.size_known else f"{file.name}: {UNKNOWN_SIZE}")
        names = ", ".join(sorted(one.match.file.name for one in fitting))
        return Choice(None, f"ambiguous: {names}" if len(fitting) > 1 else "")

    @lru_cache(maxsize=8)  # noqa: B019
    def matches(self, row_key: str) -> dict[Area, ImageMatches]:
        """Of the row's checkpoint, scored as the row has it in the paper."""
        row = self.data.table.row(row_key)
        loaded = self.store.records.load(self.chosen(row_key).evaluated.record.run_id)
        predictions, config = loaded.predictions[self.data.boxes], paper_config(self.data.table, row)
        return all_matches(evaluate_predictions(self.data.dataset.val, predictions, config, row.scoring))

    @lru_cache(maxsize=4096)  # noqa: B019
    def sample(self, row_key: str, metric: Metric) -> Sample:
        """A metric of the row's checkpoint, recomputed from its record."""
        return metric_sample(self.matches(row_key), metric)

    def estimate(self, row_key: str, metric: Metric) -> Estimate | None:
        """A metric of the row's checkpoint; its interval is that of resampled images."""
        if self.chosen(row_key).evaluated is None:
            return None
        return estimate([self.sample(row_key, metric)], self.data.n_images)

    def effect(self, claim: ClaimTest) -> Effect | None:
        """The claim's difference between checkpoints, where all of its rows have one of known input size."""
        if claim.measured or claim.metric not in METRICS or not all(self.chosen(key).decides for key in claim.rows):
            return None
        samples = [self.sample(key, claim.metric) for key in claim.weights]
        found = estimate([weighted(claim.weights.values(), samples)], self.data.n_images)
        return found and Effect.of(found)

    def _row(self, row: RowResult) -> RowResult:
        cells = tuple(self._cell(row.key, cell) if cell.column in METRICS else cell for cell in row.cells)
        found = {"released_ap": self.estimate(row.key, "AP"), "released_from": self.chosen(row.key).note}
        return row.model_copy(update={"cells": cells, **found})

    def _cell(self, row_key: str, cell: CellResult) -> CellResult:
        found = self.estimate(row_key, cell.column)
        decided = level(cell.paper, found, self.evidence) if self.chosen(row_key).decides else None
        return cell.model_copy(update={"released": found, "levels": (*cell.levels, *([decided] if decided else []))})

    def _claim(self, claim: ClaimTest, result: ClaimResult, own: Evidence) -> ClaimResult:
        """The claim by the stronger evidence; ours where both are alike."""
        effect = self.effect(claim)
        weaker = STRENGTH.index(self.evidence) >= STRENGTH.index(own)
        if effect is None or (result.effect is not None and weaker):
            return result
        return result.model_copy(update={"effect": effect, "evidence": self.evidence})
