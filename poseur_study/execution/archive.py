"""Records on their way between a cluster and a laptop: an archive of finished runs, verified at both ends.

An archive is a tar file of `<profile>/<run id>/<file>` and, first, `manifest.json` with every file's SHA-256. Evaluated
released checkpoints travel as runs of a profile `released`, with the input sizes that were given for their files. Only
the files of a record are taken from it, and no record that is there is overwritten, nor its weights.
"""

import io
import json
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from poseur_lib.errors import UserError
from poseur_lib.files import LAST_CHECKPOINT, atomic_file, sha256_hex, write_atomically
from poseur_study.experiments.profiles import PROFILES
from poseur_study.released_checkpoints.store import FOLDER, SIZES_FILE, ReleasedStore
from poseur_study.runs import lease
from poseur_study.runs.evaluation import EVALUATION_FILE
from poseur_study.runs.record import PREDICTIONS_FILE, RECORD_FILE, read_record
from poseur_study.runs.store import NOTEBOOK_FILE, WEIGHTS_FILES, RunStore, clear_failure

MANIFEST_FILE = "manifest.json"
RECORD_FILES = (PREDICTIONS_FILE, EVALUATION_FILE, NOTEBOOK_FILE, RECORD_FILE)
"""The record comes last: with it the run is there."""
SIZES_NAME = f"{FOLDER}/{SIZES_FILE}"
CARRIED = (*(profile.name for profile in PROFILES), FOLDER)
"""Folders below that of all runs whose records can travel."""
FORMAT = 1


@dataclass(frozen=True)
class Carried:
    """What became of one run; `wrong` if it did not get to the other side."""

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
        name = f"{store.folder.name}/{run_id}"
        if not store.recorded_state(run_id).done:
            carried.append(Carried(name, f"left out: {store.error(run_id)}", wrong=True))
            continue
        wanted = (*WEIGHTS_FILES, *RECORD_FILES) if weights else RECORD_FILES
        there = [store.path(run_id) / file for file in wanted if (store.path(run_id) / file).is_file()]
        files |= {f"{name}/{path.name}": path for path in there}
        carried.append(Carried(name, "exported"))
    if not files:
        raise UserError(f"no finished run in {runs} ({', '.join(folders)})")
    if FOLDER in folders and (runs / SIZES_NAME).exists():
        files[SIZES_NAME] = runs / SIZES_NAME
    _write(archive, files)
    return carried


def import_runs(archive: Path, runs: Path) -> list[Carried]:
    """Put the runs of an archive into a folder of runs, each verified first; nothing finished is overwritten.

    A run that is there with another record is a conflict, one that is being executed too. The weights of one that was
    interrupted are removed: they are not those of the record that comes.

    Raises:
        UserError: it is no archive of ours, or cut off.
    """
    carried = []
    with tempfile.TemporaryDirectory(prefix="poseur-import-") as folder:
        for profile, run_id in _extract(archive, Path(folder)):
            store = RunStore(runs / profile)
            carried.append(_import(Path(folder) / profile / run_id, store, run_id))
            store.verified.save()
        return carried + _import_sizes(ReleasedStore(Path(folder)), ReleasedStore(runs))


def _import_sizes(source: ReleasedStore, target: ReleasedStore) -> list[Carried]:
    """Add what the archive's user has said of files' input sizes; another word on the same file is a conflict."""
    given, known = source.sizes, target.sizes
    target.keep_sizes({digest: size for digest, size in given.items() if digest not in known})
    return [
        Carried(SIZES_NAME, f"conflict: the file {digest[:10]}… is of another input size here", wrong=True)
        for digest, size in given.items()
        if known.get(digest, size) != size
    ]


def recorded(runs: Path, folders: Sequence[str]) -> Iterator[tuple[RunStore, str]]:
    """The runs that have a record, whatever that is worth."""
    for folder in folders:
        for record in sorted((runs / folder).glob(f"*/{RECORD_FILE}")):
            yield RunStore(runs / folder), record.parent.name


