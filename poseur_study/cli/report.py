"""`poseur report`: the pages of what was run."""

from pathlib import Path
from typing import Annotated

import typer

from poseur_study.cli import options


def report(
    profile: Annotated[str, typer.Option("--profile", help="smoke, mini, midi, real or paper.")] = "smoke",
    runs: options.Runs = "",
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Folder of all reports; default: reports/ of the project.")
    ] = "",
    explore: Annotated[
        bool, typer.Option("--explore", help="Execute the attention explorer on the best run with weights first.")
    ] = False,
    data: Annotated[
        str,
        typer.Option(
            metavar="DIR", help="Of --explore: data set in COCO's layout; default: the profile's generated people."
        ),
    ] = "",
) -> None:
    """Render the executed notebooks of a profile to pages that need no network, and print the index's path.

    Folders given are relative to the current one. Pages of an earlier report that are gone are removed.
    """
    from poseur_lib.errors import UserError
    from poseur_study.experiments.profiles import profile as profile_named
    from poseur_study.report.site import write_report
    from poseur_study.runs.project import as_given, below_root
    from poseur_study.runs.store import RunStore

    size = profile_named(profile)
    folder = options.runs_folder(runs)
    if runs and not (folder / size.name).is_dir():
        raise UserError(f"--runs {runs}: no runs of profile {size.name} in it ({folder / size.name} does not exist)")
    store = RunStore(folder / size.name)
    if data and not explore:
        raise UserError(f"--data {data}: only --explore shows people of a data set: give both")
    if explore:
        from poseur_study.report.explorer import execute_explorer

        execute_explorer(size, store, str(as_given(data)) if data else "")
    index: Path = write_report(size, store, (as_given(out) if out else below_root("reports")) / size.name)
    typer.echo(index)
