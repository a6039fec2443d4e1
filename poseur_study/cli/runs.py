"""`poseur runs`: carrying the records of finished runs between machines."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Carry the records of finished runs between machines.", no_args_is_help=True)

ArchiveArgument = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="A .tar or .tar.gz file.")]
RunsOption = Annotated[
    str, typer.Option("--runs", metavar="DIR", help="Folder of all runs; default: runs/ of the project.")
]


@app.command("export")
def export_archive(
    archive: ArchiveArgument,
    profile: Annotated[str, typer.Option("--profile", help="smoke, mini, paper or released; default: all.")] = "",
    runs: RunsOption = "",
    weights: Annotated[bool, typer.Option("--weights", help="The weights too: they are most of the size.")] = False,
) -> None:
    """Write the records of all finished runs to ARCHIVE; one that does not verify is left out, and the exit code 1.

    Evaluated released checkpoints are among them (`released`).
    """
    from poseur_lib.errors import require_known
    from poseur_study.execution.archive import CARRIED, export_runs

    if profile:
        require_known("profile", [profile], CARRIED)
    _report(export_runs(archive, _folder(runs), [profile] if profile else CARRIED, weights))


@app.command("import")
def import_archive(archive: ArchiveArgument, runs: RunsOption = "") -> None:
    """Put the runs of ARCHIVE beside those that are there; conflicts overwrite nothing, and the exit code is 1."""
    from poseur_study.execution.archive import import_runs

    _report(import_runs(archive, _folder(runs)))


def _folder(runs: str) -> Path:
    from poseur_study.runs.project import as_given, below_root

    return as_given(runs) if runs else below_root("runs")


def _report(carried: list) -> None:
    for run in carried:
        typer.echo(f"{run.name}: {run.what}", err=run.wrong)
    counts = Counter(run.what.partition(":")[0] for run in carried)
    typer.echo(", ".join(f"{count} {what}" for what, count in counts.items()))
    if any(run.wrong for run in carried):
        raise typer.Exit(1)
