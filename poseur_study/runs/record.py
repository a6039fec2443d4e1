"""The record of a run: small enough to commit, complete enough to compute every score again without weights.

`record.json` holds configuration, provenance, curve and metrics, and the SHA-256 of `predictions.npz`, which is not
committed of every run. `evaluation.xz` beside it is: what results are computed from, tied to the same SHA-256. The
record is written last, so a folder with a record is a run that ended; one of which anything was altered or cut off, or
which has neither predictions nor evaluation, is an error and never counts as a finished run.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from poseur_lib.checkpoints.recorded import MAX_RECORD
from poseur_lib.config import ExperimentConfig, PretextRunConfig
from poseur_lib.config.base import Frozen
from poseur_lib.errors import UserError, first_line, naming
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.files import WEIGHTS_FILES, file_sha256, read_regular, sha256_hex, write_atomically
from poseur_lib.training.curve import Curve
from poseur_study.runs import evaluation_file
from poseur_study.runs.evaluation_file import EVALUATION_FILE, RunEvaluation
from poseur_study.runs.heartbeat import require_lease
from poseur_study.runs.predictions import Predictions, from_bytes, to_bytes
from poseur_study.runs.provenance import Provenance
from poseur_study.runs.run_id import SCHEMA_VERSION, run_hash, run_id

RECORD_FILE = "record.json"
MAX_BYTES = 2**30
PREDICTIONS_FILE = "predictions.npz"
PARTIAL_FOLDER = "partial"
IMPORTED_FILE = "imported.json"
"""Beside a record that was made elsewhere: `source`, the archive's name, its `sha256`, and the `date` of the import."""


class BoxMetrics(Frozen):
    """OKS AP and AR (x 100) of one box source, and the mean OKS (0 to 1) of people with a ground-truth box.

    None stands where nobody of that size is to be found. `Mean` is PCKh@0.5 of people with head boxes, at their own.
    """

    boxes: BoxSource
    n_people: int
    AP: float | None
    AP50: float | None
    AP75: float | None
    AP_M: float | None
    AP_L: float | None
    AR: float | None
    AR50: float | None
    AR75: float | None
    AR_M: float | None
    AR_L: float | None
    mean_oks: float | None
    Mean: float | None = None


class StratumRow(Frozen):
    """AP and AR (x 100) of one difficulty stratum, such as ("view", "back"), and how many people are in it."""

    boxes: BoxSource
    group: str
    name: str
    people: int
    AP: float | None
    AR: float | None


class Record(Frozen):
    """What stays of a run; `epochs` are those trained, fewer than configured in a partial record only.

    `weights_sha256` is of the weights that lie beside the record (`model.pt` or `backbone.pt`) where they were written;
    None: there were none, or the record is older than the field.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    run_id: str
    run_hash: str
    parents: tuple[str, ...]
    config: Annotated[ExperimentConfig | PretextRunConfig, Field(discriminator="kind")]
    epochs: int
    provenance: Provenance
    curve: Curve
    metrics: tuple[BoxMetrics, ...]
    strata: tuple[StratumRow, ...]
    predictions_sha256: str | None
    weights_sha256: str | None = None

    @property
    def partial(self) -> bool:
        """True if training stopped before the configured number of epochs (`--limit-epochs`)."""
        planned = self.config.pretext.epochs if isinstance(self.config, PretextRunConfig) else self.config.train.epochs
        return self.epochs < planned

    def of(self, boxes: BoxSource) -> BoxMetrics | None:
        """The metrics of one box source."""
        return next((metrics for metrics in self.metrics if metrics.boxes == boxes), None)


@dataclass(frozen=True)
class LoadedRecord:
    """A verified record with its predictions (empty for a pretraining run)."""

    record: Record
    predictions: Predictions


def write_record(
    folder: Path, record: Record, predictions: Predictions, evaluation: RunEvaluation | None = None
) -> Record:
    """Store a run; the record comes back with the digests of its predictions and of the weights in the folder.

    The lease is looked at last: of a process that was taken for dead, nothing replaces what another has stored since.

    Args:
        evaluation: of these predictions.

    Raises:
        UserError: the batch that started this process has lost the run; nothing is written.
        OSError: disk full, say; an earlier record is as it was, or no longer verifies.
    """
    content = to_bytes(predictions) if predictions else None
    weights = [folder / name for name in WEIGHTS_FILES if (folder / name).exists()]
    digests = {
        "predictions_sha256": content and sha256_hex(content),
        "weights_sha256": file_sha256(weights[0]) if weights else None,
    }
    record = record.model_copy(update=digests)
    body = record.model_dump(mode="json")
    envelope = {"sha256": body_digest(body), "record": body}
    require_lease()
    (folder / IMPORTED_FILE).unlink(missing_ok=True)
    if content is not None:
        write_atomically(folder / PREDICTIONS_FILE, content)
    if evaluation is None:
        (folder / EVALUATION_FILE).unlink(missing_ok=True)
    else:
        write_evaluation(folder, record, evaluation)
    write_atomically(folder / RECORD_FILE, (json.dumps(envelope, indent=1, sort_keys=True) + "\n").encode())
    return record


def write_evaluation(folder: Path, record: Record, evaluation: RunEvaluation) -> None:
    """Store what results are computed from, tied to the record by the digest of the predictions."""
    write_atomically(folder / EVALUATION_FILE, evaluation_file.to_bytes(evaluation, record.predictions_sha256))


def read_record(folder: Path, beside: bool = True) -> Record:
    """The record of a folder, verified: its own digest, its id and hash, and that the files beside it are its own.

    Args:
        beside: look at these files too; they take most of the time.

    Raises:
        UserError: it is missing, cut off or altered, or predictions or evaluation are, or both are missing.
    """
    path = folder / RECORD_FILE
    try:
        envelope = json.loads(read_regular(path, MAX_RECORD))
        body, digest = envelope["record"], envelope["sha256"]
    except FileNotFoundError:
        raise UserError(f"record {path} does not exist") from None
    except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else first_line(error)
        raise UserError(f"record {path} is cut off or no record: {reason}") from None
    if body_digest(body) != digest:
        raise UserError(f"record {path} was altered: its content does not have the digest {str(digest)[:10]}…")
    record = _validated(path, body)
    if beside and record.predictions_sha256 is not None:
        evaluation = read_evaluation(folder, record)
        if evaluation is None or (folder / PREDICTIONS_FILE).exists():
            _predictions_content(folder, record)
    return record


def read_damaged(folder: Path) -> tuple[Record, dict[str, str]]:
    """As `read_record`, but that predictions or evaluation may be damaged where the other is whole: which is, and how.

    Raises:
        UserError: the record does not verify, or neither of the two is whole.
    """
    record = read_record(folder, beside=False)
    damaged = damaged_results(folder, record)
    results = (EVALUATION_FILE, PREDICTIONS_FILE)
    if record.predictions_sha256 is not None and all(one in damaged or not (folder / one).exists() for one in results):
        read_record(folder)  # raises
    return record, damaged


def damaged_results(folder: Path, record: Record) -> dict[str, str]:
    """Which of predictions and evaluation are here and not the record's, and what is wrong with each."""
    found = {}
    for name, read in ((EVALUATION_FILE, read_evaluation), (PREDICTIONS_FILE, _predictions_content)):
        if record.predictions_sha256 is not None and (folder / name).exists():
            try:
                read(folder, record)
            except UserError as error:
                found[name] = str(error)
    return found