def _write(archive: Path, files: dict[str, Path]) -> None:
    digests = {name: sha256_hex(path.read_bytes()) for name, path in files.items()}
    manifest = json.dumps({"format": FORMAT, "sha256": digests}, indent=1, sort_keys=True).encode()
    mode = "w:gz" if archive.suffix in (".gz", ".tgz") else "w"
    with atomic_file(archive) as partial, tarfile.open(partial, mode) as tar:
        for name, content in [(MANIFEST_FILE, manifest), *((name, path.read_bytes()) for name, path in files.items())]:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))


def _extract(archive: Path, folder: Path) -> list[tuple[str, str]]:
    """Unpack what belongs to runs, each file held against the manifest; (profile, run id) in the archive's order."""
    found: dict[tuple[str, str], None] = {}
    try:
        with tarfile.open(archive) as tar:
            digests = _manifest(archive, tar)
            for name, digest in digests.items():
                run = None if name == SIZES_NAME else _run(archive, name)
                content = tar.extractfile(name).read()
                if sha256_hex(content) != digest:
                    raise UserError(f"{archive}: {name} was altered or cut off")
                write_atomically(folder / name, content)
                if run is not None:
                    found[run] = None
    except (tarfile.TarError, EOFError, KeyError, AttributeError) as error:
        raise UserError(f"{archive} is cut off or no archive of runs: {error}") from None
    except OSError as error:
        raise UserError(f"{archive}: {error.strerror or error}") from None
    return list(found)


def _manifest(archive: Path, tar: tarfile.TarFile) -> dict[str, str]:
    try:
        content = json.loads(tar.extractfile(MANIFEST_FILE).read())
        if content["format"] != FORMAT:
            raise UserError(f"{archive} has format {content['format']}, this version reads {FORMAT}")
        return dict(content["sha256"])
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{archive} is no archive of runs: it has no readable {MANIFEST_FILE}") from None


def _run(archive: Path, name: str) -> tuple[str, str]:
    """Profile and run id of a member. Raises UserError for any other: no path can lead out of the folder."""
    parts = name.split("/")
    if len(parts) != 3 or parts[0] not in CARRIED or parts[2] not in (*WEIGHTS_FILES, *RECORD_FILES):
        raise UserError(f"{archive}: {name!r} is no file of a run's record")
    if parts[1] in ("", ".", ".."):
        raise UserError(f"{archive}: {name!r} names no run")
    return parts[0], parts[1]


def _import(source: Path, store: RunStore, run_id: str) -> Carried:
    name, target = f"{store.folder.name}/{run_id}", store.path(run_id)
    try:
        if read_record(source).run_id != run_id:
            return Carried(name, "refused: its record is that of another run", wrong=True)
    except UserError as error:
        return Carried(name, f"refused: {error}", wrong=True)
    held = lease.acquire(target)
    if held is None:
        return Carried(name, f"conflict: it is being executed by {lease.holder(target)}", wrong=True)
    try:
        if (target / RECORD_FILE).exists():
            if (target / RECORD_FILE).read_bytes() != (source / RECORD_FILE).read_bytes():
                return Carried(name, "conflict: another record is there; nothing was overwritten", wrong=True)
            added = _copy(source, target, (*WEIGHTS_FILES, *RECORD_FILES))
            return Carried(name, ", ".join(["there already", *(f"{file} added" for file in added)]))
        left = [target / name for name in (*WEIGHTS_FILES, LAST_CHECKPOINT) if (target / name).exists()]
        for path in left:  # weights without a record would count as those of the record that comes
            path.unlink()
        _copy(source, target, (*WEIGHTS_FILES, *RECORD_FILES))
        clear_failure(target)
        return Carried(name, f"imported{', an interrupted run was removed' if left else ''}")
    finally:
        held.release()


def _copy(source: Path, target: Path, names: Sequence[str]) -> list[str]:
    """Copy those files that are not there yet; without a record, what a failed or interrupted run left is replaced."""
    unfinished = not (target / RECORD_FILE).exists()
    chosen = [name for name in names if (source / name).exists() and (unfinished or not (target / name).exists())]
    for name in chosen:
        write_atomically(target / name, (source / name).read_bytes())
    return chosen
