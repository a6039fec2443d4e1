"""What a table is: rows that differ in one factor, the paper's numbers, and claims with a rule fixed beforehand."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeVar, get_args

from poseur_lib.errors import unknown_name
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.scoring.instance import Scoring
from poseur_study.paper.tables import Missing, Printed, paper_tables, table_name

EQUIVALENCE_MARGIN = 0.3
Changes = Mapping[str, Any]
Training = TypeVar("Training", bound=Hashable)
Metric = Literal["AP", "AP50", "AP75", "AP_M", "AP_L", "AR"]
CostColumn = Literal["Params", "GFLOPs", "GFLOPs (Dec.)"]
SpeedColumn = Literal["FPS", "Memory", "Memory (test)"]
PckhColumn = Literal["Mean"]
MeasuredColumn = Metric | PckhColumn
Column = MeasuredColumn | CostColumn | SpeedColumn
METRICS: tuple[str, ...] = get_args(Metric)
PCKH: PckhColumn = "Mean"
"""PCKh@0.5 with joints weighted by their number, by the name of Table 4's column."""
MEASURED: tuple[str, ...] = (*METRICS, PCKH)
COSTS: tuple[str, ...] = get_args(CostColumn)
SPEEDS: tuple[str, ...] = get_args(SpeedColumn)

BUDGET = "budget"
"""Number of the study of effects against budget, whose rows have lengths of each profile's own."""

QUOTED = (
    "Figures of other methods are those of their own papers and recipes, or of a model that has others in other "
    "tables: our trainings are held against none."
)

NAMES = {
    "S6": "Supp. Sec. 6",
    "figure_1": "Fig. 1",
    "figure_s1": "Supp. Fig. 1",
    "figure_s2": "Supp. Fig. 2",
    "calibration": "Calibration",
    "noisy_proposals": "Noisy proposals",
    "scoring": "Scoring",
    BUDGET: "Budget",
}


class EffectKind(StrEnum):
    """What a claim says of an effect, and so what would count as reproduced."""

    DIRECTION = "direction"
    MAGNITUDE = "magnitude"
    EQUIVALENCE = "equivalence"


@dataclass(frozen=True)
class Row:
    """One row: changes to the table's base by dotted path, or another scoring of the base's predictions.

    Attributes:
        ticks: the cells of the factor columns, as the paper prints them.
        scoring: None scores as the configuration says.
        paper: number and row key of the paper's table that has the row's numbers; None: it prints none.
        of_text: figures of the paper's text by column, where no table has them.
        method: by the name of `poseur_study.experiments.methods`.
        not_run: why the row cannot be run here, whatever the profile; "" if it can.
        unlike_paper: why a training of it by the paper's recipe, on the paper's data, decides nothing of the paper; ""
            if it does.
    """

    key: str
    label: str
    ticks: tuple[str, ...]
    changes: Changes = field(default_factory=dict)
    scoring: Scoring | None = None
    paper: tuple[str, str] | None = None
    of_text: Mapping[str, Printed] = field(default_factory=dict)
    method: str = "Poseur"
    not_run: str = ""
    unlike_paper: str = ""

    @property
    def without_level(self) -> str:
        """Why its printed figures are not held against our trainings, in words; "" where they are."""
        return self.unlike_paper or ("" if self.method.endswith("Poseur") else QUOTED)

    def printed(self, column: str) -> Printed | Missing | None:
        """The paper's figure of a column, or why it has none; None where the paper has no such row or column."""
        if column in self.of_text:
            return self.of_text[column]
        if self.paper is None:
            return None
        table, key = self.paper
        return paper_tables()[table].row(key).cells.get(column)


