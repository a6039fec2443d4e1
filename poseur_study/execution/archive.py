"""Records on their way between a cluster and a laptop: an archive of finished runs, verified at both ends.

Evaluated released checkpoints travel as runs of a profile `released`, with the input sizes that were given for their
files. No record that is there is overwritten, nor its weights. What comes is marked as such (`imported.json`), and is
held against what can be known of it here: see `_arrival` for what a record must have, and `recompute` for its numbers.
"""

import errno
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError, naming
from poseur_lib.files import LAST_CHECKPOINT, WEIGHTS_FILES, atomic_file, file_sha256
from poseur_study.execution.archive_file import MOST_BYTES, SIZES_NAME, Archive, sync_all, write_archive
from poseur_study.released_checkpoints.sizes import FOLDER, GivenSizes
from poseur_study.runs import lease
from poseur_study.runs.evaluation_file import EVALUATION_FILE
from poseur_study.runs.origin import NOTEBOOK_DIGEST_FILE
from poseur_study.runs.provenance import commit_is_here
from poseur_study.runs.record import (
    IMPORTED_FILE,
    PARTIAL_FOLDER,
    PREDICTIONS_FILE,
    RECORD_FILE,
    Record,
    damaged_results,
    read_record,
)
from poseur_study.runs.store import NOTEBOOK_FILE, RunStore, clear_failure, set_aside

RESULT_FILES = (PREDICTIONS_FILE, EVALUATION_FILE)
RECORD_FILES = (*RESULT_FILES, NOTEBOOK_FILE, NOTEBOOK_DIGEST_FILE, RECORD_FILE)
"""The record comes last: with it the run is there."""

Check = Callable[[RunStore, Path, Record], str]
"""Holds a record in a folder that is not yet the store's against what can be computed, and says what was, in a word.

It raises UserError where the numbers are not those of the record.
"""


@dataclass(frozen=True)
class Carried:
    """What became of one run; `wrong` if it did not get to the other side as it is."""

    name: str
    what: str
    wrong: bool = False


def export_runs(archive: Path, runs: Path, folders: Sequence[str], weights: bool) -> list[Carried]:
    """Write the finished runs of some folders to an archive; what does not verify is left out and reported.

    Args:
        folders: of `CARRIED`.

    Raises:
        UserError: the archive is there already, or there is nothing to export.
        OSError: the archive cannot be written; none is left then.
    """
    if archive.exists():
        raise UserError(f"{archive} exists: nothing is overwritten")
    carried, files = [], {}
    for store, run_id in recorded(runs, folders):
        name, of_run = f"{store.folder.name}/{run_id}", store.path(run_id)
        if not store.recorded_state(run_id).done:
            carried.append(Carried(name, f"left out: {store.error(run_id)}", wrong=True))
            continue
        damaged = dict(store.damaged_results(run_id))
        if weights and (problem := store.damaged_weights(run_id, again=True)):
            damaged["weights"] = problem
        if damaged:
            what = f"exported without {' and '.join(damaged)}: {'; '.join(damaged.values())}"
            carried.append(Carried(name, what, wrong=True))
        wanted = (*WEIGHTS_FILES, *RECORD_FILES) if weights and "weights" not in damaged else RECORD_FILES
        there = [of_run / file for file in wanted if file not in damaged and (of_run / file).is_file()]
        if large := [path for path in there if path.stat().st_size > MOST_BYTES[path.name]]:
            what = f"left out: {large[0]} has more than the {MOST_BYTES[large[0].name]} bytes that an import allows"
            carried.append(Carried(name, what, wrong=True))
            continue
        files |= {f"{name}/{path.name}": path for path in there}
        carried += [Carried(name, "exported")] * (not damaged)
        store.verified.read.clear()  # a thousand records take more memory than all the rest
    if not files:
        raise UserError(f"no finished run in {runs} ({', '.join(folders)})")
    if FOLDER in folders and (runs / SIZES_NAME).exists():
        files[SIZES_NAME] = runs / SIZES_NAME
    for folder in folders:
        RunStore(runs / folder).verified.save()
    write_archive(archive, files)
    return carried


