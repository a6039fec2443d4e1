"""What the quickstart notebook does: a model to begin with, images to predict on, and their people."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poseur_lib.checkpoints.origin import ONLY_GENERATED
from poseur_lib.checkpoints.shipped import shipped_model
from poseur_lib.data.coco import CocoPeople
from poseur_lib.data.dataset import read_person_image
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.predict.boxes_file import BoxesOfFile, read_boxes
from poseur_lib.predict.files import find_images
from poseur_lib.predict.people import BoxFinder, PersonBox, WholeImage
from poseur_lib.predict.predictor import Poseur
from poseur_lib.predict.rgb import as_rgb
from poseur_study.experiments.notebook_parameters import QuickstartSettings
from poseur_study.experiments.profiles import profile
from poseur_study.runs.datasets import shown_people
from poseur_study.runs.project import below_root
from poseur_study.runs.store import ListedRun, RunState, list_runs

DETECTED = 0.5


@dataclass(frozen=True)
class KnownModel:
    """A model to begin with.

    Attributes:
        text: where it is from and what it knows, one line.
    """

    poseur: Poseur
    text: str

    def _repr_markdown_(self) -> str:
        return f"**{self.text}**\n\n{self.poseur.inference}"


@dataclass(frozen=True, eq=False)
class ShownImages:
    """Images with the boxes of their people."""

    names: list[str]
    images: list[np.ndarray]
    boxes: list[list[PersonBox]]


def open_model(settings: QuickstartSettings) -> KnownModel:
    """The checkpoint that the parameters name; else the finished run with the best AP; else the package's own model.

    Raises:
        UserError: the checkpoint cannot be used.
    """
    if settings.checkpoint:
        poseur = Poseur.from_pretrained(below_root(settings.checkpoint), device=settings.device)
        return KnownModel(poseur, f"Checkpoint {settings.checkpoint}. {poseur.caution}".strip())
    run = _best_run(settings)
    if run is None:
        return KnownModel(Poseur.from_pretrained(device=settings.device), shipped_model().text)
    return KnownModel(Poseur.from_pretrained(run.store.path(run.run_id), device=settings.device), _about(run))


def images_to_show(settings: QuickstartSettings, model: KnownModel) -> ShownImages:
    """The first images that the parameters name, with their people; else people of `data`, else generated ones.

    Raises:
        UserError: an image or the boxes cannot be used, or the detector's weights cannot be had.
    """
    if settings.images:
        paths = find_images([str(below_root(one)) for one in settings.images])[0][: settings.show]
        images, source = [as_rgb(path) for path in paths], _source(settings, paths, model)
    else:
        root = below_root(settings.data) if settings.data else shown_people()
        people = CocoPeople(root, "val", model.poseur.keypoint_set).people()
        paths = list(dict.fromkeys(person.image_path for person in people))[: settings.show]
        source = BoxesOfFile(
            {path: [PersonBox(one.box) for one in people if one.image_path == path] for path in paths}, ids={}
        )
        images = [read_person_image(next(one for one in people if one.image_path == path)) for path in paths]
    boxes = [source.boxes(path, image) for path, image in zip(paths, images, strict=True)]
    return ShownImages([path.name for path in paths], images, boxes)


def _source(settings: QuickstartSettings, paths: list[Path], model: KnownModel) -> BoxFinder:
    if settings.boxes:
        return read_boxes(below_root(settings.boxes), paths)
    if settings.detector:
        from poseur_lib.predict.detector import load_detector

        return load_detector(settings.detector, DETECTED, model.poseur.runtime.torch_device)
    return WholeImage()


def _best_run(settings: QuickstartSettings) -> ListedRun | None:
    finished = [run for run in list_runs([below_root(settings.runs)]) if run.state == RunState.FINISHED]
    return max(finished, key=lambda run: run.ap or 0, default=None)


def _about(run: ListedRun) -> str:
    provenance = run.record.provenance
    ap = ""
    if run.ap is not None:
        boxes = "the detector's" if run.record.of(BoxSource.DETECTOR) else "ground-truth"
        ap = f", AP {run.ap:.1f} by {boxes} boxes on {provenance.n_images} images of its own kind"
    text = f"Run {run.run_id} of profile {run.profile}{ap}."
    if provenance.generated_data:
        text += f" {ONLY_GENERATED}"
    return text if profile(run.profile).evidential else f"{text} It was trained for minutes and is no evidence."
