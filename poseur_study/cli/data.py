"""`poseur data`: make a data set, and look at what one holds."""

import os
from pathlib import Path
from typing import Annotated

import typer

from poseur_lib.errors import UserError, listed, validated
from poseur_study.cli import options

app = typer.Typer(
    help="Make, download or convert a data set, or check any folder in COCO's layout.", no_args_is_help=True
)


# The defaults are PeopleSettings' (a test compares them); importing that here would load OpenCV for every command.
@app.command()
def generate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; created if need be.")],
    train: Annotated[int, typer.Option(min=1, help="Images of the train split.")] = 16000,
    val: Annotated[int, typer.Option(min=1, help="Images of the val split.")] = 2000,
    size: Annotated[str, typer.Option(metavar="HxW", help="Height x width of the images, px.")] = "256x192",
    seed: Annotated[int, typer.Option(min=0, help="The set is a function of the seed and the other options.")] = 0,
    hard: Annotated[float, typer.Option(min=0, max=1, help="Difficulty: occlusion, truncation, clutter.")] = 0.1,
    parts: Annotated[
        bool, typer.Option("--parts/--no-parts", help="Body part maps, which the backbone's pretraining reads.")
    ] = True,
    keypoints: Annotated[
        str, typer.Option(metavar="NAME", help="What people are labelled with: coco17, or mpii16 with head boxes.")
    ] = "coco17",
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core. The bytes do not depend on it.")] = 0,
) -> None:
    """Write a data set of generated people in COCO's layout.

    A folder that holds this very set is left as it is, an interrupted one is completed, and one that holds anything
    else is refused.
    """
    image_size = options.parse_size(size)

    from synthetic_people import PeopleSettings
    from synthetic_people import generate as write_people

    given = {"train_images": train, "val_images": val, "image_size": image_size}
    settings = validated(PeopleSettings, {**given, "seed": seed, "hard": hard, "parts": parts, "keypoints": keypoints})
    write_people(folder, settings, workers=workers or len(os.sched_getaffinity(0)))
    typer.echo(f"{folder}: {train} train and {val} val images of {size}, seed {seed}")


@app.command()
def fetch(
    name: Annotated[
        str, options.one_of("data set", "poseur_lib.fetch.datasets", "SETS", "coco, mpii or lspet.", argument="NAME")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; created if need be.")],
    only: Annotated[
        str,
        typer.Option(
            metavar="PARTS", help="Of coco: annotations, val, train (these by default), test; comma-separated."
        ),
    ] = "",
    keep_archives: Annotated[bool, typer.Option(help="Leave the archives in DIR/archives.")] = False,
) -> None:
    """Download a data set from where its owners publish it, and unpack it; exit code 1 if images are missing then.

    Interrupted, the same command goes on where it was. COCO's files are checked by their published sizes and MD5; for
    its image_info_test2017.zip and for the other data sets none are published, and images are counted.
    """
    from poseur_lib.fetch.datasets import MISSING_FILE, SETS
    from poseur_lib.fetch.datasets import fetch as fetch_set

    states = fetch_set(SETS[name], folder, options.comma_separated(only), keep_archives)
    for state in states:
        typer.echo(state.text)
    if any(state.missing for state in states):
        typer.echo(f"missing images: {folder / MISSING_FILE}")
    if not all(state.complete for state in states):
        raise typer.Exit(1)
    if SETS[name].then:
        typer.echo(f"next: {SETS[name].then}".replace("DIR", str(folder)))


convert_app = typer.Typer(
    help="Write a data set in COCO's layout from what it is distributed as.", no_args_is_help=True
)
app.add_typer(convert_app, name="convert")


@convert_app.callback()
def convert() -> None:
    """Write a data set in COCO's layout from what it is distributed as."""


@convert_app.command()
def lspet(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder with joints.mat and images/im00001.jpg, ...")],
    folder: Annotated[Path, typer.Argument(metavar="DST", help="Folder to write; created if need be.")],
) -> None:
    """Leeds Sports Pose Extended: 10,000 people, 14 joints, split 8,000 / 2,000 by a fixed rule.

    What its flags mean, and how boxes and areas are made, is in poseur_lib/data/lspet.py.
    """
    from poseur_lib.data.lspet import convert_lspet

    made = convert_lspet(source, folder)
    typer.echo(f"{folder}: {made.train} train and {made.val} val images, keypoint set lsp14")
    if made.far:
        numbers = listed([f"im{number:05d}.jpg" for number in made.far], 5)
        typer.echo(f"left out joints that are labelled far outside their image: {numbers}")


@convert_app.command()
def mpii(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SRC",
            help="Folder with images/, and with HRNet's annot/*.json and gt_valid.mat or the original .mat.",
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="DST", help="Folder to write; created if need be.")],
) -> None:
    """MPII Human Pose: people with 16 joints, a centre and a scale; of val with head boxes, which PCKh needs.

    Which files are read, and what becomes of their conventions, is in poseur_lib/data/mpii.py.
    """
    from poseur_lib.data.mpii import convert_mpii

    made = convert_mpii(source, folder)
    typer.echo(f"{folder}: {made.train} people to train on and {made.val} to judge on, keypoint set mpii16")
    if made.left_out:
        typer.echo(f"left out {made.left_out} people without centre, scale or a labelled joint")
    if made.outside:
        names = listed(made.outside, 5)
        typer.echo(f"left out {len(made.outside)} people all of whose joints lie far outside their image: {names}")
    if made.own_val:
        typer.echo(
            f"val is {made.own_val}, so PCKh on it does not compare with published numbers, the paper's included: "
            "they are on HRNet's split (annot/train.json, valid.json and gt_valid.mat)"
        )


def parse_images(text: str) -> int | None:
    """How many images of a split to decode: a number, or None for `all`. Raises UserError if `text` is neither."""
    if text == "all":
        return None
    if not text.isdecimal():
        raise UserError(f"images {text!r}: give a number, or all")
    return int(text)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder in COCO's layout.")],
    images: Annotated[
        str, typer.Option(metavar="all|N", help="Decode this many images of each split, the first ones; 0: none.")
    ] = "200",
    keypoints: options.Keypoints = "",
    record: Annotated[
        bool, typer.Option("--record", help="Write images.json, by which later checks find images that changed.")
    ] = False,
) -> None:
    """Say what a data set folder holds and what is wrong with it; exit code 1 where something is.

    Where the folder has an images.json, as generated people have, all images are compared with their SHA-256 in it, but
    with --images 0.
    """
    limit = parse_images(images)

    from poseur_lib.data.check import check_dataset
    from poseur_lib.data.image_digests import MANIFEST, record_images
    from poseur_lib.keypoints import keypoint_set

    chosen = options.chosen_keypoints(keypoints, folder)
    asked = None if chosen is None else keypoint_set(chosen)
    report = check_dataset(folder, asked, check_images=limit != 0, limit=limit)
    typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(1)
    if record:
        typer.echo(f"{record_images(folder)} images recorded in {folder / MANIFEST}")
