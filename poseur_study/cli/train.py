"""`poseur train`: one configuration in a folder of its own, outside the study."""

from pathlib import Path
from typing import Annotated

import typer

from poseur_study.cli.study import SetOption, parse_changes


def train(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the run; one that is there is resumed.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Data set in COCO's layout.")],
    profile: Annotated[str, typer.Option(help="Whose configuration to start from: smoke, mini or paper.")] = "mini",
    preset: Annotated[
        str, typer.Option(help="released (the defaults) or paper_text: the head as the paper's words have it.")
    ] = "released",
    changes: SetOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, data order, augmentation and noise.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="GPUs, or CPU processes, of this run.")] = 1,
    precision: Annotated[str, typer.Option(help="32, 16-mixed or bf16-mixed.")] = "32",
    batch_per_device: Annotated[
        int, typer.Option(min=0, help="People a device takes at once; gradients accumulate. 0: the whole batch.")
    ] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read and crop.")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads of torch; 0: its default.")] = 0,
    limit_epochs: Annotated[int, typer.Option(min=0, help="Stop after so many epochs of the schedule.")] = 0,
) -> None:
    """Train one configuration and evaluate it: DIR gets config.json, curve.json, last.ckpt and model.pt.

    Where the profile's backbone starts from a pretext run, that is trained first, in DIR/pretext.
    """
    from poseur_lib.checkpoints.checkpoint import MODEL_FILE
    from poseur_lib.config.presets import PRESETS
    from poseur_lib.errors import require_known
    from poseur_lib.runtime import DEVICES, PRECISIONS, Runtime
    from poseur_lib.training.fit import train_in_folder
    from poseur_study.experiments.profiles import profile as profile_named

    require_known("device", [device], DEVICES)
    require_known("precision", [precision], PRECISIONS)
    require_known("preset", [preset], PRESETS)
    config = profile_named(profile).experiment(seed, dict(PRESETS[preset]), parse_changes(changes))
    runtime = Runtime(
        data=data,
        device=device,
        devices=devices,
        precision=precision,
        batch_per_device=batch_per_device or None,
        loader_workers=workers,
        threads=threads or None,
        limit_epochs=limit_epochs or None,
        progress=True,
    )
    curve = train_in_folder(config, folder, runtime)
    last = curve[-1]
    measured = "" if last.ap is None else f", AP {last.ap:.1f} and mean OKS {last.mean_oks:.3f} on the curve's people"
    typer.echo(f"epoch {last.epoch} of {config.train.epochs}: loss {last.loss:.3f}{measured}")
    if last.epoch == config.train.epochs:
        typer.echo(f"next: poseur evaluate --checkpoint {folder / MODEL_FILE} --data {data}")
