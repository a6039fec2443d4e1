"""`poseur report`: the pages of what was run."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    profile: Annotated[str, typer.Option("--profile", help="smoke, mini or paper.")] = "smoke",
    runs: Annotated[str, typer.Option("--runs", metavar="DIR", help="Folder of all runs.")] = "runs",
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder of all reports.")] = "reports",
) -> None:
    """Render the executed notebooks of a profile to pages that need no network, and print the index's path."""
    from poseur_lib.report.site import write_report
    from poseur_lib.study.profiles import profile as profile_named
    from poseur_lib.study.roots import below_root
    from poseur_lib.study.store import RunStore

    size = profile_named(profile)
    store = RunStore(below_root(runs) / size.name)
    index: Path = write_report(size, store, below_root(out) / size.name)
    typer.echo(index)