def recorded(runs: Path, folders: Sequence[str]) -> Iterator[tuple[RunStore, str]]:
    """The runs that have a record, whatever that is worth."""
    for folder in folders:
        for record in sorted((runs / folder).glob(f"*/{RECORD_FILE}")):
            yield RunStore(runs / folder), record.parent.name


def import_runs(
    archive: Path, runs: Path, profile: str = "", checks: Callable[[list[Path]], Check] | None = None
) -> Iterator[Carried]:
    """Put the runs of an archive into a folder of runs, each verified first; nothing finished is overwritten.

    A run that is there with another record is a conflict, one that is being executed too. Files of a run that is there
    are replaced where they are damaged, and set aside. The weights of one that was interrupted are removed: they are
    not those of the record that comes. The archive is unpacked beside the runs first, so that of one that is cut off
    nothing arrives.

    Args:
        profile: refuse runs of another one; "": take all.
        checks: given the folders that the runs wait in, makes the check of their numbers; None: they are not computed.

    Raises:
        UserError: it is no archive of ours, cut off, or larger than allowed.
    """
    opened = Archive(archive)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    mark = json.dumps({"source": archive.name, "sha256": file_sha256(archive), "date": now}).encode()
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=runs) as folder:
        opened.unpack(Path(folder))
        waiting = [Path(folder) / one / run_id for one, run_id in opened.runs]
        for source in waiting:
            (source / IMPORTED_FILE).write_bytes(mark)
        sync_all(path for path in Path(folder).rglob("*") if path.is_file())
        check = None if checks is None or not waiting else checks(waiting)
        for source in waiting:
            store = RunStore(runs / source.parent.name)
            if profile not in ("", source.parent.name):
                yield Carried(_name(source), f"refused: profile {profile} was asked for", wrong=True)
                continue
            try:
                yield _import(source, store, check)
            except UserError as error:
                yield Carried(_name(source), f"refused: {error}".replace(folder, archive.name), wrong=True)
        sync_all(path for one, run_id in opened.runs if (path := runs / one / run_id).is_dir())
        yield from _import_sizes(GivenSizes(Path(folder)), GivenSizes(runs))


def _name(source: Path) -> str:
    return f"{source.parent.name}/{source.name}"


def _import_sizes(source: GivenSizes, target: GivenSizes) -> list[Carried]:
    """Add what the archive's user has said of files' input sizes; another word on the same file is a conflict."""
    given, known = source.sizes, target.sizes
    target.keep_sizes({digest: size for digest, size in given.items() if digest not in known})
    return [
        Carried(SIZES_NAME, f"conflict: the file {digest[:10]}… is of another input size here", wrong=True)
        for digest, size in given.items()
        if known.get(digest, size) != size
    ]


def _arrival(source: Path) -> tuple[Record, list[str]]:
    """The record of a run that waits to be imported, and what is to be said of it; weights of another run are removed.

    Raises:
        UserError: the record does not verify, is of another run or profile, or of fewer epochs than it says.
    """
    record = read_record(source)
    if record.run_id != source.name:
        raise UserError(f"its record is that of another run, {record.run_id}")
    if record.provenance.profile != source.parent.name:
        raise UserError(f"its record is of profile {record.provenance.profile!r}")
    trained_here = record.provenance.checkpoint is None
    if trained_here and len(record.curve) != record.epochs:
        raise UserError(f"its record says {record.epochs} epochs, and its curve has {len(record.curve)}")
    if isinstance(record.config, ExperimentConfig) and record.predictions_sha256 is None:
        raise UserError("its record is of no predictions: nothing says where its numbers come from")
    said = []
    for commit in (record.provenance.commit, *record.provenance.earlier_commits):
        if commit_is_here(commit) is False:
            said.append(f"its commit {commit[:10]!r} is not in this checkout")
    for path in (source / name for name in WEIGHTS_FILES if (source / name).exists()):
        found = file_sha256(path)
        if record.weights_sha256 is None:
            said.append(f"the record has no digest of {path.name}, which is taken as it comes")
        elif found != record.weights_sha256:
            said.append(f"WITHOUT {path.name}, which has SHA-256 {found}, and the record says {record.weights_sha256}")
            path.unlink()
    return record, said


