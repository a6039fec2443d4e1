"""`poseur data`: make a data set, and look at what one holds."""

import re
from pathlib import Path
from typing import Annotated

import typer

from poseur_lib.cli.errors import validated
from poseur_lib.errors import UserError

app = typer.Typer(
    help="Make a data set of generated people, or check any folder in COCO's layout.",
    no_args_is_help=True,
)


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) in pixels from `256x192`.

    Raises:
        UserError: `text` is no such pair.
    """
    match = re.fullmatch(r"(\d+)x(\d+)", text.strip().lower())
    if match is None:
        raise UserError(f"size {text!r}: give HEIGHTxWIDTH in pixels, for example 256x192")
    return int(match[1]), int(match[2])


@app.command()
def generate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; created if need be.")],
    train: Annotated[int | None, typer.Option(min=0, help="Images of the train split.")] = None,
    val: Annotated[int | None, typer.Option(min=0, help="Images of the val split.")] = None,
    size: Annotated[str | None, typer.Option(metavar="HxW", help="Image height x width, such as 256x192.")] = None,
    seed: Annotated[int | None, typer.Option(help="The set is a function of this seed and the settings.")] = None,
    hard: Annotated[float | None, typer.Option(help="How hard: occlusion, truncation, clutter.")] = None,
    parts: Annotated[
        bool | None, typer.Option("--parts/--no-parts", help="Body part maps, for the backbone's pretraining.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core. The bytes do not depend on it.")] = 0,
) -> None:
    """Write a data set of generated people in COCO's layout.

    An option that is not given takes the generator's own default. A folder that holds this very set is left as it
    is; an interrupted one is completed; a folder that holds anything else is refused.
    """
    given = {"train_images": train, "val_images": val, "seed": seed, "hard": hard, "parts": parts}
    given["image_size"] = parse_size(size) if size else None

    from poseur_lib.people import PeopleSettings
    from poseur_lib.people import generate as write_people

    settings = validated(PeopleSettings, {name: value for name, value in given.items() if value is not None})
    write_people(folder, settings, workers=workers)
    typer.echo(f"{folder}: {settings.train_images} train and {settings.val_images} val images, seed {settings.seed}")
