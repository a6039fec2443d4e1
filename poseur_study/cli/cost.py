"""`poseur cost`: parameters, multiply-adds, memory and time of configurations."""

import json
import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poseur_lib.errors import UserError
from poseur_lib.files import write_atomically
from poseur_study.cli import options

if TYPE_CHECKING:
    from poseur_lib.config import ExperimentConfig

RECORDED = Path(__file__).parents[1] / "evidence" / "data" / "costs.json"
"""Of `python -m poseur_study.evidence.record costs`."""


def cost(
    configs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CONFIG]...", help="A profile (smoke, mini, …, paper) or a configuration's JSON file."),
    ] = None,
    changes: options.Set = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="Instead: every cost that the paper prints, ours beside.")
    ] = False,
    recount: Annotated[bool, typer.Option("--recount", help="With --paper: count anew, which takes minutes.")] = False,
    timed: Annotated[bool, typer.Option("--time/--no-time", help="Measure time and memory as well.")] = False,
    device: options.Device = "auto",
    threads: options.Threads = 0,
    csv: options.Csv = None,
) -> None:
    """Print what a model costs, part by part.

    Examples: poseur cost paper --set model.head.decoder_layers=6; poseur cost paper --set
    'model.backbone={"kind": "hrnet", "width": 32}' --time; poseur cost --paper --csv costs.csv.
    """
    if bool(configs) == paper:
        raise UserError("poseur cost: give configurations, or --paper")
    if paper:
        return _print_paper(csv, recount)
    import pandas as pd
    import torch

    torch.set_num_threads(threads or torch.get_num_threads())

    from poseur_lib.costs.cost import COLUMNS, FOOTNOTE, cost_rows, cost_text
    from poseur_lib.costs.cost import cost as cost_of
    from poseur_lib.runtime import InferenceRuntime

    where = InferenceRuntime(device=device).torch_device.type
    found = {}
    for name in configs:
        found[name] = cost_of(_config(name, options.parse_changes(changes)), timed=timed, device=where)
        typer.echo(cost_text(name, found[name]))
    typer.echo(FOOTNOTE)
    if csv is not None:
        write_atomically(csv, pd.DataFrame(cost_rows(found), columns=COLUMNS).to_csv(index=False).encode())


def _print_paper(csv: Path | None, recount: bool) -> None:
    from poseur_study.costs.cost_rows import RULE, CostRow, comparison_lines, comparison_table

    counted = ""
    if recount:
        from poseur_study.costs.paper_costs import compare_costs

        rows = compare_costs()
    else:  # as the report shows them, without torch
        record = json.loads(RECORDED.read_text(encoding="utf-8"))
        rows = tuple(CostRow(**row) for row in record["rows"])
        counted = f" Counted on {record['origin']['finished_at'][:10]}; --recount counts anew, in minutes."
    width = min(100, shutil.get_terminal_size((100, 24)).columns)
    typer.echo("\n".join([*comparison_lines(rows, width), "", *textwrap.wrap(RULE + counted, width)]))
    if csv is not None:
        write_atomically(csv, comparison_table(rows).to_csv(index=False).encode())


def _config(name: str, changes: dict) -> "ExperimentConfig":
    """The configuration of a profile or of a file, changed."""
    from poseur_lib.config import ExperimentConfig
    from poseur_study.experiments.profiles import profile

    path = Path(name)
    if path.suffix != ".json":
        return profile(name).experiment(0, changes)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    return ExperimentConfig.model_validate_json(path.read_text(encoding="utf-8")).with_changes(**changes)
