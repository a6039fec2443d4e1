"""`poseur ceiling`: the AP that no heatmap method can pass."""

from pathlib import Path
from typing import Annotated

import typer

from poseur_study.cli import options


def ceiling(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Data set in COCO's layout.")],
    sizes: Annotated[
        list[str] | None, typer.Option("--size", metavar="HxW", help="Input size; may be repeated.")
    ] = None,
    split: Annotated[str, options.one_of("split", "poseur_lib.data.coco", "SPLITS", "train or val.")] = "val",
    keypoints: options.Keypoints = "coco17",
    csv: options.Csv = None,
) -> None:
    """Print the AP of ground truth that is encoded and decoded again, for each codec and input size.

    No network takes part: what is missing to 100 is what the representation loses. Images are not read.
    """
    from poseur_lib.data.coco import CocoPeople
    from poseur_lib.evaluation.ceiling import INPUT_SIZES, ceiling_table
    from poseur_lib.keypoints import keypoint_set

    people = CocoPeople(folder, split, keypoint_set(keypoints))
    table = ceiling_table(people, [options.parse_size(size) for size in sizes or ()] or INPUT_SIZES)
    typer.echo(f"AP of encoding and decoding the ground truth of {len(people.people())} people ({split} split)")
    typer.echo(table.to_string(index=False))
    if csv is not None:
        table.to_csv(csv, index=False)
