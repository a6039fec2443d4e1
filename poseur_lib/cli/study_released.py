"""`poseur study run --source released`: released checkpoints evaluated, beside the paper's numbers."""

from pathlib import Path

import typer

from poseur_lib.cli.data import parse_size
from poseur_lib.errors import UserError


def run_released(
    checkpoints: Path | None, tables: str, data: str, runs: str, sizes: list[str] | None, device: str, precision: str
) -> None:
    """Evaluate the checkpoints of a folder that are rows of these tables, and say what became of each file.

    Raises:
        UserError: there is no folder, no checkpoint in it, or no data set.
        typer.Exit: 1 if a file could not be read.
    """
    from poseur_lib.study.parameters import RunSettings
    from poseur_lib.study.released_report import outcome_lines, refused_lines
    from poseur_lib.study.released_source import ReleasedSource
    from poseur_lib.study.released_store import ReleasedStore
    from poseur_lib.study.roots import as_given, below_root
    from poseur_lib.study.tables import tables as declared

    if checkpoints is None:
        raise UserError("--source released needs --checkpoints DIR, a folder of released checkpoints")
    numbers = tuple(number.strip() for number in tables.split(",") if number.strip())
    store = ReleasedStore(as_given(runs) if runs else below_root("runs"))
    source = ReleasedSource(
        as_given(checkpoints), declared(numbers), str(as_given(data)) if data else "", store, parse_sizes(sizes)
    )
    settings = RunSettings(profile="paper", device=device, precision=precision)
    for outcome in source.evaluate(settings, lambda line: typer.echo(line, err=True)):
        for line in outcome_lines(outcome):
            typer.echo(line)
    for line in refused_lines(source.refused):
        typer.echo(line)
    typer.echo("tables show them beside the paper's numbers when they are made on this data set")
    if any(refused.unreadable for refused in source.refused):
        raise typer.Exit(1)


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
