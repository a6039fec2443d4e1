"""`poseur convert` and `poseur export`: checkpoints in our format, in the released code's, and as ONNX."""

from pathlib import Path
from typing import Annotated

import typer

from poseur_lib.errors import UserError
from poseur_study.cli import options

FORMATS = ("ours", "released")


def convert(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A checkpoint of the released code, or ours.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="File to write; one that is there is kept.")],
    to: Annotated[str, options.one_of("format", __name__, "FORMATS", "ours or released.")] = "ours",
    input_size: Annotated[
        str, typer.Option(metavar="HxW", help="Where the weights were released for several sizes, such as 384x288.")
    ] = "",
    keypoint_set: Annotated[
        str,
        typer.Option(
            "--keypoint-set",
            "--keypoints",
            metavar="NAME|FILE",
            help="Default: the only known set of as many keypoints.",
        ),
    ] = "",
    flip_fusion: Annotated[str, typer.Option(help="mean (released default), type1 or type2.")] = "",
    keypoint_score: options.KeypointScore = "",
    score_radius: options.ScoreRadius = None,
    sigma_factor: options.SigmaFactor = None,
    instance_score: Annotated[str, typer.Option(help="released (default), paper, classic or box.")] = "",
) -> None:
    """Write a checkpoint of the released code in our format, or ours in the released code's.

    What the weights do not tell is an option; the whole configuration is printed.
    """
    from poseur_lib.checkpoints.checkpoint import checkpoint_file, save_weights
    from poseur_lib.checkpoints.origin import trained_on_generated
    from poseur_lib.checkpoints.released_convert import save_released
    from poseur_lib.checkpoints.released_load import load_released
    from poseur_lib.config import PoseurConfig
    from poseur_lib.evaluation.evaluate import assumptions

    if target.exists():
        raise UserError(f"{target} exists already")
    model, config = load_released(
        source,
        input_size=options.given_size(input_size),
        keypoint_set=options.chosen_keypoints(keypoint_set),
        flip_fusion=flip_fusion or None,
        keypoint_score=keypoint_score or None,
        score_radius=score_radius,
        sigma_factor=sigma_factor,
        instance_score=instance_score or None,
    )
    save = save_weights if to == "ours" else save_released
    save(target, model, config, trained_on_generated(checkpoint_file(source)))
    head = config.model.head
    depth = f", {head.decoder_layers} decoder layers" if isinstance(head, PoseurConfig) else ""
    typer.echo(
        f"{head.kind} on {config.model.backbone.name}{depth}, {config.data.keypoints_name}; {assumptions(config)}"
    )
    typer.echo(f"written: {target}")


def export(
    target: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="File to write; one that is there is kept.")],
    checkpoint: options.Checkpoint,
    input_size: options.InputSize = "",
    batch: Annotated[int, typer.Option(min=0, help="Images that the graph takes at once; 0: any number.")] = 0,
    normalise: Annotated[
        bool,
        typer.Option("--normalise", help="Put the normalisation into the graph: it takes crops of uint8, 0 to 255."),
    ] = False,
) -> None:
    """Write a checkpoint's model for ONNX runtimes: images in, keypoints and their scores out, no flip test.

    With --normalise, the program in docs/deploy.md runs the file without PyTorch.
    """
    from poseur_lib.checkpoints.onnx import INPUT, OPSET, OUTPUTS, export_onnx
    from poseur_lib.checkpoints.released_load import load_released
    from poseur_lib.keypoints import keypoint_set

    if target.exists():
        raise UserError(f"{target} exists already")
    model, config = load_released(checkpoint, input_size=options.given_size(input_size))
    height, width = config.data.input_size
    keypoints = keypoint_set(config.data.keypoint_set)
    export_onnx(model, target, (height, width), batch=batch or None, normalise=normalise, keypoints=keypoints)
    shape, values = f"3, {height}, {width}", "RGB by ImageNet's mean and deviation"
    if normalise:
        shape, values = f"{height}, {width}, 3", "RGB, uint8 from 0 to 255"
    typer.echo(
        f"written: {target} (opset {OPSET}); {INPUT} [{batch or 'any'}, {shape}], {values}; {' and '.join(OUTPUTS)} of"
        f" {keypoints.num_keypoints} keypoints in [0, 1] of the crop"
    )
