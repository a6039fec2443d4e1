"""`poseur study run --source released`: released checkpoints evaluated, beside the paper's numbers."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from poseur_lib.errors import UserError
from poseur_study.cli.data import parse_size

if TYPE_CHECKING:
    from poseur_study.experiments.notebook_parameters import RunSettings
    from poseur_study.released_checkpoints.evaluate import ReleasedSource
    from poseur_study.released_checkpoints.store import ReleasedStore


PROFILE = "paper"


def require_no_training(given: list[str]) -> None:
    """Check that nothing was asked for that evaluating checkpoints would pass over.

    Args:
        given: options of training that have another value than their default.

    Raises:
        UserError: there is one.
    """
    if given:
        raise UserError(f"{', '.join(given)}: of training; --source released evaluates checkpoints as they are")


def run_released(
    checkpoints: Path | None, tables: str, data: str, runs: str, sizes: list[str] | None, device: str, precision: str
) -> None:
    """Evaluate the checkpoints of a folder that are rows of these tables, and say what became of each file.

    Raises:
        UserError: there is no folder, no checkpoint in it, or no data set.
        typer.Exit: 1 if a file could not be read.
    """
    from poseur_study.experiments import tables as declared
    from poseur_study.experiments.notebook_parameters import RunSettings
    from poseur_study.released_checkpoints.evaluate import ReleasedSource, outcome_lines, refused_lines
    from poseur_study.released_checkpoints.store import ReleasedStore
    from poseur_study.runs.project import as_given, below_root

    if checkpoints is None:
        raise UserError("--source released needs --checkpoints DIR, a folder of released checkpoints")
    numbers = tuple(number.strip() for number in tables.split(",") if number.strip())
    store = ReleasedStore(as_given(runs) if runs else below_root("runs"))
    source = ReleasedSource(
        as_given(checkpoints), declared(numbers), str(as_given(data)) if data else "", store, parse_sizes(sizes)
    )
    settings = RunSettings(profile=PROFILE, device=device, precision=precision)
    for outcome in source.evaluate(settings, lambda line: typer.echo(line, err=True)):
        for line in outcome_lines(outcome):
            typer.echo(line)
    for line in refused_lines(source.refused):
        typer.echo(line)
    wrong = any(refused.unreadable for refused in source.refused)
    for name, problem in _show_tables(source, store, settings):
        typer.echo(f"{name}: {problem or 'shows them, without training'}", err=problem is not None)
        wrong = wrong or problem is not None
    typer.echo(f"next: poseur report --profile {settings.profile}")
    if wrong:
        raise typer.Exit(1)


def _show_tables(
    source: "ReleasedSource", store: "ReleasedStore", settings: "RunSettings"
) -> Iterator[tuple[str, str | None]]:
    """Execute the notebooks of the tables that have a row of these checkpoints; each one's name, and why it failed."""
    from poseur_study.execution.batch import Batch
    from poseur_study.execution.run_job import RunOptions
    from poseur_study.runs.project import as_noted

    numbers = tuple(dict.fromkeys(number for match in source.matches for number in match.tables))
    if not numbers:
        return
    profile, data, runs = settings.profile, source.data.root, store.runs
    options = RunOptions(profile, as_noted(data), as_noted(runs), settings.device, settings.precision)
    yield from Batch(profile, numbers, (), str(data), str(runs), {}).show_tables(options)


def parse_sizes(given: list[str] | None) -> dict[str, tuple[int, int]]:
    """`FILE=HxW` pairs.

    Raises:
        UserError: one is no such pair.
    """
    sizes = {}
    for one in given or []:
        name, equals, size = one.rpartition("=")
        if not equals:
            raise UserError(f"--input-size {one!r}: give FILE=HEIGHTxWIDTH, such as hrformer_base.pth=384x288")
        sizes[name] = parse_size(size)
    return sizes
