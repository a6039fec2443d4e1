"""`poseur ceiling`: the AP that no heatmap method can pass."""

from pathlib import Path
from typing import Annotated

import typer

from poseur_study.cli.data import parse_size


def ceiling(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Data set in COCO's layout.")],
    sizes: Annotated[
        list[str] | None, typer.Option("--size", metavar="HxW", help="Input size; may be repeated.")
    ] = None,
    split: Annotated[str, typer.Option(help="train or val.")] = "val",
    keypoints: Annotated[str, typer.Option(metavar="NAME", help="Keypoint set of the files.")] = "coco17",
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table as CSV.")] = None,
) -> None:
    """Print the AP of ground truth that is encoded and decoded again, for each codec and input size.

    No network takes part: what is missing to 100 is what the representation loses. Images are not read.
    """
    from poseur_lib.data.coco import SPLITS, CocoPeople
    from poseur_lib.errors import require_known
    from poseur_lib.evaluation.ceiling import INPUT_SIZES, ceiling_table
    from poseur_lib.keypoints import keypoint_set

    require_known("split", [split], SPLITS)
    people = CocoPeople(folder, split, keypoint_set(keypoints))
    table = ceiling_table(people, [parse_size(size) for size in sizes or ()] or INPUT_SIZES)
    typer.echo(f"AP of encoding and decoding the ground truth of {len(people.people())} people ({split} split)")
    typer.echo(table.to_string(index=False))
    if csv is not None:
        table.to_csv(csv, index=False)