def load_record(folder: Path) -> LoadedRecord:
    """The verified record with its predictions.

    Raises:
        UserError: the record does not verify, or the predictions do not or are not here.
    """
    record = read_record(folder, beside=False)
    if record.predictions_sha256 is None:
        return LoadedRecord(record, {})
    content = _predictions_content(folder, record)
    with naming(folder / PREDICTIONS_FILE):
        return LoadedRecord(record, from_bytes(content))


def read_evaluation(folder: Path, record: Record) -> RunEvaluation | None:
    """What a record's results are computed from; None where it was not stored.

    Raises:
        UserError: it was cut off or altered, or is of other predictions.
    """
    path = folder / EVALUATION_FILE
    try:
        return evaluation_file.from_bytes(read_regular(path, MAX_BYTES), str(record.predictions_sha256))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"evaluation {path} cannot be read: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, MemoryError) as error:
        raise UserError(f"evaluation {path} is not that of the record: {first_line(error)}") from None


def _validated(path: Path, body: object) -> Record:
    try:
        record = Record.model_validate_json(json.dumps(body))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(f"record {path} is not valid: {place}: {first['msg']}") from None
    fingerprint = record.provenance.data_fingerprint
    if record.run_hash != run_hash(record.config, fingerprint, record.parents):
        raise UserError(f"record {path}: hash {record.run_hash} is not that of its configuration")
    if record.run_id != run_id(record.config, fingerprint, record.parents):
        raise UserError(f"record {path}: run id {record.run_id} is not that of its configuration")
    return record


def _predictions_content(folder: Path, record: Record) -> bytes:
    path = folder / PREDICTIONS_FILE
    try:
        content = read_regular(path, MAX_BYTES)
    except FileNotFoundError:
        raise UserError(
            f"predictions {path} are not here: they are not committed of every run, only what its results are computed"
            " from. `poseur runs import` brings them from where the run was made"
        ) from None
    except OSError as error:
        raise UserError(f"predictions {path} cannot be read: {error.strerror}") from None
    if sha256_hex(content) != record.predictions_sha256:
        raise UserError(f"predictions {path} were altered or cut off: they are not those of the record")
    return content


def body_digest(body: object) -> str:
    """What a record calls its own digest: that of its content as JSON without spaces, keys in order."""
    return sha256_hex(json.dumps(body, sort_keys=True, separators=(",", ":")).encode())


def finite(values: dict[str, Any]) -> dict[str, Any]:
    """`values` with None for NaN, which JSON does not have."""
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in values.items()}
