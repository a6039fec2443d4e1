"""Options that several commands have, and how what was given for them is read and checked."""

import json
import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from poseur_lib.errors import UserError, require_known, shown
from poseur_lib.files import require_output
from poseur_study.execution.slots import AUTO

DEEPEST = 150
"""Levels of a configuration that are given, at most: pydantic reads 200 of them, and json a thousand."""


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) in pixels from `256x192`. Raises UserError if `text` is no such pair."""
    match = re.fullmatch(r"(\d+)x(\d+)", text.strip().lower())
    if match is None:
        raise UserError(f"size {text!r}: give HEIGHTxWIDTH in pixels, for example 256x192")
    return int(match[1]), int(match[2])


def _require_output(path: Path | None) -> Path | None:
    if path is not None:
        require_output(path)
    return path


def given_size(text: str) -> tuple[int, int] | None:
    """As `parse_size`; None where nothing was given."""
    return parse_size(text) if text else None


def parse_sides(text: str) -> list[int] | None:
    """`600,800` as numbers, None where nothing was given. Raises UserError if one is no natural number."""
    sides = comma_separated(text)
    for side in sides:
        if not side.isdecimal():
            raise UserError(f"--test-sides {text!r}: {side!r} is no number of pixels, give such as 600,800,1000")
    return [int(side) for side in sides] or None


def parse_changes(given: list[str] | None) -> dict[str, Any]:
    """`path=value` pairs; a value is JSON, or a plain string. Raises UserError if there is no `=`, or many levels."""
    changes: dict[str, Any] = {}
    for one in given or []:
        path, equals, value = one.partition("=")
        if not equals:
            raise UserError(f"--set {one!r}: give PATH=VALUE, such as model.head.decoder_layers=2")
        if path.count(".") + value.count("[") + value.count("{") > DEEPEST:
            raise UserError(f"--set {shown(path)}: has more than {DEEPEST} dots and brackets")
        try:
            changes[path] = json.loads(value)
        except ValueError:
            changes[path] = value
    return changes


def parse_seeds(given: str) -> tuple[int, ...]:
    """`0,1,2` as numbers. Raises UserError if one is no natural number."""
    seeds = comma_separated(given)
    for seed in seeds:
        if not seed.isdecimal():
            raise UserError(f"--seeds {given!r}: {seed!r} is no natural number")
    return tuple(int(seed) for seed in seeds)


def parse_runs_per_gpu(given: str) -> int:
    """A number from 1, or `AUTO` for "auto". Raises UserError if it is neither."""
    if given == "auto":
        return AUTO
    if not given.isdecimal() or int(given) < 1:
        raise UserError(f"--runs-per-gpu {given!r}: give a number from 1, or auto")
    return int(given)


def parse_loader_workers(given: str) -> int | None:
    """A number from 0, or None for "auto". Raises UserError if it is neither."""
    if given == "auto":
        return None
    if not (given.isascii() and given.isdecimal()):
        raise UserError(f"--loader-workers {given!r}: give a number from 0, or auto")
    return int(given)


def comma_separated(text: str) -> tuple[str, ...]:
    """`1b, 1c` as its parts; nothing where nothing was given."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def runs_folder(runs: str) -> Path:
    """The folder of all runs: the one given, relative to the current folder, else `runs/` of the project."""
    from poseur_study.runs.project import as_given, below_root

    return as_given(runs) if runs else below_root("runs")


def report_command(profile: str, runs: str) -> str:
    """What renders a profile's report of the folder of runs that was given, "" where none was, as one types it."""
    return shlex.join(["poseur", "report", "--profile", profile, *(["--runs", runs] if runs else [])])


def chosen_keypoints(given: str, folder: Path | None = None) -> Any:
    """The keypoint set of `--keypoints` or of the data folder, None where neither says one; one's own is printed."""
    from poseur_lib.data.keypoint_file import choose_keypoints

    chosen, text = choose_keypoints(given, folder)
    if text:
        typer.echo(text)
    return chosen


