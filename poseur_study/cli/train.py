"""`poseur train`: one configuration in a folder of its own, outside the study."""

from pathlib import Path
from typing import Annotated

import typer

from poseur_study.cli import options

KEYPOINTS = "data.keypoint_set"
PARTS = ("backbone",)


def train(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the run; one that is there is resumed.")],
    data: options.Coco,
    profile: Annotated[
        str,
        typer.Option(
            help="Whose configuration to start from: smoke, mini (default), midi, real or paper; with --init the"
            " checkpoint's own, unless a profile is given."
        ),
    ] = "",
    preset: Annotated[
        str,
        options.one_of(
            "preset",
            "poseur_lib.config.presets",
            "PRESETS",
            "released (the defaults) or paper_text: the head as the paper's words have it.",
        ),
    ] = "released",
    keypoints: options.Keypoints = "",
    changes: options.Set = None,
    init: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Start from the weights of a checkpoint, ours or released, or of a run's"
            " folder; what does not fit starts anew.",
        ),
    ] = None,
    freeze: Annotated[str, options.one_of("part", __name__, "PARTS", "backbone: train the head alone.")] = "",
    input_size: options.InputSize = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, data order, augmentation and noise.")] = 0,
    device: options.Device = "auto",
    devices: Annotated[int, typer.Option(min=1, help="GPUs, or CPU processes, of this run.")] = 1,
    precision: options.Precision = "32",
    batch_per_device: Annotated[
        int, typer.Option(min=0, help="People a device takes at once; gradients accumulate. 0: the whole batch.")
    ] = 0,
    workers: options.LoaderWorkers = 0,
    threads: options.Threads = 0,
    compile: options.Compile = "auto",
    data_on_device: options.DataOnDevice = "auto",
    limit_epochs: Annotated[int, typer.Option(min=0, help="Stop after so many epochs of the schedule.")] = 0,
    logger: Annotated[
        str,
        options.one_of(
            "logger", "poseur_lib.runtime", "LOGGERS", "csv (DIR/logs), tensorboard or wandb where installed, or none."
        ),
    ] = "csv",
) -> None:
    """Train one configuration and evaluate it: DIR gets config.json, curve.json, last.ckpt, and model.pt
    with model.safetensors, the same model.

    Where the profile's backbone starts from a pretext run, that is trained first, in DIR/pretext: on the data set's
    part labels, or on generated people where it has none. With --init nothing is pretrained.
    """
    from lightning.pytorch.utilities.rank_zero import rank_zero_only

    from poseur_lib.config.presets import PRESETS
    from poseur_lib.errors import UserError
    from poseur_lib.files import MODEL_FILE
    from poseur_lib.runtime import Runtime
    from poseur_lib.training.folder import train_in_folder
    from poseur_study.experiments.profiles import profile as profile_named
    from poseur_study.runs.datasets import pretext_people
    from poseur_study.runs.heartbeat import trained_here_alone

    asked = options.parse_changes(changes)
    if "seed" in asked:
        raise UserError(f"--set seed={asked['seed']}: give --seed {asked['seed']}")
    crop = options.given_size(input_size)
    if crop is not None and (init is None or profile):
        raise UserError(
            f"--input-size {input_size} is of a released checkpoint, with --init and no --profile: here"
            f" --set 'data.input_size=[{crop[0]},{crop[1]}]' says it"
        )
    if keypoints and KEYPOINTS in asked:
        raise UserError(f"--keypoints {keypoints} and --set {KEYPOINTS}: give one of them")
    own = None if KEYPOINTS in asked else options.chosen_keypoints(keypoints, data)
    given = ({KEYPOINTS: own} if own else {}) | asked | ({"train.freeze": freeze} if freeze else {})
    size = profile_named(profile or "mini")
    if init is None:
        config = size.experiment(seed, dict(PRESETS[preset]), given)
    else:
        from poseur_lib.checkpoints.initial import checkpoint_sha256, initial_config

        base = size.config if profile else initial_config(init, crop)
        digest = checkpoint_sha256(init)
        start = {"model.backbone.weights": "none", "pretext": None, "initial_sha256": digest, "seed": seed}
        config = base.with_changes(**{**PRESETS[preset], **given, **start})
    runtime = Runtime(
        data=data,
        device=device,
        devices=devices,
        precision=precision,
        batch_per_device=batch_per_device or None,
        loader_workers=workers,
        threads=threads or None,
        compile=compile,
        data_on_device=data_on_device,
        limit_epochs=limit_epochs or None,
        progress=True,
        logger=logger,
        safetensors=True,
    )
    say = rank_zero_only(typer.echo)  # with several devices, each process comes by here
    people = pretext_people(size, config, data.absolute())
    if people != data.absolute():
        say(f"{data} has no part labels: the backbone is pretrained on the generated people in {people}")
    with trained_here_alone(folder):
        curve = train_in_folder(config, folder, runtime, people, init)
    last = curve[-1]
    measured = "" if last.ap is None else f", AP {last.ap:.1f} and mean OKS {last.mean_oks:.3f} on the curve's people"
    say(f"epoch {last.epoch} of {config.train.epochs}: loss {last.loss:.3f}{measured}")
    if last.epoch == config.train.epochs:
        say(f"next: poseur evaluate --checkpoint {folder / MODEL_FILE} --data {data}")