@dataclass(frozen=True)
class ClaimTest:
    """How a table tests a claim: `metric` of row `better` minus that of row `than`, in points of AP or AR.

    Attributes:
        measured: in words and with its unit, what the table's own notebook measures of these rows instead of a
            difference of `metric`; above 0 is as claimed. "": nothing. A claim on one row alone has it twice.
        beyond: two more rows, whose difference is subtracted: what is claimed is that the first one is larger.
        trend: rows at equal steps, from `than` to `better`: the effect is how far the line through all of them (by
            least squares) rises from the first to the last.
        of: key of the claim among the paper's (`poseur_study.paper.claims`) that this one is a part of.
        margin: for an equivalence, the largest absolute effect that still counts as none.
        better_side: of an equivalence that says "as good as", the sign of effects that are better than said; 0: there
            is no better side.
        family: of a table's claims, those that p is adjusted for together; "": all that name none.
        own: it tests a modification of this study's own, and decides nothing of the paper's claim.
        least_seeds: with fewer nothing is decided, where trainings are our own.
        lengths: keys of the rows of each length of training, from the shortest to the longest: the longest decides of
            which all rows have `least_seeds`, and others decide nothing. None: its own rows do.
        caveat: what a reader of its verdict has to know beside it.
    """

    key: str
    text: str
    source: str
    kind: EffectKind
    better: str
    than: str
    paper_effect: float | None = None
    metric: MeasuredColumn = "AP"
    beyond: tuple[str, str] | None = None
    trend: tuple[str, ...] = ()
    of: str = ""
    margin: float = EQUIVALENCE_MARGIN
    better_side: Literal[-1, 0, 1] = 0
    measured: str = ""
    family: str = ""
    own: bool = False
    least_seeds: int = 2
    lengths: tuple[tuple[str, ...], ...] = ()
    caveat: str = ""

    def __post_init__(self) -> None:
        if self.kind == EffectKind.MAGNITUDE and self.paper_effect is None:
            raise ValueError(f"claim {self.key}: a magnitude needs the paper's effect")
        if self.margin <= 0:
            raise ValueError(f"claim {self.key}: margin {self.margin} is not positive")
        if self.trend and (self.trend[-1], self.trend[0]) != (self.better, self.than):
            raise ValueError(f"claim {self.key}: the trend {self.trend} is not from {self.than} to {self.better}")

    @property
    def rows(self) -> tuple[str, ...]:
        """Keys of the rows that it speaks of."""
        return self.trend or (self.better, self.than, *(self.beyond or ()))

    @property
    def weights(self) -> dict[str, float]:
        """What the effect is: by row key, the weight of that row's metric in a sum."""
        if self.trend:
            last = len(self.trend) - 1
            steps = [place - last / 2 for place in range(last + 1)]
            rise = last / sum(step**2 for step in steps)
            return {key: rise * step for key, step in zip(self.trend, steps, strict=True)}
        found: Counter[str] = Counter()
        for key, sign in zip(self.rows, (1, -1, -1, 1), strict=False):
            found[key] += sign
        return dict(found)

    def seeds_weights(self, training: Callable[[str], Training]) -> dict[Training, float]:
        """The squared weight of each distinct training that has one: none of two scores of one training.

        Args:
            training: which one a row's key stands for.
        """
        found: Counter[Training] = Counter()
        for key, weight in self.weights.items():
            found[training(key)] += weight
        return {key: weight**2 for key, weight in found.items() if weight}

    def deciding(self, seeds: Mapping[str, int]) -> int:
        """Which of `lengths` decides, by how many seeds each row has; -1: none does yet."""
        fewest = [min(seeds.get(key, 0) for key in rows) for rows in self.lengths]
        return max((place for place, least in enumerate(fewest) if least >= self.least_seeds), default=-1)

    @property
    def paper_words(self) -> str:
        """The paper's effect with its sign, or what it says where it prints none."""
        if self.paper_effect is None:
            return "no effect" if self.kind == EffectKind.EQUIVALENCE else "none printed"
        return signed(self.paper_effect)