def one_of(kind: str, module: str, names: str, text: str, argument: str = "") -> Any:
    """An option, or the argument of that name, with a help text whose value, before the command begins, is checked.

    It has to stand among `names` of a module. "" stands for the default. The module is imported only then, so that
    `poseur --help` is quick.
    """

    def check(context: Any, option: Any, value: str) -> str:
        source = context.get_parameter_source(option.name or "")
        if value and (source is None or source.name != "DEFAULT"):
            known = getattr(import_module(module), names)
            require_known(kind, [value], get_args(known) or known)
        return value

    if argument:
        return typer.Argument(metavar=argument, help=text, callback=check)
    return typer.Option(help=text, callback=check)


HEAD, RUNTIME = "poseur_lib.config.heads.poseur", "poseur_lib.runtime"
AS_CONFIGURED = "default: as configured."

Checkpoint = Annotated[
    Path, typer.Option(metavar="FILE", help="A model.pt of this project, a run's folder, or a released one.")
]
InputSize = Annotated[
    str, typer.Option(metavar="HxW", help="Crop of a released checkpoint that does not tell it, such as 256x192.")
]
TestSides = Annotated[
    str,
    typer.Option(
        metavar="PX,...",
        help=f"Of an end-to-end model: short sides that images are shown with, averaged over several; {AS_CONFIGURED}",
    ),
]
Flip = Annotated[bool | None, typer.Option("--flip/--no-flip", help="Flip test; default: as configured.")]
FlipFusion = Annotated[str, one_of("flip fusion", HEAD, "FlipFusion", f"mean, type1 or type2; {AS_CONFIGURED}")]
KeypointScore = Annotated[
    str,
    one_of(
        "keypoint score",
        HEAD,
        "KeypointScore",
        f"rle (mean of 1 - sigma), laplace (Eq. 8) or calibrated (Eq. 8 with --sigma-factor); {AS_CONFIGURED}",
    ),
]
ScoreRadius = Annotated[
    float | None, typer.Option(help=f"a of laplace and calibrated, a fraction of the crop side; {AS_CONFIGURED}")
]
SigmaFactor = Annotated[
    float | None, typer.Option(help="Of calibrated: Laplace scale over sigma, which poseur evaluate prints of a model.")
]
SCORES = f"released (up to 3), paper, classic or box (up to 1); {AS_CONFIGURED}"
InstanceScore = Annotated[str, one_of("instance score", "poseur_lib.config.evaluation", "InstanceRule", SCORES)]
Device = Annotated[str, one_of("device", RUNTIME, "DEVICES", "auto, cpu or cuda.")]
Precision = Annotated[str, one_of("precision", RUNTIME, "PRECISIONS", "32, 16-mixed or bf16-mixed.")]
Compile = Annotated[
    str, one_of("compile", RUNTIME, "COMPILES", "auto, none, graph (a CUDA graph) or inductor (minutes at the start).")
]
DataOnDevice = Annotated[
    str, one_of("data on device", RUNTIME, "DATA_ON_DEVICE", "auto, yes or no: images stay in the device's memory.")
]
Fast = Annotated[
    bool,
    typer.Option(
        "--fast/--plain", help="Fold batch norms, channels_last, in models of crops; compared with --plain first."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Say how the model was made faster, too.")]
LoaderWorkers = Annotated[int, typer.Option("--workers", min=0, help="Processes that read and crop.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads of torch; 0: its default.")]
Csv = Annotated[Path | None, typer.Option(metavar="FILE", callback=_require_output, help="Write the table as CSV.")]
Keypoints = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE",
        help="Keypoint set: a built-in one, or a TOML or JSON file of your own (docs/own_keypoints.md). Default: what"
        " keypoints.toml or keypoints.json in the data folder says, or else the configuration.",
    ),
]
Coco = Annotated[Path, typer.Option(metavar="DIR", help="Data set in COCO's layout.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change the configuration, of a study that of every row; part of a run's identity.",
    ),
]
Runs = Annotated[str, typer.Option("--runs", metavar="DIR", help="Folder of all runs; default: runs/ of the project.")]
