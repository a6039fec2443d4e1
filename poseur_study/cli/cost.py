"""`poseur cost`: parameters, multiply-adds, memory and time of configurations."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poseur_lib.errors import UserError
from poseur_study.cli import options

if TYPE_CHECKING:
    from poseur_lib.config import ExperimentConfig


def cost(
    configs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CONFIG]...", help="A profile (smoke, mini, paper) or a configuration's JSON file."),
    ] = None,
    changes: options.Set = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="Instead: every cost that the paper prints, ours beside.")
    ] = False,
    timed: Annotated[bool, typer.Option("--time/--no-time", help="Measure time and memory as well.")] = False,
    device: options.Device = "auto",
    threads: options.Threads = 0,
    csv: options.Csv = None,
) -> None:
    """Print what a model costs, part by part.

    Examples: poseur cost paper --set model.head.decoder_layers=6; poseur cost paper --set
    'model.backbone={"kind": "hrnet", "width": 32}' --time; poseur cost --paper --csv costs.csv.
    """
    import torch

    if bool(configs) == paper:
        raise UserError("poseur cost: give configurations, or --paper")
    torch.set_num_threads(threads or torch.get_num_threads())
    if paper:
        return _print_paper(csv)
    import pandas as pd

    from poseur_lib.costs.cost import COLUMNS, FOOTNOTE, cost_rows, cost_text
    from poseur_lib.costs.cost import cost as cost_of

    where = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    if device == "cuda" and where == "cpu":
        raise UserError("--device cuda: torch sees no GPU")
    found = {}
    for name in configs:
        found[name] = cost_of(_config(name, options.parse_changes(changes)), timed=timed, device=where)
        typer.echo(cost_text(name, found[name]))
    typer.echo(FOOTNOTE)
    if csv is not None:
        pd.DataFrame(cost_rows(found), columns=COLUMNS).to_csv(csv, index=False)


def _print_paper(csv: Path | None) -> None:
    from poseur_study.costs.paper_costs import RULE, compare_costs, comparison_table

    table = comparison_table(compare_costs())
    shown = table.drop(columns=["note"])
    typer.echo(shown.to_string(index=False, na_rep="", max_colwidth=60))
    for source, note in zip(table["source"], table["note"], strict=True):
        if note:
            typer.echo(f"{source}: {note}")
    typer.echo(RULE)
    if csv is not None:
        table.to_csv(csv, index=False)


def _config(name: str, changes: dict) -> "ExperimentConfig":
    """The configuration of a profile or of a file, changed."""
    from poseur_lib.config import ExperimentConfig
    from poseur_study.experiments.profiles import profile

    path = Path(name)
    if path.suffix != ".json":
        return profile(name).experiment(0, changes)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    return ExperimentConfig.model_validate_json(path.read_text()).with_changes(**changes)
