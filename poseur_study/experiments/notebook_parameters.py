"""What a notebook takes: every parameter named and typed, an unknown or ill-typed one is an error.

papermill injects whatever it is given and only warns of a name that the notebook does not know, and it turns what it
cannot express into strings; so the notebook checks its own namespace.
"""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from poseur_lib.config.base import Frozen
from poseur_lib.errors import require_known, validated

INJECTED_MARK = "# Parameters"

Count = Annotated[int, Field(ge=0)]
Settings = TypeVar("Settings", bound="NotebookParameters")


def _listed(given: Any) -> Any:
    return list(given) if isinstance(given, tuple | range) else given


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

    @classmethod
    def of_notebook(cls: type[Settings], parameters: Mapping[str, Any]) -> Settings:
        """Parameters that a notebook hands on, whose cells may have been injected by papermill.

        Raises:
            UserError: one of them, or one that was injected, is unknown, misspelt, ill-typed or out of range.
        """
        from IPython import get_ipython

        shell = get_ipython()
        injected = {} if shell is None else {name: parameters.get(name) for name in _injected_names(shell.user_ns)}
        require_known("parameter", [*injected, *parameters], cls.model_fields)
        return validated(cls, parameters)


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
        profile: smoke, mini, midi, real or paper.
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
        compile, data_on_device: how to compute, as `poseur_lib.runtime` has it; no part of a run's identity.
        progress: a progress line while training.
    """

    seed: Count = 0
    run_id: str = ""
    loader_workers: Count = 0
    devices: Annotated[int, Field(ge=1)] = 1
    threads: Count = 0
    compile: Literal["auto", "none", "graph", "inductor"] = "auto"
    data_on_device: Literal["auto", "yes", "no"] = "auto"
    progress: bool = True


class TableSettings(NotebookSettings):
    """Parameters of a table's notebook.

    Attributes:
        seeds: a list, tuple or range, each once; [] takes the profile's.
        workers: runs executed at a time where some are missing; 0: none is, what is there is shown.
    """

    seeds: Annotated[list[Count], BeforeValidator(_listed)] = Field(default_factory=list)
    workers: Count = 1


class ExplorerSettings(NotebookParameters):
    """Parameters of the attention explorer: what it starts with, and what its static figures show.

    Attributes:
        checkpoint: a file of this project or of the released code, or a run's folder; "" takes a run of `runs`.
        run: a run's name; "" takes the first that can be looked into.
        runs: folder of all profiles' runs, relative to the project.
        data: folder in COCO's layout whose val set is shown; "" takes the one of the run's profile.
        image: number of an image of the val set from 0 on, or a file of one's own.
        box: (x, y, width, height) of a person in a file of one's own, in pixels; [] takes the whole image.
        person: number of the person in the image from 0 on; after the last one comes the whole image.
        keypoints: names, each of which gets its figures; [] takes left shoulder and left wrist, or the first two of a
            set that lacks one of these.
        layers: decoder layers that are shown, from 1 on; [] shows all.
        colour: what the colour of a sampling point tells.
        average_people: people of the val set that the self-attention is averaged over.
        train_missing: where the run has no weights left, train it again; where there is none, train a small model.
            Without it the package's own model is opened where no run is named and none has weights.
        interactive: widgets, or static figures; None: widgets where JupyterLab has opened the notebook.
    """

    checkpoint: str = ""
    run: str = ""
    runs: str = "runs"
    data: str = ""
    image: Count | str = 0
    box: list[float] = Field(default_factory=list, max_length=4)
    person: Count = 0
    keypoints: list[str] = Field(default_factory=list)
    layers: list[Annotated[int, Field(ge=1)]] = Field(default_factory=list)
    colour: Literal["head", "level"] = "head"
    average_people: Annotated[int, Field(ge=1)] = 200
    train_missing: bool = False
    interactive: bool | None = None

    @model_validator(mode="after")
    def _box_of_a_file(self) -> "ExplorerSettings":
        if self.box and (len(self.box) != 4 or isinstance(self.image, int)):
            raise ValueError(f"box {self.box}: give x, y, width and height, of a file of your own in `image`")
        return self


class QuickstartSettings(NotebookParameters):
    """Parameters of the quickstart. Paths are relative to the project.

    Attributes:
        checkpoint: a model.pt, a run's folder or a released file; "" takes a finished run, or the package's own model.
        images: files, folders or patterns; [] takes generated people, with the boxes that they were made with.
        boxes: a JSON file with the boxes of the people of `images`; see `poseur_lib.predict.box_forms`.
        detector: finds the people of `images` where there is no such file: "torchvision", "torchvision-light"; "": one
            person fills each image.
        show: images that are predicted on, the first ones.
        runs: folder of all profiles' runs.
        data: folder in COCO's layout, whose val people are shown without `images`; "" generates a few people.
        device: how to compute.
    """

    checkpoint: str = ""
    images: list[str] = Field(default_factory=list)
    boxes: str = ""
    detector: Literal["", "torchvision", "torchvision-light"] = ""
    show: Annotated[int, Field(ge=1)] = 6
    runs: str = "runs"
    data: str = ""
    device: Literal["auto", "cpu", "cuda"] = "auto"


class OwnKeypointsSettings(NotebookParameters):
    """Parameters of the notebook on keypoints of one's own.

    Attributes:
        folder: where its data and its run go, relative to the project; "" takes a temporary folder.
        train_images, epochs: how long it trains.
        device: how to compute.
    """

    folder: str = ""
    train_images: Annotated[int, Field(ge=1)] = 1500
    epochs: Annotated[int, Field(ge=1)] = 8
    device: Literal["auto", "cpu", "cuda"] = "auto"


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
