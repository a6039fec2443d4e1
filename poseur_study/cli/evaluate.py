"""`poseur evaluate`: AP and AR of a checkpoint; `poseur ceiling`: the AP of heatmaps that are learned exactly."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from poseur_lib.errors import UserError
from poseur_lib.files import require_output, write_atomically
from poseur_study.cli import options


def evaluate(
    checkpoint: options.Checkpoint,
    data: options.Coco,
    boxes: Annotated[
        str,
        typer.Option(
            metavar="KIND|FILE",
            help="ground_truth, detector (the data set's; an end-to-end model's own), or a COCO results file.",
        ),
    ] = "ground_truth",
    input_size: options.InputSize = "",
    test_sides: options.TestSides = "",
    flip_fusion: options.FlipFusion = "",
    split: Annotated[
        str, typer.Option(help="train, val, or test-dev2017: results for COCO's server; default: as configured.")
    ] = "",
    flip: options.Flip = None,
    keypoint_score: options.KeypointScore = "",
    score_radius: options.ScoreRadius = None,
    sigma_factor: options.SigmaFactor = None,
    instance_score: options.InstanceScore = "",
    keypoints: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE",
            help="Of a released checkpoint that does not tell its keypoints; of others for other OKS constants.",
        ),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the results in COCO's format; of test-dev2017 the folder of the ZIP."),
    ] = None,
    name: Annotated[
        str,
        typer.Option(help="Of the method in the ZIP's names (test-dev2017); default: the run's or file's."),
    ] = "",
    device: options.Device = "auto",
    precision: options.Precision = "32",
    workers: options.LoaderWorkers = 0,
    fast: options.Fast = True,
    compile: options.Compile = "auto",
    verbose: options.Verbose = False,
) -> None:
    """Print the AP and AR of a checkpoint, in points, with what they depend on."""
    from poseur_lib.checkpoints.checkpoint import name_of
    from poseur_lib.checkpoints.released_load import TEST_SIDES, load_network_with_changes
    from poseur_lib.evaluation.dataset_predictions import NotFinite
    from poseur_lib.evaluation.evaluate import evaluate_model
    from poseur_lib.evaluation.test_dev import TEST_DEV, TestDev, method_name
    from poseur_lib.models.optimise import PLAIN, SAFE, example_images, optimise, require_plain
    from poseur_lib.models.pose_model import PoseModel
    from poseur_lib.runtime import Runtime

    unlabelled = TestDev.open(data, Path(boxes)) if split == TEST_DEV else None
    asked = {"evaluation.split": "" if unlabelled else split, "evaluation.flip_test": flip,
             "evaluation.instance_score": instance_score, "model.head.keypoint_score": keypoint_score,
             "model.head.flip_fusion": flip_fusion, "model.head.score_radius": score_radius,
             "model.head.sigma_factor": sigma_factor,
             "data.input_size": list(options.parse_size(input_size)) if input_size else None,
             TEST_SIDES: options.parse_sides(test_sides)}  # fmt: skip
    asked["data.keypoint_set"] = options.chosen_keypoints(keypoints)
    changes = {name: value for name, value in asked.items() if value not in ("", None)}
    if output is not None and unlabelled is None:
        require_output(output)
    model, config = load_network_with_changes(checkpoint, changes)
    runtime = Runtime(data=data, device=device, precision=precision, loader_workers=workers, compile=compile)
    faster = replace(SAFE if fast else PLAIN, compile=compile == "inductor")
    if isinstance(model, PoseModel):
        images = example_images(config.data.input_size).to(runtime.torch_device)
        optimised = optimise(model.eval().to(runtime.torch_device), images, faster)
        model = optimised.model
        said = (optimised.text(), runtime.inference_note(model.recordable))
        technical, _, failed = "\n".join(filter(None, said)).partition("\n")
        for line in filter(None, (technical * verbose, failed)):
            typer.echo(line)
    else:
        require_plain(checkpoint, compile)
    if unlabelled is not None:
        if not isinstance(model, PoseModel):
            raise UserError(
                f"{checkpoint}: {TEST_DEV} is predicted by models of crops, and this one finds people itself"
            )
        method = method_name(name or name_of(checkpoint))
        typer.echo(unlabelled.submit(model, config, runtime, method, output or Path()).text)
        return
    try:
        evaluated = evaluate_model(model, config, runtime, boxes)
    except NotFinite as error:
        raise UserError(f"{checkpoint}: {error}") from None
    typer.echo(evaluated.text())
    if output is not None:
        evaluated.write_results(output)
        typer.echo(f"results: {output}")


def ceiling(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Data set in COCO's layout.")],
    sizes: Annotated[
        list[str] | None, typer.Option("--size", metavar="HxW", help="Input size; may be repeated.")
    ] = None,
    split: Annotated[str, options.one_of("split", "poseur_lib.data.coco", "SPLITS", "train or val.")] = "val",
    keypoints: options.Keypoints = "",
    csv: options.Csv = None,
) -> None:
    """Print the AP of ground truth that is encoded and decoded again, for each codec and input size.

    No network takes part: what is missing to 100 is what the representation loses. Images are not read.
    """
    from poseur_lib.config import DataConfig
    from poseur_lib.data.coco import CocoPeople
    from poseur_lib.evaluation.ceiling import INPUT_SIZES, ceiling_table
    from poseur_lib.keypoints import keypoint_set

    chosen = options.chosen_keypoints(keypoints, folder) or DataConfig().keypoint_set
    people = CocoPeople(folder, split, keypoint_set(chosen))
    table = ceiling_table(people, [options.parse_size(size) for size in sizes or ()] or INPUT_SIZES)
    typer.echo(f"AP of encoding and decoding the ground truth of {len(people.people())} people ({split} split)")
    typer.echo(table.to_string(index=False))
    if csv is not None:
        write_atomically(csv, table.to_csv(index=False).encode())
