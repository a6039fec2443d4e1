"""Released checkpoints evaluated here: recognised, matched to the tables' rows, judged on a data set, recorded, told.

`poseur study run --source released` prints the lines.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from poseur_lib.checkpoints.released_load import load_with_changes
from poseur_lib.checkpoints.released_recognise import Size
from poseur_lib.errors import UserError
from poseur_lib.files import require_writable
from poseur_study.experiments.experiment import Table
from poseur_study.experiments.notebook_parameters import RunSettings
from poseur_study.experiments.profiles import profile
from poseur_study.released_checkpoints.inventory import FLIP_FUSION, Refused, inventory
from poseur_study.released_checkpoints.row_match import PAPER, UNKNOWN_SIZE, Match, described, match_rows
from poseur_study.released_checkpoints.sizes import FOLDER
from poseur_study.released_checkpoints.store import ReleasedStore, checkpoint_run_id, origin
from poseur_study.runs import lease
from poseur_study.runs.datasets import DataSet, open_data
from poseur_study.runs.heartbeat import heartbeat
from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.provenance import ReleasedFile, git_state
from poseur_study.runs.record import BoxMetrics, Record, write_record
from poseur_study.runs.run_steps import Run, measure_run, predict_by_boxes, record_of
from poseur_study.runs.store import set_damaged_record_aside

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a checkpoint; `there` says of a record that it was there before."""

    match: Match
    record: Record
    there: bool


class ReleasedSource:
    """A folder of checkpoints, the tables that they may be of, and the data set that they are judged on.

    Args:
        sizes: input size (height, width) by file name, where the user says it.

    Raises:
        UserError: there is no checkpoint, or no data set.
    """

    def __init__(
        self, folder: Path, tables: Sequence[Table], data: str, store: ReleasedStore, sizes: Mapping[str, Size]
    ) -> None:
        require_writable(store.records.folder, "runs cannot be stored in")
        self.store = store
        files, unusable = inventory(folder, sizes, store.sizes)
        store.keep_sizes({file.sha256: sizes[file.name] for file in files if file.name in sizes})
        self.data: DataSet = open_data(profile(PAPER), data)
        self.matches, of_no_row = match_rows(files, tables)
        self.refused: tuple[Refused, ...] = (*unusable, *of_no_row)

    def evaluate(self, settings: RunSettings, say: Say = lambda line: None) -> Iterator[Outcome]:
        """Evaluate what has no record yet, one checkpoint after the other; each is recorded before the next begins.

        A record of another precision is replaced: its numbers are others.

        A checkpoint whose names and shapes do not fit after all is added to `refused`.
        """
        for match in self.matches:
            outcome = self._evaluate(match, settings, say)
            if isinstance(outcome, Refused):
                self.refused = (*self.refused, outcome)
            else:
                yield outcome
        self.store.records.verified.save()

    def _evaluate(self, match: Match, settings: RunSettings, say: Say) -> Outcome | Refused:
        records = self.store.records
        run_id = checkpoint_run_id(match.file.sha256, match.config, self.data.fingerprint)
        if (known := self._known(run_id, settings.precision)) is not None:
            return Outcome(match, known, there=True)
        try:
            size = {"data.input_size": list(match.config.data.input_size)}
            model = load_with_changes(match.file.path, {**size, **FLIP_FUSION})[0]
        except UserError as error:
            return Refused(match.file.name, str(error))
        with lease.waiting_lease(records.path(run_id)) as held, heartbeat(held):
            if (known := self._known(run_id, settings.precision)) is not None:  # another process has had the lease
                return Outcome(match, known, there=True)
            if not records.recorded_state(run_id).done:
                set_damaged_record_aside(records.path(run_id))
            say(f"evaluating {match.file.name} at {'{}x{}'.format(*match.config.data.input_size)}")
            planned = PlannedRun(run_id, match.config, origin(match.file.sha256), "", {}, 0)
            run = Run(planned, profile(PAPER), self.data, records, settings, time.monotonic(), git_state())
            predictions = predict_by_boxes(run, model)
            checkpoint = ReleasedFile(name=match.file.name, sha256=match.file.sha256)
            measured = measure_run(run, predictions)
            # its training is the released recipe, as far as the configuration's defaults have it
            written = record_of(run, (), match.config.train.epochs, measured, profile=FOLDER, checkpoint=checkpoint)
            written = write_record(run.folder, written, predictions, measured.evaluation)
            return Outcome(match, written, there=False)

    def _known(self, run_id: str, precision: str) -> Record | None:
        """What is recorded of an evaluation, in this precision; "32" is that of records which do not say."""
        record = self.store.records.record(run_id) if self.store.records.recorded_state(run_id).done else None
        return record if record is not None and record.provenance.precision == precision else None


def outcome_lines(outcome: Outcome) -> list[str]:
    """A checkpoint: what it is, its AP by box source, and the rows that it is of."""
    match = outcome.match
    done = "recorded before" if outcome.there else f"evaluated in {outcome.record.provenance.wall_seconds:.0f} s"
    lines = [f"{match.file.name}: {described([match.config])}, {done}"]
    lines += [f"   {_metrics(metrics)}" for metrics in outcome.record.metrics]
    lines += [f"   for {'; '.join(match.rows)}", f"   record {outcome.record.run_id}"]
    return lines if match.size_known else [*lines, f"   {UNKNOWN_SIZE} (--input-size {match.file.name}=HxW)"]


def refused_lines(refused: Sequence[Refused]) -> Iterable[str]:
    """A line for each file that is not used."""
    for one in refused:
        yield f"{one.name}: {'unreadable' if one.unreadable else 'not used'}: {one.why}"


def _metrics(metrics: BoxMetrics) -> str:
    values = {name: getattr(metrics, name) for name in ("AP", "AP50", "AP75", "AP_M", "AP_L", "AR")}
    numbers = [f"{name} {'—' if value is None else f'{value:.1f}'}" for name, value in values.items()]
    return f"{metrics.boxes.value.replace('_', '-')} boxes ({metrics.n_people:,}): {'  '.join(numbers)}"
