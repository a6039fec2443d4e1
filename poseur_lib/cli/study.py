"""`poseur study`: what the tables need, what of it is there, and making the rest."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from poseur_lib.errors import UserError

app = typer.Typer(
    help="Plan, run and look at the runs behind the paper's tables.",
    no_args_is_help=True,
)

ProfileOption = Annotated[str, typer.Option("--profile", help="smoke (minutes), mini (hours) or paper (a cluster).")]
TablesOption = Annotated[str, typer.Option("--tables", help="Numbers of tables, such as 1b,1c; default: all.")]
SeedsOption = Annotated[str, typer.Option("--seeds", help="Seeds, such as 0,1,2; default: the profile's.")]
DataOption = Annotated[str, typer.Option("--data", metavar="DIR", help="Data set in COCO's layout (profile paper).")]
RunsOption = Annotated[str, typer.Option("--runs", metavar="DIR", help="Folder of all runs.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change every row's configuration; part of a run's identity."),
]


@app.command("plan")
def show_plan(
    profile: ProfileOption = "smoke",
    tables: TablesOption = "",
    seeds: SeedsOption = "",
    data: DataOption = "",
    runs: RunsOption = "runs",
    changes: SetOption = None,
) -> None:
    """List the distinct runs behind the chosen tables, what is there, and what the rest will cost."""
    batch = _batch(profile, tables, seeds, data, runs, changes)
    for run in batch.runs:
        typer.echo(f"{batch.store.state(run.run_id).value:12s} {run.run_id}")
        typer.echo(f"{'':12s}   for {'; '.join(run.rows)}")
    missing = sum(not batch.store.state(run.run_id).done for run in batch.runs)
    minutes = missing * batch.profile.minutes_per_run
    typer.echo(f"{len(batch.runs)} distinct runs, {missing} to be executed: about {minutes:.0f} min one after another")


@app.command()
def status(
    profile: ProfileOption = "smoke",
    tables: TablesOption = "",
    seeds: SeedsOption = "",
    data: DataOption = "",
    runs: RunsOption = "runs",
    changes: SetOption = None,
) -> None:
    """Say of each run of the chosen tables whether it is done, running, failed and why, or still to come."""
    batch = _batch(profile, tables, seeds, data, runs, changes)
    states = {run.run_id: batch.store.state(run.run_id) for run in batch.runs}
    for run_id, state in states.items():
        typer.echo(f"{state.value:12s} {run_id}")
        error = batch.store.error(run_id)
        if error is not None:
            typer.echo(f"{'':12s}   {error} (see {batch.store.path(run_id)})")
    counts = {state: list(states.values()).count(state) for state in dict.fromkeys(states.values())}
    typer.echo(", ".join(f"{count} {state.value}" for state, count in counts.items()))


@app.command()
def run(
    profile: ProfileOption = "smoke",
    tables: TablesOption = "",
    seeds: SeedsOption = "",
    data: DataOption = "",
    runs: RunsOption = "runs",
    changes: SetOption = None,
    workers: Annotated[int, typer.Option(min=1, help="Runs executed at a time.")] = 1,
    limit_epochs: Annotated[
        int, typer.Option("--limit-epochs", min=0, help="Train so many epochs only: such a run stays partial.")
    ] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="32, 16-mixed or bf16-mixed.")] = "32",
) -> None:
    """Make the runs that are missing, then the tables' notebooks.

    A finished run is never trained again, a killed one resumes from its checkpoint, and one that fails does not stop
    the others; the exit code is then not 0.
    """
    from poseur_lib.cli.errors import require_known
    from poseur_lib.study.runner import RunOptions
    from poseur_lib.training.runtime import DEVICES, PRECISIONS

    require_known("device", [device], DEVICES)
    require_known("precision", [precision], PRECISIONS)
    batch = _batch(profile, tables, seeds, data, runs, changes)
    options = RunOptions(profile, str(batch.data.root) if data else "", runs, device, precision, limit_epochs, workers)
    problems = batch.execute(options)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"done; next: poseur report --profile {profile}")


def parse_changes(given: list[str] | None) -> dict[str, Any]:
    """`path=value` pairs; a value is JSON, or a plain string.

    Raises:
        UserError: there is no `=`.
    """
    changes: dict[str, Any] = {}
    for one in given or []:
        path, equals, value = one.partition("=")
        if not equals:
            raise UserError(f"--set {one!r}: give PATH=VALUE, such as model.head.decoder_layers=2")
        try:
            changes[path] = json.loads(value)
        except ValueError:
            changes[path] = value
    return changes


def parse_seeds(given: str) -> tuple[int, ...]:
    """`0,1,2` as numbers.

    Raises:
        UserError: one is no natural number.
    """
    seeds = [seed.strip() for seed in given.split(",") if seed.strip()]
    for seed in seeds:
        if not seed.isdigit():
            raise UserError(f"--seeds {given!r}: {seed!r} is no natural number")
    return tuple(dict.fromkeys(int(seed) for seed in seeds))


def _batch(profile: str, tables: str, seeds: str, data: str, runs: str, changes: list[str] | None):
    from poseur_lib.study.batch import Batch

    numbers = tuple(number.strip() for number in tables.split(",") if number.strip())
    folder = str(Path(data).expanduser().resolve()) if data else ""
    return Batch(profile, numbers, parse_seeds(seeds), folder, runs, parse_changes(changes))
