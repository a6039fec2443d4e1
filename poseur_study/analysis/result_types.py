"""A table's results as they lie beside its notebook in the folder of a profile's runs: all numbers of its page."""

from collections.abc import Collection, Iterable
from typing import Any

from pydantic import Field, ValidationError

from poseur_lib.config.base import Frozen
from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.analysis.effect import Effect
from poseur_study.analysis.interval import Estimate
from poseur_study.analysis.seed_model import ALIKE, Spread, pooled, trainings
from poseur_study.analysis.verdict import Evidence, Level, Verdict
from poseur_study.experiments import STUDIES
from poseur_study.experiments.experiment import EffectKind, Table
from poseur_study.runs.store import RESULT_FILE, RunStore

ON_BOTH = ((25.41, 25.65), (29.44, 29.53), (31.56, 31.76), (31.79, 31.87), (31.41, 31.54))
"""AP of five runs of profile mini on a processor and on a GPU, whose records the processor's have replaced."""
_HIGHER = [gpu - processor for processor, gpu in ON_BOTH]
DEVICE_OFFSET = sum(_HIGHER) / len(ON_BOTH)
"""AP of the GPU's less the processor's, on average."""
SYSTEMATIC = (
    f"Devices differ systematically: of {len(ON_BOTH)} runs of profile mini that were trained on both, the GPU's AP "
    f"was higher in {sum(one > 0 for one in _HIGHER)}, by {DEVICE_OFFSET:.2f} on average."
)


class OnDevice(Frozen):
    """A speed or memory as measured on the machine that is here; it says nothing about the paper's."""

    value: float
    unit: str
    device: str


class CellResult(Frozen):
    """One column of a row: what the paper prints, and ours: measured, with an interval, or counted.

    Attributes:
        paper: the digits as printed; None: not printed.
        counted: millions of parameters or billions of multiply-adds of the paper's own configuration of the row.
        on_device: speed or memory of that configuration.
        not_measured: why there is nothing of ours, if it is not for want of a run.
        released: of the released checkpoint, evaluated here.
        levels: the printed figure against ours, and against the released checkpoint's, where they can decide.
    """

    column: str
    paper: str | None
    source: str | None
    measured: Estimate | None = None
    counted: float | None = None
    on_device: OnDevice | None = None
    not_measured: str = ""
    released: Estimate | None = None
    levels: tuple[Level, ...] = ()

    def level(self, evidence: Evidence) -> Level | None:
        """The printed figure against one kind of evidence."""
        return next((one for one in self.levels if one.evidence == evidence), None)


class RowResult(Frozen):
    """A row, the paper's figures beside ours; `status` says why ours are missing where they are.

    Attributes:
        seeds: of its runs that are done.
        computed_on: devices of its runs, with the version of torch.
        uncommitted: how many of its runs were made with changes to the code that no commit holds.
        released_ap: of the released checkpoint, evaluated here.
        released_from: its file's name, with what one should know of it; or why none of several is used.
    """

    key: str
    label: str
    ticks: tuple[str, ...]
    paper_ap: float | None
    paper_source: str | None
    ap: Estimate | None
    cells: tuple[CellResult, ...]
    status: str
    run_ids: tuple[str, ...]
    seeds: tuple[int, ...] = ()
    computed_on: tuple[str, ...] = ()
    uncommitted: int = 0
    released_ap: Estimate | None = None
    released_from: str = ""


class ClaimResult(Frozen):
    """A claim and what it has come to; `evidence` is None where it rests on the table's own runs.

    Attributes:
        rows: keys of the rows that it speaks of; none: all.
        p: of the effect, by Holm over the table's claims on this evidence, or over those of its family.
    """

    key: str
    text: str
    source: str
    kind: str
    metric: str
    difference: str
    paper_effect: float | None
    effect: Effect | Estimate | None
    verdict: Verdict
    rule: str
    p: float | None = None
    of: str = ""
    evidence: Evidence | None = None
    rows: tuple[str, ...] = ()

    @property
    def hangs_on_pooling(self) -> bool:
        """True if the verdict has a direction by other arms' seeds, too, which the effect's own alone leave open."""
        directed = (self.verdict.good or self.verdict.bad) and self.kind != EffectKind.EQUIVALENCE
        pooled = isinstance(self.effect, Effect) and any(of.arms > len(self.rows) for of in self.effect.spreads)
        return directed and pooled and self.effect.earlier.low <= 0 <= self.effect.earlier.high


class TableResult(Frozen):
    """Everything that a table's page shows as numbers.

    Attributes:
        overrides: the study's own changes to every row.
        evidence: what our own runs are worth; `released_evidence`, what the released checkpoints evaluated on this
            data set are, None without any.
    """

    number: str
    title: str
    profile: str
    overrides: dict[str, Any] = Field(default_factory=dict)
    notebook: str
    evidence: Evidence
    boxes: BoxSource
    rows: tuple[RowResult, ...]
    claims: tuple[ClaimResult, ...]
    seeds: tuple[int, ...]
    data_name: str
    data_fingerprint: str
    n_images: int
    released_evidence: Evidence | None = None

    @property
    def mixed_devices(self) -> str:
        """What to know of differences where the rows of a claim were not computed alike; "" where they were."""
        mixed = [claim.rows for claim in self.claims if self.mixed_devices_of(claim.rows)]
        return self.mixed_devices_of({key for rows in mixed for key in rows}) if mixed else ""

    def mixed_devices_of(self, rows: Collection[str]) -> str:
        """The same of some rows alone; none: all."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for row in self.rows:
            if row.computed_on and (not rows or row.key in rows):
                groups.setdefault(row.computed_on, []).append(row.label)
        if len(groups) < 2:
            return ""
        words = "; ".join(f"{', '.join(labels)} on {' and '.join(where)}" for where, labels in groups.items())
        part = "Part of a difference between them may be their devices'."
        return f"Rows were not computed alike: {words}. {part} {SYSTEMATIC}"

    def uncommitted_of(self, rows: Collection[str]) -> str:
        """Which of some rows have runs of code that no commit holds; none: of all. "" where none has."""
        found = [
            f"{row.uncommitted} of {row.label}"
            for row in self.rows
            if row.uncommitted and (not rows or row.key in rows)
        ]
        return f"Runs made with uncommitted changes to the code: {', '.join(found)}." if found else ""


def pools(store: RunStore, results: Iterable[TableResult]) -> tuple[Spread, ...]:
    """How far AP of trainings is apart over seeds, of all arms of one length and size; of results with claims in AP."""
    judged = dict.fromkeys(
        (one.data_fingerprint, one.boxes) for one in results if any(claim.metric == "AP" for claim in one.claims)
    )
    every = [trainings(store, *one) for one in judged]
    found = [pooled(arms, "AP") for runs in every for _, arms in runs.groupby(ALIKE)]
    return tuple(one for one in found if one is not None)


def table_results(store: RunStore) -> list[tuple[Table, TableResult]]:
    """The tables that have results, in the paper's order. Raises UserError if one is of another version."""
    found = [(table, stored_result(store, table.number)) for table in STUDIES]
    return [(table, result) for table, result in found if result is not None]


def stored_result(store: RunStore, number: str) -> TableResult | None:
    """A table's results; None where it was not run. Raises UserError if they are of another version."""
    path = store.table_folder(number) / RESULT_FILE
    if not path.exists():
        return None
    try:
        return TableResult.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{path} is of another version ({where}: {first['msg']}): run the table again") from None
