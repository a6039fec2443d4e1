"""Training from a notebook: a run whose weights are gone, or a first small model where there is none.

A finished run is never trained again in its own folder, where its record must stay what its weights gave. So the same
configuration is trained below another folder of runs, and measured and recorded there anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError
from poseur_study.execution.progress import position
from poseur_study.execution.run_job import RunOptions, execute_run
from poseur_study.experiments import tables
from poseur_study.experiments.profiles import profile
from poseur_study.runs.datasets import KnownData, known_data, make_data
from poseur_study.runs.heartbeat import repeated
from poseur_study.runs.plan import PlannedRun, planned_experiment, planned_pretext, row_run
from poseur_study.runs.project import below_root
from poseur_study.runs.record import Record
from poseur_study.runs.store import RunStore

NEW_RUNS = "runs_with_weights"
"""The folder of runs that the command names: a finished run is never trained again in its own folder."""

POLL_SECONDS = 1.0
SMOKE, SMOKE_TABLE, SMOKE_ROW = "smoke", "1b", "with"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Training:
    """A run to make, and where; `profile`, `data` and `runs` are as a notebook is told of them.

    Attributes:
        record: of the run that is made again; None: the first model is that of Table 1b at profile smoke, which the
            study finds done then.
    """

    profile: str
    data: str
    runs: str
    record: Record | None = None

    @property
    def text(self) -> str:
        """What it does, one line."""
        what = "a small model (profile smoke: generated people, no evidence of anything)"
        if self.record is not None:
            what = f"{self.record.run_id} from its configuration"
        minutes = profile(self.profile).minutes_per_run
        return (
            f"trains {what}, below {self.runs}: about {minutes:g} minutes on a free core, and more where its data set"
            " or its pretrained backbone is missing. No finished run is touched."
        )

    @property
    def _keypoints(self) -> str:
        """What the run's people are labelled with; "": as the profile has it."""
        return "" if self.record is None else self.record.config.data.keypoints_name

    def plan(self) -> tuple[PlannedRun, ...]:
        """The run, after the pretraining that it starts from.

        Raises:
            UserError: the data set is not there, or is not the record's, or this version of the project makes another
                run of its configuration.
        """
        size = profile(self.profile)
        known = known_data(size, self.data, below_root(self.runs) / size.name, self._keypoints)
        if self.record is None:
            (table,) = tables([SMOKE_TABLE])
            run = row_run(size, table, table.row(SMOKE_ROW), 0, known.fingerprint, {}, known.learnt_from(size))
        else:
            run = _same_run(self.record, known)
        parent = planned_pretext(run.config, run.changes, run.seed, known.fingerprint, known.learnt_from(size))
        return (run,) if parent is None else (parent, run)

    def execute(self, say: Say) -> str:
        """Make what is missing of the plan, the data set first; the run's id.

        Args:
            say: is given a line from time to time.

        Raises:
            UserError: it failed; the message names the run and its last line.
        """
        say("makes the data set, where it is missing")
        make_data(profile(self.profile), self.data, self._keypoints)
        store = RunStore(below_root(self.runs) / self.profile)
        options = RunOptions(self.profile, data=self.data, runs=self.runs)
        store.folder.mkdir(parents=True, exist_ok=True)
        for run in self.plan():
            said = lru_cache(maxsize=1)(say)  # a line only where it is another than the last one

            def say_epochs(run: PlannedRun = run, say: Say = said) -> None:
                at = position(run, store)
                say(f"{run.run_id}: {at.epochs} of {at.planned} epochs")

            say_epochs()
            with repeated(say_epochs, POLL_SECONDS):
                outcome = execute_run(run, store, options, retry=True)
            if not run.done_in(outcome.state):
                raise UserError(f"run {run.run_id} is {outcome.state.value}: {outcome.problem or 'try again later'}")
        return run.run_id


def retraining(record: Record, data: str = "") -> Training:
    """What makes the weights of a recorded run once more, in a folder of runs of their own."""
    return Training(record.provenance.profile, data, NEW_RUNS, record)


def first_model(runs: str, data: str = "") -> Training:
    """What makes a model where there is none."""
    return Training(SMOKE, data, runs)


def changes_between(base: ExperimentConfig, config: ExperimentConfig) -> dict[str, Any]:
    """What makes `config` of `base`, by paths of two names at most; the seed is left out."""
    before, after = base.model_dump(mode="json"), config.model_dump(mode="json")
    changes: dict[str, Any] = {}
    for name, value in after.items():
        if name == "seed" or value == before[name]:
            continue
        if isinstance(value, dict) and isinstance(before[name], dict):
            changes |= {f"{name}.{key}": one for key, one in value.items() if one != before[name].get(key)}
        else:
            changes[name] = value
    return changes


def _same_run(record: Record, known: KnownData) -> PlannedRun:
    of_record = record.provenance.data_fingerprint
    if known.fingerprint != of_record:
        here = f"the one that is here is {known.fingerprint}"
        raise UserError(f"run {record.run_id} was made on data set {of_record}; {here}")
    size, config = profile(record.provenance.profile), record.config
    changes = changes_between(size.experiment(config.seed), config)
    run = planned_experiment(size, changes, config.seed, of_record, known.learnt_from(size))
    if run.run_id != record.run_id:
        raise UserError(f"run {record.run_id} cannot be trained again: this version makes it {run.run_id}")
    return run