def _import(source: Path, store: RunStore, check: Check | None) -> Carried:
    name, run = _name(source), store.path(source.name)
    with naming("its files"):
        record, said = _arrival(source)
    wrong = any(one.startswith("WITHOUT") for one in said)
    if check is not None:
        with naming("its predictions"):
            said.append(check(store, source, record))
    target = run / PARTIAL_FOLDER if record.partial else run
    names = RESULT_FILES if record.partial else (*WEIGHTS_FILES, *RECORD_FILES[:-1])
    held = lease.acquire(run)
    if held is None:
        return Carried(name, f"conflict: it is being executed by {lease.holder(run)}", wrong=True)
    try:
        left: list[Path] = []  # of an interrupted run
        if record.partial and (run / RECORD_FILE).exists():
            return Carried(name, f"conflict: it has {record.epochs} epochs only, and the run is there", wrong=True)
        there, damaged = (target / RECORD_FILE).exists(), []
        if there:
            whole = (target / RECORD_FILE).read_bytes() == (source / RECORD_FILE).read_bytes()
            if not whole and _record_of(target, record.run_id):
                return Carried(name, "conflict: another record is there; nothing was overwritten", wrong=True)
            damaged = [one for one in _damaged(target, source, record, whole) if not whole or (source / one).exists()]
            said[:0] = [_set_aside(target / one) for one in damaged if one != RECORD_FILE]
            there = whole
        if not (there or damaged or record.partial):  # weights without a record would count as those of the one to come
            left = [run / name for name in (*WEIGHTS_FILES, LAST_CHECKPOINT) if (run / name).exists()]
            for path in (*left, *(run / name for name in names)):
                path.unlink(missing_ok=True)
        kept = {one for one in names if (there or damaged) and (target / one).exists()}
        added = [one for one in names if (source / one).exists() and one not in kept]
        covered = {*RESULT_FILES, *(WEIGHTS_FILES if record.weights_sha256 is not None else ())}
        marked = (target / IMPORTED_FILE).exists()
        if there and not marked and not covered.issuperset(added):  # nothing here vouches for them: pages name a source
            _move(source / IMPORTED_FILE, target / IMPORTED_FILE)
            said.append("marked as imported")
        for one in added:
            _move(source / one, target / one)
        if there:
            more = [f"{one} added" for one in added if one not in damaged]
            return Carried(name, _words("repaired" if damaged else "there already", [*more, *said]), wrong)
        if damaged:
            said[:0] = [_set_aside(target / RECORD_FILE)]
        for one in (IMPORTED_FILE, RECORD_FILE):
            _move(source / one, target / one)
        if not record.partial:
            clear_failure(run)
    finally:
        held.release()
    how = f"imported as partial, it has {record.epochs} epochs only" if record.partial else "imported"
    how = "repaired" if damaged else how
    return Carried(name, _words(how, [*["an interrupted run was removed"] * bool(left), *said]), wrong)


def _set_aside(path: Path) -> str:
    return f"{path.name} that was damaged is now {set_aside(path).name}"


def _record_of(folder: Path, run_id: str) -> bool:
    """Whether the record of a folder is that run's and whole, whatever lies beside it."""
    with suppress(UserError):
        return read_record(folder, beside=False).run_id == run_id
    return False


def _damaged(folder: Path, source: Path, record: Record, whole: bool) -> list[str]:
    """The files of a run that is there which are not those of `record`.

    Args:
        whole: its record is; else it is one of them, as are weights that `record` has no digest of, and other notebooks
            than the archive's.
    """
    notebooks = () if whole else (NOTEBOOK_FILE, NOTEBOOK_DIGEST_FILE)
    others = [name for name in notebooks if _differ(folder / name, source / name)]
    weights = [
        name
        for name in WEIGHTS_FILES
        if (folder / name).exists() and (record.weights_sha256 is not None or not whole)
        if file_sha256(folder / name) != record.weights_sha256
    ]
    return [*damaged_results(folder, record), *weights, *others, *[RECORD_FILE] * (not whole)]


def _differ(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and file_sha256(one) != file_sha256(other)


def _words(what: str, more: Sequence[str]) -> str:
    return ": ".join(filter(None, [what, "; ".join(filter(None, more))]))


def _move(source: Path, target: Path) -> None:
    """A file that the disk has already, into place; copied where the run's folder lies on another disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with atomic_file(target) as copy:
            shutil.copyfile(source, copy)
