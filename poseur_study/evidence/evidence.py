"""What the report shows without running a model: parity, costs and benchmarks, recorded in `data/`."""

import datetime
import math
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import ValidationError
from scipy.special import stdtrit

from poseur_lib.config.base import Frozen
from poseur_lib.errors import UserError
from poseur_lib.runtime import device_name
from poseur_study.analysis.interval import student_half_width
from poseur_study.costs.benchmark_record import Benchmark
from poseur_study.costs.cost_claims import CostStatement
from poseur_study.costs.cost_rows import CostRow
from poseur_study.costs.gpu_record import GpuBenchmark
from poseur_study.costs.printed_gflops import MethodCost
from poseur_study.parity.evaluation import EvaluationParity
from poseur_study.parity.outputs import ConfigParity
from poseur_study.runs.provenance import cpu_count, git_state, package_versions

DATA = Path(__file__).with_name("data")

Evidence = TypeVar("Evidence", bound=Frozen)


class Origin(Frozen):
    """By what and when something was recorded; see `runs.provenance`."""

    device: str
    cpu_count: int
    threads: int
    versions: dict[str, str]
    commit: str
    dirty: bool
    finished_at: str

    @classmethod
    def now(cls) -> "Origin":
        """This process on this machine, on its processor."""
        import torch

        commit, dirty = git_state()
        return cls(
            device=device_name("cpu"), cpu_count=cpu_count(), threads=torch.get_num_threads(),
            versions=package_versions(), commit=commit, dirty=dirty,
            finished_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )  # fmt: skip

    def text(self) -> str:
        """One sentence."""
        versions = ", ".join(f"{name} {self.versions[name]}" for name in ("torch", "torchvision"))
        commit = f", commit {self.commit[:10]}{' with changes' if self.dirty else ''}" if self.commit else ""
        return f"Recorded on {self.finished_at[:10]} on {self.device} (threads: {self.threads}), {versions}{commit}."


class ParityRecord(Frozen):
    """Ours against the released implementation."""

    origin: Origin
    configs: tuple[ConfigParity, ...]
    evaluations: tuple[EvaluationParity, ...]


class CostRecord(Frozen):
    """The paper's costs beside ours."""

    origin: Origin
    rows: tuple[CostRow, ...]


class Overfit(Frozen):
    """What a method's small stand-in made of the people of 32 images that it saw often.

    Attributes:
        ap: on the people it was trained on, at ground-truth boxes, without flip test: the best of ten looks during the
            training, of which `ap_at_the_end` is the last.
        ceiling: the AP that its codec allows there; `target` is what it has to reach.
        people_seen: crops trained on.
    """

    stand_in: str
    parameters: int
    ap: float
    ap_at_the_end: float
    ceiling: float
    target: float
    people_seen: int

    @property
    def learnt(self) -> bool:
        """True if it learnt them, by its best look."""
        return self.ap >= self.target


class CostClaimRecord(Frozen):
    """What the paper says of costs, decided by our counters."""

    origin: Origin
    statements: tuple[CostStatement, ...]


class MethodRow(Frozen):
    """A method on a backbone, and its cost at the paper's size.

    Attributes:
        parameters: without flows, which serve the loss alone.
        latency_ms: one image, from the crop to the keypoints; None: not timed.
        training_cpu_ms: processor time that training the stand-in of profile mini takes a person; None: not timed.
        overfit: None: not trained.
    """

    method: str
    backbone: str
    input_size: tuple[int, int]
    parameters: int
    hook_multiply_adds: int
    multiply_adds: int
    latency_ms: float | None = None
    training_cpu_ms: float | None = None
    overfit: Overfit | None = None


class MethodRecord(Frozen):
    """The methods on one pipeline.

    Attributes:
        origin: of what was counted and trained last.
        timed: of the latencies and the time of training; None where they are as old as the rest.
    """

    origin: Origin
    rows: tuple[MethodRow, ...]
    timed: Origin | None = None


