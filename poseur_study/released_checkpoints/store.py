"""Where evaluated checkpoints are kept: records as a run's, in `runs/released/`, whatever the profile.

A record's id comes from the checkpoint's bytes, the configuration and the data set.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from poseur_lib.checkpoints.released_recognise import INPUT_SIZES, Size
from poseur_lib.config import ExperimentConfig
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_study.released_checkpoints.inventory import FLIP_FUSION, CheckpointFile
from poseur_study.released_checkpoints.row_match import Match
from poseur_study.released_checkpoints.sizes import FOLDER, GivenSizes
from poseur_study.runs.record import RECORD_FILE, Record
from poseur_study.runs.run_id import run_id
from poseur_study.runs.store import RunStore


@dataclass(frozen=True)
class Evaluated:
    """An evaluated checkpoint; `match` has no rows yet."""

    match: Match
    record: Record

    @property
    def predicted(self) -> tuple[BoxSource, ...]:
        """Whose boxes it was evaluated with."""
        return tuple(metrics.boxes for metrics in self.record.metrics)


@dataclass(frozen=True)
class ReleasedStore(GivenSizes):
    """Evaluated checkpoints below a folder of runs."""

    @cached_property
    def records(self) -> RunStore:
        """The records, each in the folder of its id."""
        return RunStore(self.runs / FOLDER)

    def evaluated(self, data_fingerprint: str) -> tuple[Evaluated, ...]:
        """What was evaluated on a data set; records that do not verify, and sizes that were ruled out, are left out."""
        sizes, found = self.sizes, []
        for path in sorted(self.records.folder.glob(f"*/{RECORD_FILE}")):
            if not self.records.recorded_state(path.parent.name).done:
                continue
            record = self.records.record(path.parent.name)
            if record.provenance.data_fingerprint == data_fingerprint and record.provenance.checkpoint is not None:
                found += _evaluated(record, sizes)
        return tuple(found)


def checkpoint_run_id(sha256: str, config: ExperimentConfig, data_fingerprint: str) -> str:
    """The id of a checkpoint's evaluation."""
    return run_id(config, data_fingerprint, origin(sha256))


def origin(sha256: str) -> tuple[str, ...]:
    """What stands in a record for the runs that it starts from."""
    return (f"sha256:{sha256}",)


def _evaluated(record: Record, sizes: dict[str, Size]) -> list[Evaluated]:
    """The record with the other sizes that its file may be of; nothing where it is known to be of another size.

    Nor where it was judged in another way than the released README's, as all were once.
    """
    checkpoint, config = record.provenance.checkpoint, record.config
    known = sizes.get(checkpoint.sha256)
    released = INPUT_SIZES.get((config.model.backbone.name, config.data.keypoint_set), ())
    possible = released if known is None else (known,)
    if config.data.input_size not in possible or config != config.with_changes(**FLIP_FUSION):
        return []
    configs = tuple(config.with_changes(**{"data.input_size": list(size)}) for size in possible)
    file = CheckpointFile(Path(checkpoint.name), checkpoint.sha256, configs)
    return [Evaluated(Match(file, config, (), file.size_known), record)]
