"""A folder to train in: one configuration, one data set, first the backbone and then the model."""

import json
from dataclasses import replace
from pathlib import Path

from poseur_lib.config.base import Frozen, differences
from poseur_lib.config.experiment import ExperimentConfig
from poseur_lib.data.annotations import load_json
from poseur_lib.data.coco import CocoPeople, fingerprint
from poseur_lib.data.whole_images import labelled_images
from poseur_lib.errors import UserError, listed
from poseur_lib.files import BACKBONE_FILE, LAST_CHECKPOINT, MODEL_FILE, write_atomically
from poseur_lib.keypoints import keypoint_set
from poseur_lib.runtime import Runtime
from poseur_lib.training.batches import steps_of_epoch
from poseur_lib.training.curve import Curve
from poseur_lib.training.fit import pretrain, train

CONFIG_FILE, DATA_FILE = "config.json", "data.json"
PRETEXT_FOLDER = "pretext"
MOST_DIFFERENCES = 4


def train_in_folder(
    config: ExperimentConfig,
    folder: Path,
    runtime: Runtime,
    pretext_people: Path | None = None,
    initial: Path | None = None,
) -> Curve:
    """Trains a configuration, and first the backbone that it starts from, resuming what is there.

    Args:
        pretext_people: data set whose part labels the backbone learns first; None: the runtime's.
        initial: as of `train`.

    Raises:
        UserError: something was trained in the folder by another configuration, or on other data.
    """
    _claim(folder, config)
    _claim_data(folder, runtime.data)
    backbone = None
    if config.pretext_run is not None:
        pretext = folder / PRETEXT_FOLDER
        _claim(pretext, config.pretext_run)
        backbone = pretext / BACKBONE_FILE
        if not backbone.exists():
            _require_batches(config, runtime)  # before minutes are spent on the backbone
            curve = pretrain(config.pretext_run, pretext, replace(runtime, data=pretext_people or runtime.data))
            if not backbone.exists():
                return curve
    return train(config, folder, runtime, backbone, initial)


def _require_batches(config: ExperimentConfig, runtime: Runtime) -> None:
    """Raises UserError where the people, or images, to train the model on make no batch, or the batch is not split."""
    people = CocoPeople(runtime.data, "train", keypoint_set(config.data.keypoint_set))
    runtime.split_batch(config.train.global_batch)
    if config.data.whole_image is None:
        steps_of_epoch(config.train, len(people.people()))
    else:
        steps_of_epoch(config.train, len(labelled_images(people, with_keypoints=True)), "images")


def _claim_data(folder: Path, data: Path) -> None:
    """Writes what the data hold, and holds what is there against them, as `_claim` does with the configuration.

    A folder from before this file existed is taken as it is.
    """
    if not data.is_dir():
        return  # which is said where it is read
    file, found = folder / DATA_FILE, fingerprint(data)
    trained = _has_trained(folder) or _has_trained(folder / PRETEXT_FOLDER)
    if not file.exists() or not trained:
        write_atomically(file, json.dumps({"fingerprint": found}).encode())
        return
    content = load_json(file)
    known = content.get("fingerprint") if isinstance(content, dict) else None
    if known != found:
        raise UserError(
            f"{folder} was trained on other data: the annotation or detector files of {data} have the fingerprint "
            f"{found}, and {file} says {known}: take another folder"
        )


def _has_trained(folder: Path) -> bool:
    return any((folder / name).exists() for name in (LAST_CHECKPOINT, MODEL_FILE, BACKBONE_FILE))


def _claim(folder: Path, config: Frozen) -> None:
    """Writes the configuration, also over another that nothing was trained with: its run could not start."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / CONFIG_FILE
    if not file.exists() or not _has_trained(folder):
        write_atomically(file, config.model_dump_json(indent=1).encode())
    elif not config.is_written_as(json.dumps(found := load_json(file))):
        known = found if isinstance(found, dict) else {}
        differing = listed(differences(known, config.model_dump(mode="json")), MOST_DIFFERENCES)
        init = f"; with --init {folder} it starts from the weights of this one"
        raise UserError(
            f"{file} is another configuration than the one asked for: {differing}. A run keeps its configuration: take"
            f" another folder{init if isinstance(config, ExperimentConfig) else ''}"
        )
