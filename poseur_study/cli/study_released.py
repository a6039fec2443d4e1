"""`poseur study run --source released`: released checkpoints evaluated, beside the paper's numbers."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from poseur_lib.errors import UserError
from poseur_study.cli import options

if TYPE_CHECKING:
    from poseur_study.experiments.notebook_parameters import RunSettings
    from poseur_study.released_checkpoints.evaluate import ReleasedSource

PROFILE = "paper"


def run_released(
    checkpoints: Path | None,
    tables: str,
    data: str,
    runs: str,
    sizes: list[str] | None,
    loader_workers: int | None,
    **how: str,
) -> None:
    """Evaluate the checkpoints of a folder that are rows of these tables, and say what became of each file.

    Args:
        loader_workers: processes that read and crop; None: as of a run that is alone on this machine.
        how: device, precision, compile and data_on_device, as `RunSettings` has them.

    Raises:
        UserError: there is no folder, no checkpoint in it, or no data set.
        typer.Exit: 1 if a file could not be read.
    """
    from poseur_study.execution.slots import share_of, visible_gpus
    from poseur_study.experiments import tables as named_tables
    from poseur_study.experiments.analyses import SCORING
    from poseur_study.experiments.notebook_parameters import RunSettings
    from poseur_study.released_checkpoints.evaluate import ReleasedSource, outcome_lines, refused_lines
    from poseur_study.released_checkpoints.store import ReleasedStore
    from poseur_study.runs.project import as_given
    from poseur_study.runs.provenance import cpu_count

    if checkpoints is None:
        raise UserError("--source released needs --checkpoints DIR, a folder of released checkpoints")
    store, declared = ReleasedStore(options.runs_folder(runs)), named_tables(options.comma_separated(tables))
    folder = str(as_given(data)) if data else ""
    source = ReleasedSource(as_given(checkpoints), declared, folder, store, parse_sizes(sizes))
    gpus = how["device"] != "cpu" and bool(visible_gpus())
    share = share_of(cpu_count(), 1, gpus, loader_workers)
    settings = RunSettings(profile=PROFILE, loader_workers=share.loader_workers, **how)
    for outcome in source.evaluate(settings, lambda line: typer.echo(line, err=True)):
        typer.echo("\n".join(outcome_lines(outcome)))
    for line in refused_lines(source.refused):
        typer.echo(line)
    wrong = [refused for refused in source.refused if refused.unreadable]
    wrong += _show_tables(source, settings, SCORING in declared)
    typer.echo(f"next: {options.report_command(settings.profile, runs)}")
    if wrong:
        raise typer.Exit(1)


def _show_tables(source: "ReleasedSource", settings: "RunSettings", scoring: bool) -> list[str]:
    """Execute the notebooks of the tables that have a row of these checkpoints, and say so; why some failed.

    Args:
        scoring: the page on scores is among those asked for: it shows every checkpoint, of whatever row.
    """
    from poseur_study.execution.batch import Batch
    from poseur_study.experiments.analyses import SCORING

    of_rows = [number for match in source.matches for number in match.tables]
    numbers = tuple(dict.fromkeys([*of_rows, *([SCORING.number] if of_rows and scoring else [])]))
    if not numbers:
        return []
    batch = Batch(settings.profile, numbers, (), str(source.data.root), str(source.store.runs), {})
    problems = []
    for name, problem in batch.show_tables(batch.options(device=settings.device, precision=settings.precision)):
        typer.echo(f"{name}: {problem or 'shows them, without training'}", err=problem is not None)
        problems += [problem] if problem else []
    return problems


def parse_sizes(given: list[str] | None) -> dict[str, tuple[int, int]]:
    """`FILE=HxW` pairs. Raises UserError if one is no such pair."""
    sizes = {}
    for one in given or []:
        name, equals, size = one.rpartition("=")
        if not equals:
            raise UserError(f"--input-size {one!r}: give FILE=HEIGHTxWIDTH, such as hrformer_base.pth=384x288")
        sizes[name] = options.parse_size(size)
    return sizes
