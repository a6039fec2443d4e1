"""`poseur evaluate`: AP and AR of a checkpoint on a data set."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from poseur_study.cli.data import parse_size


def evaluate(
    checkpoint: Annotated[Path, typer.Option(metavar="FILE", help="A model.pt of this project, or a released one.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Data set in COCO's layout.")],
    boxes: Annotated[
        str, typer.Option(metavar="KIND|FILE", help="ground_truth, detector (the data set's), or a COCO results file.")
    ] = "ground_truth",
    input_size: Annotated[
        str, typer.Option(metavar="HxW", help="Of a released checkpoint that does not tell it, such as 256x192.")
    ] = "",
    flip_fusion: Annotated[str, typer.Option(help="mean, type1 or type2; default: as configured.")] = "",
    split: Annotated[str, typer.Option(help="train or val; default: as configured.")] = "",
    flip: Annotated[bool | None, typer.Option("--flip/--no-flip", help="Flip test; default: as configured.")] = None,
    keypoint_score: Annotated[str, typer.Option(help="rle or laplace (Eq. 8); default: as configured.")] = "",
    instance_score: Annotated[str, typer.Option(help="released, paper, classic or box; default: as configured.")] = "",
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results in COCO's format.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="32, 16-mixed or bf16-mixed.")] = "32",
    workers: Annotated[int, typer.Option(min=0, help="Processes that read and crop.")] = 0,
    fast: Annotated[
        bool, typer.Option("--fast/--plain", help="Fold batch norms, channels_last; compared with --plain first.")
    ] = True,
    compiled: Annotated[
        bool, typer.Option("--compile", help="torch.compile too: minutes at the start, worth it for many images.")
    ] = False,
) -> None:
    """Print the AP and AR of a checkpoint, in points, with what they depend on."""
    from poseur_lib.checkpoints.released_load import load_with_changes
    from poseur_lib.evaluation.evaluate import evaluate_model
    from poseur_lib.models.optimise import PLAIN, SAFE, example_images, optimise
    from poseur_lib.runtime import Runtime
    from poseur_study.cli.inference_options import require_inference_options

    require_inference_options(device=device, precision=precision, flip_fusion=flip_fusion,
                              keypoint_score=keypoint_score, instance_score=instance_score)  # fmt: skip
    asked = {"evaluation.split": split, "evaluation.flip_test": flip, "evaluation.instance_score": instance_score,
             "model.head.keypoint_score": keypoint_score, "model.head.flip_fusion": flip_fusion,
             "data.input_size": list(parse_size(input_size)) if input_size else None}  # fmt: skip
    changes = {name: value for name, value in asked.items() if value not in ("", None)}
    model, config = load_with_changes(checkpoint, changes)
    runtime = Runtime(data=data, device=device, precision=precision, loader_workers=workers)
    options = replace(SAFE if fast else PLAIN, compile=compiled)
    images = example_images(config.data.input_size).to(runtime.torch_device)
    optimised = optimise(model.eval().to(runtime.torch_device), images, options)
    typer.echo(optimised.text())
    evaluated = evaluate_model(optimised.model, config, runtime, boxes)
    typer.echo(evaluated.text())
    if output is not None:
        evaluated.write_results(output)
        typer.echo(f"results: {output}")
