"""`poseur predict`: poses of people on one's own images."""

from pathlib import Path
from typing import Annotated

import typer

from poseur_study.cli import options


def predict(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...", help="Files, folders (the images in them), patterns such as 'a/**/*.jpg'; or one video."
        ),
    ],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A model.pt of this project, a run's folder, or a released checkpoint; an end-to-end model finds the"
            " people itself. Default: the small model that comes with the package and knows generated people alone.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Gets the pictures, predictions.json and images.json.")
    ] = Path("predictions"),
    boxes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSON with the people's boxes: COCO results, COCO annotations, or {file name: [[x, y, w, h], ...]}.",
        ),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="COCO file that says which image has which id; default: that of the data set whose folder the images"
            " lie in.",
        ),
    ] = None,
    renumber: Annotated[
        bool,
        typer.Option("--renumber", help="Give new image ids where the file of boxes or names has none for some image."),
    ] = False,
    detector: Annotated[
        str,
        options.one_of(
            "detector",
            "poseur_lib.predict.detector",
            "DETECTORS",
            "Find people first: torchvision (Faster R-CNN, 167 MB) or torchvision-light (74 MB); its weights are"
            " downloaded once. Without --boxes and --detector one person fills each image.",
        ),
    ] = "",
    box_threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Least score of a box. Default: 0 with --boxes, 0.5 with --detector; of an end-to-end model 0.5, or"
            " its own threshold where that is higher (as Poseur.predict has it; evaluate takes the model's own).",
        ),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Keypoints with a lower score are drawn as empty rings without limbs. Poseur's default scores may all"
            " lie near 1: 0.9, or --keypoint-score laplace, then tells more.",
        ),
    ] = 0.5,
    pictures: Annotated[
        bool, typer.Option("--images/--no-images", help="Write the pictures, or predictions.json alone.")
    ] = True,
    nms: Annotated[
        bool, typer.Option("--nms/--no-nms", help="Leave out people who nearly coincide with a better-scored one.")
    ] = True,
    fps: Annotated[
        float | None,
        typer.Option(help="The images are the frames of a film, so many a second: write one (a video says it itself)."),
    ] = None,
    smooth: Annotated[
        bool, typer.Option("--smooth", help="Filter each person's keypoints over the frames (one-euro filter).")
    ] = False,
    batch: Annotated[int | None, typer.Option(min=1, help="People a forward pass; default: as configured.")] = None,
    input_size: options.InputSize = "",
    test_sides: options.TestSides = "",
    flip: options.Flip = None,
    flip_fusion: options.FlipFusion = "",
    keypoint_score: options.KeypointScore = "",
    score_radius: options.ScoreRadius = None,
    sigma_factor: options.SigmaFactor = None,
    instance_score: options.InstanceScore = "",
    device: options.Device = "auto",
    precision: options.Precision = "32",
    fast: options.Fast = True,
    compile: options.Compile = "auto",
    verbose: options.Verbose = False,
) -> None:
    """Predict people's poses on images: pictures with skeletons, and results in COCO's format.

    DIR gets a picture for each image, under the image's name (JPEG stays JPEG, everything else becomes PNG; a name that
    is taken gets -2), predictions.json in COCO's results format, and images.json, which says which image has which
    image_id: pycocotools reads both by COCO("images.json").loadRes("predictions.json").

    In the pictures left limbs are blue, right ones orange. A keypoint is faint at --threshold and opaque from a score
    of 0.98 on; every halving of 1 - score makes it more opaque by the same step. The number at a box is the person's
    score, up to 3 or up to 1 as --instance-score says. Photos are turned as their EXIF orientation says; boxes are in
    pixels of the turned photo.

    Of a video, or with --fps, DIR gets one MP4 with skeletons, and image_id is the frame's number, from 1 on.

    Images that cannot be read are named and left out, and the exit code is then 1. Ctrl-C keeps what is done.
    """
    from poseur_lib.checkpoints.shipped import SHIPPED, shipped_model
    from poseur_lib.errors import UserError
    from poseur_lib.evaluation.evaluate import assumptions
    from poseur_lib.models.end_to_end.model import EndToEndModel
    from poseur_lib.predict.boxes_file import BoxesOfFile, known_ids, read_boxes
    from poseur_lib.predict.detector import load_detector
    from poseur_lib.predict.files import chosen_ids, find_images
    from poseur_lib.predict.film import film_of_images, is_video, open_video, predict_film
    from poseur_lib.predict.folder import Output, predict_files
    from poseur_lib.predict.people import BOX_THRESHOLD, BoxFinder, WholeImage
    from poseur_lib.predict.predictor import Poseur

    if boxes is not None and detector:
        raise UserError(f"--boxes {boxes} and --detector {detector}: give one of them")
    paths, again = find_images(images)
    if again:
        typer.echo(f"{again} of the images given again: each is taken once")
    videos = [path for path in paths if is_video(path)]
    if videos and len(paths) > 1:
        raise UserError(f"{videos[0]} is a video: give it alone, and not among {len(paths)} files")
    if smooth and not videos and fps is None:
        raise UserError("--smooth: give a video, or the frames of one with --fps")
    film = None
    if videos or fps is not None:
        film = open_video(paths[0], fps) if videos or fps is None else film_of_images(paths, fps)
        paths = film.video_paths() if videos and boxes is not None else paths
    if names is not None and videos and boxes is None:
        raise UserError(f"--names {names}: the image ids of a video are its frames' numbers")
    source: BoxFinder = WholeImage()
    known = BoxesOfFile({}, {})
    if boxes is not None:
        source = known = read_boxes(boxes, paths, box_threshold or 0.0, names, film.video_size if film else None)
    if not known.ids and not videos:
        known = known_ids(paths, names)
    ids, category_id = known.ids, known.category_id
    if checkpoint is None:
        typer.echo(shipped_model().text)
    poseur = Poseur.from_pretrained(
        checkpoint or SHIPPED,
        device=device,
        precision=precision,
        flip=flip,
        batch=batch,
        input_size=options.given_size(input_size),
        flip_fusion=flip_fusion or None,
        keypoint_score=keypoint_score or None,
        score_radius=score_radius,
        sigma_factor=sigma_factor,
        instance_score=instance_score or None,
        box_threshold=None if boxes is not None or detector else box_threshold,
        test_sides=options.parse_sides(test_sides),
        fast=fast,
        compile=compile,
    )
    if checkpoint is not None:
        typer.echo(f"{checkpoint}: {poseur.config.data.keypoints_name}; {assumptions(poseur.config)}")
    technical, _, failed = poseur.inference.partition("\n")
    caution = f"{checkpoint}: {poseur.caution}" if checkpoint and poseur.caution else ""
    for line in filter(None, (technical * verbose, failed, caution)):
        typer.echo(line)
    if detector:
        least_score = BOX_THRESHOLD if box_threshold is None else box_threshold
        source = load_detector(detector, least_score, poseur.runtime.torch_device)
    elif isinstance(poseur.model, EndToEndModel) and boxes is None:
        source = poseur
    output = Output(out, pictures, threshold, nms, poseur.caution.replace("It ", "This model ", 1))
    if film is None:
        done = predict_files(poseur, paths, source, output, known_ids=ids, category_id=category_id, renumber=renumber)
    else:
        given, line = (None, None) if videos else chosen_ids(paths, ids, renumber)
        if line is not None:
            typer.echo(line)
        done = predict_film(poseur, film, source, output, ids=given, category_id=category_id, smooth=smooth)
    typer.echo(done.text(output))
    if isinstance(source, WholeImage) and done.entries:
        typer.echo("each whole image was taken as one person: --boxes or --detector says where people are")
    if done.skipped:
        raise typer.Exit(1)