def signed(effect: float) -> str:
    """A printed effect with its sign, and the digit that papers print."""
    return f"{effect:+.1f}".replace("-", "−")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the paper as an experiment.

    Attributes:
        factor: column heads of the rows' ticks.
        varies: the only configuration paths (or prefixes) that rows may differ in; a test holds rows to it.
        base, base_reason, alternatives: the configuration that all rows share, why this one, and what else it may be:
            the paper never states it.
        boxes: whose boxes the table's AP is computed with.
        columns: what is measured or counted of every row.
        deltas: show how far each row's AP is from the first one's.
        least: a row's key and the AP that it must reach before any claim is looked at.
    """

    number: str
    title: str
    notebook: str
    question: str
    factor: tuple[str, ...]
    varies: tuple[str, ...]
    rows: tuple[Row, ...]
    claims: tuple[ClaimTest, ...]
    base: Changes = field(default_factory=dict)
    base_reason: str
    alternatives: tuple[str, ...] = ()
    open_questions: tuple[str, ...]
    boxes: BoxSource = BoxSource.DETECTOR
    columns: tuple[Column, ...] = ("AP", "AR")
    deltas: bool = True
    least: tuple[str, float] | None = None

    def __post_init__(self) -> None:
        keys = [row.key for row in self.rows]
        for claim in self.claims:
            for key in claim.rows:
                if key not in keys:
                    raise ValueError(f"table {self.number}: claim {claim.key} names row {key!r}, there are {keys}")
        if len(set(keys)) != len(keys):
            raise ValueError(f"table {self.number}: row keys {keys} are not distinct")
        for claim in self.claims:
            for pair in ((claim.better, claim.than), claim.beyond or ()):
                rows = [] if claim.measured else [self.row(key) for key in pair]
                if len({f"{sorted(self.changes(row).items())} {row.scoring}" for row in rows}) == 1:
                    named = " and ".join(map(repr, pair))
                    raise ValueError(f"table {self.number}: claim {claim.key}: rows {named} are one run scored alike")

    @property
    def name(self) -> str:
        """What it is called in prose: `Table 2a`, `Supp. Table 1`, `Fig. 1`."""
        return shown_name(self.number)

    @property
    def keypoints(self) -> str:
        """The keypoint set that its people have to be labelled with; "": the profile's."""
        return self.base.get("data.keypoint_set", "")

    @property
    def measure(self) -> MeasuredColumn:
        """What its rows are compared by, where it is not said otherwise."""
        return PCKH if PCKH in self.columns else "AP"

    def unlike_paper(self, claim: ClaimTest) -> str:
        """Why trainings of a claim's rows by the paper's recipe decide nothing of it; "" where they do."""
        return " ".join(dict.fromkeys(filter(None, (self.row(key).unlike_paper for key in claim.rows))))

    @property
    def runnable(self) -> tuple[Row, ...]:
        """The rows that can be run."""
        return tuple(row for row in self.rows if not row.not_run)

    def row(self, key: str) -> Row:
        """A row by its key, or by the label that frames have.

        Raises:
            UserError: there is no such row.
        """
        known = {row.label: row for row in self.rows} | {row.key: row for row in self.rows}
        if key not in known:
            raise unknown_name(f"row of {self.name}", key, known)
        return known[key]

    def printed_difference(self, claim: ClaimTest) -> float | None:
        """The claim's effect by the figures that the paper prints of its rows; None where it lacks one."""
        figures = {key: None if claim.measured else self.row(key).printed(claim.metric) for key in claim.weights}
        found = [float(one.value) for one in figures.values() if isinstance(one, Printed)]
        if len(found) < len(figures):
            return None
        return sum(weight * one for weight, one in zip(claim.weights.values(), found, strict=True))

    def changes(self, row: Row) -> dict[str, Any]:
        """All that a row changes in a profile's configuration."""
        return {**self.base, **row.changes}


def shown_name(number: str) -> str:
    """What a table of the study is called in prose."""
    return NAMES.get(number) or table_name(number)
