"""What a notebook takes: every parameter named and typed, an unknown or ill-typed one is an error.

papermill injects whatever it is given and only warns of a name that the notebook does not know, and it turns what it
cannot express into strings; so the notebook checks its own namespace.
"""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from poseur_lib.cli.errors import require_known, validated
from poseur_lib.config.base import Frozen

INJECTED_MARK = "# Parameters"

Count = Annotated[int, Field(ge=0)]
Settings = TypeVar("Settings", bound="NotebookParameters")


class NotebookParameters(Frozen):
    """What a notebook's `parameters` cell declares."""

    @classmethod
    def from_notebook(cls: type[Settings], namespace: Mapping[str, Any]) -> Settings:
        """The parameters of the notebook whose `globals()` are given.

        Raises:
            UserError: one is unknown, misspelt, ill-typed or out of range.
        """
        require_known("parameter", _injected_names(namespace), cls.model_fields)
        return validated(cls, {name: namespace[name] for name in cls.model_fields if name in namespace})


class AuditSettings(NotebookParameters):
    """Parameters of the audit of the paper, which needs neither data nor runs.

    Attributes:
        kinds: of claims that are listed; [] lists all.
        columns: of the tables, compared where two cells speak of the same method.
    """

    kinds: list[Literal["arithmetic", "cost", "effect", "qualitative"]] = Field(default_factory=list)
    columns: list[Literal["AP", "AP50", "AP75", "AP_M", "AP_L", "Params", "GFLOPs"]] = Field(
        default_factory=lambda: ["AP", "GFLOPs", "Params"]
    )


class NotebookSettings(NotebookParameters):
    """Parameters that every notebook has that trains or evaluates.

    Attributes:
        profile: smoke, mini or paper.
        data: folder in COCO's layout, relative to the project; "" takes (and generates) the profile's own.
        runs: folder of all profiles' runs, relative to the project.
        overrides: changes to the profile's configuration by dotted path; they are part of a run's identity.
        limit_epochs: stop training after so many epochs in all; such a run is partial. 0: no limit.
        device, precision: how to compute; no part of a run's identity.
    """

    profile: str = "smoke"
    data: str = ""
    runs: str = "runs"
    overrides: dict[str, Any] = Field(default_factory=dict)
    limit_epochs: Count = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["32", "16-mixed", "bf16-mixed"] = "32"


class RunSettings(NotebookSettings):
    """Parameters of a notebook that makes one run.

    Attributes:
        run_id: what the batch expects; "" takes what follows from the parameters.
        loader_workers: processes that prepare crops; 0: none beside the training process.
        devices: GPUs (or CPU processes) of the run, by Lightning's DDP.
        threads: of the process; 0: as torch decides.
        progress: a progress line while training.
    """

    seed: Count = 0
    run_id: str = ""
    loader_workers: Count = 0
    devices: Annotated[int, Field(ge=1)] = 1
    threads: Count = 0
    progress: bool = True


class TableSettings(NotebookSettings):
    """Parameters of a table's notebook.

    Attributes:
        seeds: [] takes the profile's.
        workers: runs executed at a time where some are missing.
    """

    seeds: list[Count] = Field(default_factory=list)
    workers: Annotated[int, Field(ge=1)] = 1


def check_parameters(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Hold parameters against what a notebook declares in its `parameters` cell.

    Raises:
        UserError: the notebook has no such parameter; the nearest one it has is named.
    """
    from papermill import inspect_notebook

    require_known(f"parameter of {notebook.name}", parameters, inspect_notebook(str(notebook)))


def _injected_names(namespace: Mapping[str, Any]) -> list[str]:
    """Names assigned by the cells that papermill injected, as IPython's input history has them."""
    history = [cell for cell in namespace.get("In", []) if cell.startswith(INJECTED_MARK)]
    statements = [statement for cell in history for statement in ast.parse(cell).body]
    targets = [target for one in statements if isinstance(one, ast.Assign) for target in one.targets]
    return [target.id for target in targets if isinstance(target, ast.Name)]