class MethodCostRecord(Frozen):
    """The printed GFLOPs of the other methods, each by the counter that gives it."""

    origin: Origin
    rows: tuple[MethodCost, ...]


class SeedScores(Frozen):
    """AP of one training in the detector's boxes: by its last step's weights, and by their moving average."""

    seed: int
    last: float
    average: float


class WeightAverage(Frozen):
    """Trainings that differ in their seed alone, each judged in both ways.

    Attributes:
        decay: of the average, a step of the optimiser each.
        steps: of a training.
    """

    origin: Origin
    run: str
    decay: float
    steps: int
    scores: tuple[SeedScores, ...]

    def gain(self) -> tuple[float, float, float]:
        """Mean of average less last, in points of AP, and its 95 % interval by Student's t over seeds."""
        gains = [one.average - one.last for one in self.scores]
        mean, half = float(np.mean(gains)), student_half_width(gains)
        return mean, mean - half, mean + half

    def deviations(self) -> tuple[float, float]:
        """Standard deviations over seeds: by the last weights, by the average."""
        last, average = (np.std([getattr(one, name) for one in self.scores], ddof=1) for name in ("last", "average"))
        return float(last), float(average)

    def ratio(self) -> tuple[float, float, float]:
        """The average's deviation over the last weights', and its 95 % interval.

        The two are of the same trainings, so the interval is that of paired variances (Morgan 1939, Pitman 1939).
        """
        pairs = np.array([[one.last, one.average] for one in self.scores])
        last, average = self.deviations()
        correlation, freedom = float(np.corrcoef(pairs.T)[0, 1]), len(pairs) - 2
        k = 1 + 2 * (1 - correlation**2) * stdtrit(freedom, 0.975) ** 2 / freedom
        low, high = k - math.sqrt(k**2 - 1), k + math.sqrt(k**2 - 1)
        return average / last, average / last * math.sqrt(low), average / last * math.sqrt(high)

    def text(self) -> str:
        """What was found, as Markdown."""
        last, average = self.deviations()
        gain, least, most = self.gain()
        ratio, low, high = self.ratio()
        halves = "does" if high <= 0.5 else "does not" if low > 0.5 else "may or may not"
        return (
            f"**It {halves} halve it.** AP of {len(self.scores)} trainings has a standard deviation of {last:.2f} over"
            f" seeds by the last weights and {average:.2f} by the average (decay {self.decay:g}, {self.steps:,} steps):"
            f" a ratio of {ratio:.2f} (95 % interval {low:.2f} to {high:.2f}). The average gains {gain:.2f} AP"
            f" ({least:.2f} to {most:.2f}). {self.origin.text()}"
        )


FILES = {
    ParityRecord: "parity.json",
    CostRecord: "costs.json",
    CostClaimRecord: "cost_claims.json",
    MethodRecord: "methods.json",
    MethodCostRecord: "method_costs.json",
    WeightAverage: "weight_average.json",
}


def recorded(kind: type[Evidence]) -> Evidence | None:
    """The record of a kind; None if there is none.

    Raises:
        UserError: it is of another version.
    """
    path = DATA / FILES[kind]
    return _read(path, kind) if path.exists() else None


def benchmark_records(folder: Path = DATA) -> tuple[Benchmark, ...]:
    """Every recorded run of the benchmarks, one a device; none may be there."""
    return tuple(_read(path, Benchmark) for path in sorted(folder.glob("benchmark*.json")))


def gpu_records(folder: Path = DATA) -> tuple[GpuBenchmark, ...]:
    """Every recorded run of the GPU's benchmark, the oldest first; none may be there."""
    found = (_read(path, GpuBenchmark) for path in folder.glob("gpu*.json"))
    return tuple(sorted(found, key=lambda one: one.finished_at))


def _read(path: Path, kind: type[Evidence]) -> Evidence:
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]["msg"]
        raise UserError(f"{path} is no {kind.__name__} of this version: record it anew ({first})") from None
