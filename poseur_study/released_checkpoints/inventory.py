"""A folder of released checkpoints: what each file is, as far as its content and the user say so."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from poseur_lib.checkpoints.checkpoint import FORMAT, read_file
from poseur_lib.checkpoints.released_load import released_state
from poseur_lib.checkpoints.released_recognise import Recognised, Size, recognise
from poseur_lib.config import ExperimentConfig
from poseur_lib.errors import UserError, require_known
from poseur_lib.files import file_sha256

SUFFIXES = (".pth", ".pt", ".ckpt", ".tar", ".bin")
FLIP_FUSION = {"model.head.flip_fusion": "type2"}
"""By which the released README evaluates: it makes coordinates and keypoint scores. Its code's default takes means."""


@dataclass(frozen=True)
class CheckpointFile:
    """A checkpoint that was recognised.

    Attributes:
        configs: its configuration, once for each input size that it may have been trained at: one if that is known.
    """

    path: Path
    sha256: str
    configs: tuple[ExperimentConfig, ...]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def size_known(self) -> bool:
        """True if the input size is not one of several."""
        return len(self.configs) == 1


@dataclass(frozen=True)
class Refused:
    """A file that is not used, and why; `unreadable` if it is no checkpoint file or a damaged one."""

    name: str
    why: str
    unreadable: bool = False


def inventory(
    folder: Path, sizes: Mapping[str, Size], known: Mapping[str, Size]
) -> tuple[list[CheckpointFile], list[Refused]]:
    """The checkpoints of a folder, recognised one after the other, and its files that are not used, by name.

    Args:
        sizes: input size (height, width) by file name, where the user says it.
        known: the same by a file's SHA-256, as it was said before.

    Raises:
        UserError: there is no such folder, no checkpoint in it, or no file of a name in `sizes`.
    """
    if not folder.is_dir():
        raise UserError(f"--checkpoints {folder}: no such folder")
    paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and not path.name.startswith("."))
    if not paths:
        raise UserError(f"--checkpoints {folder}: no checkpoint in it ({', '.join(f'*{one}' for one in SUFFIXES)})")
    require_known("checkpoint", sizes, [path.name for path in paths])
    files: dict[str, CheckpointFile] = {}
    refused = []
    for path in paths:
        found = identify(path, sizes.get(path.name), known)
        if isinstance(found, Refused):
            refused.append(found)
        elif found.sha256 in files:
            refused.append(Refused(path.name, f"the same content as {files[found.sha256].name}"))
        else:
            files[found.sha256] = found
    return list(files.values()), refused


def identify(path: Path, size: Size | None, known: Mapping[str, Size]) -> CheckpointFile | Refused:
    """One file: recognised by names and shapes, at the size given now or before, or at the released ones."""
    try:
        digest, content = file_sha256(path), read_file(path)
    except (UserError, OSError) as error:
        return Refused(path.name, str(error), unreadable=True)
    if isinstance(content, Mapping) and content.get("format") == FORMAT:
        return Refused(path.name, "a checkpoint of this project, no released one")
    try:
        found = recognise(released_state(content))
        return CheckpointFile(path, digest, configurations(found, path.name, size or known.get(digest)))
    except UserError as error:
        return Refused(path.name, str(error))


def configurations(found: Recognised, name: str, size: Size | None) -> tuple[ExperimentConfig, ...]:
    """What was recognised as configurations that judge as the released README does, one for each possible input size.

    Raises:
        UserError: no input size is known.
    """
    sizes = found.input_sizes if size is None else (size,)
    if not sizes:
        raise UserError(
            f"weights alone do not tell the input size, and none is known of {found.model.backbone.name} with"
            f" {found.keypoint_set}: give --input-size {name}=HxW"
        )
    base = ExperimentConfig(model=found.model).with_changes(**{"data.keypoint_set": found.keypoint_set, **FLIP_FUSION})
    return tuple(base.with_changes(**{"data.input_size": list(one)}) for one in sizes)
