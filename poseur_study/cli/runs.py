"""`poseur runs`: carrying the records of finished runs between machines."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from poseur_study.cli import options

app = typer.Typer(help="Carry the records of finished runs between machines.", no_args_is_help=True)

ArchiveArgument = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="A .tar or .tar.gz file.")]

ProfileOption = Annotated[
    str,
    options.one_of(
        "profile", "poseur_study.execution.archive_file", "CARRIED", "a profile, or released; default: all."
    ),
]


@app.command("export")
def export_archive(
    archive: ArchiveArgument,
    profile: ProfileOption = "",
    runs: options.Runs = "",
    weights: Annotated[bool, typer.Option("--weights", help="The weights too: they are most of the size.")] = False,
) -> None:
    """Write the records of all finished runs to ARCHIVE; one that does not verify is left out, and the exit code 1.

    Evaluated released checkpoints are among them (`released`).
    """
    from poseur_study.execution.archive import export_runs
    from poseur_study.execution.archive_file import CARRIED

    _report(export_runs(archive, options.runs_folder(runs), [profile] if profile else CARRIED, weights))


@app.command("import")
def import_archive(
    archive: ArchiveArgument,
    profile: ProfileOption = "",
    data: Annotated[
        str, typer.Option(metavar="DIR", help="The data set of all runs; default: each profile's own generated people.")
    ] = "",
    recompute: Annotated[
        bool, typer.Option("--recompute/--no-recompute", help="Compute their numbers again from their predictions.")
    ] = True,
    runs: options.Runs = "",
) -> None:
    """Put the runs of ARCHIVE beside those that are there; conflicts overwrite nothing, and the exit code is 1.

    A run whose numbers do not follow from its predictions is refused, as is one of another profile than asked for.
    What was recomputed is remembered: an import that was interrupted goes on.
    """
    from poseur_study.execution.archive import Check, import_runs
    from poseur_study.runs.project import as_given

    folder, given = options.runs_folder(runs), str(as_given(data)) if data else ""

    def checks(waiting: list[Path]) -> Check:
        from poseur_study.execution.recompute import Recomputation

        check = Recomputation(waiting, given, folder)
        for line in check.cost():
            typer.echo(line)
        return check

    _report(import_runs(archive, folder, profile, checks if recompute else None))


def _report(carried: Iterable) -> None:
    counts, wrong = Counter(), False
    for run in carried:
        typer.echo(f"{run.name}: {run.what}", err=run.wrong)
        counts[run.what.partition(":")[0]] += 1
        wrong |= run.wrong
    typer.echo(", ".join(f"{count} {what}" for what, count in counts.items()))
    if wrong:
        raise typer.Exit(1)
