"""`poseur export`: a checkpoint as ONNX."""

from pathlib import Path
from typing import Annotated

import typer

from poseur_lib.errors import UserError
from poseur_study.cli import options


def export(
    target: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="File to write; one that is there is kept.")],
    checkpoint: options.Checkpoint,
    input_size: options.InputSize = "",
    batch: Annotated[int, typer.Option(min=1, help="Images that the graph takes at once.")] = 1,
) -> None:
    """Write a checkpoint's model for ONNX runtimes: images in, keypoints and their scores out, no flip test."""
    from poseur_lib.checkpoints.onnx import INPUT, OPSET, OUTPUTS, export_onnx
    from poseur_lib.checkpoints.released_load import load_released

    if target.exists():
        raise UserError(f"{target} exists already")
    model, config = load_released(checkpoint, input_size=options.given_size(input_size))
    height, width = config.data.input_size
    export_onnx(model, target, (height, width), batch=batch)
    typer.echo(
        f"written: {target} (opset {OPSET}); {INPUT} [{batch}, 3, {height}, {width}], RGB by ImageNet's mean and"
        f" deviation; {' and '.join(OUTPUTS)} in [0, 1] of the crop"
    )
