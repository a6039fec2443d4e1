"""The files of a generated data set: its description, COCO annotations, detector results."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from poseur_lib.data.coco_folder import category_entry
from poseur_lib.data.image_digests import FileDigest
from poseur_lib.data.part_labels import PART_NAMES
from poseur_lib.files import write_atomically
from poseur_lib.keypoints import keypoint_set
from synthetic_people.settings import GENERATOR_VERSION, PeopleSettings

DESCRIPTION = "dataset.json"
GENERATOR = "poseur_lib.people"
"""The generator's name inside its files: data, older than this package's name."""

UNSAID: Mapping[str, Any] = MappingProxyType({"keypoints": "coco17", "pixel_centre": 0.5})
"""What a description that does not name these settings, which came later, was made with."""


def atomic_json(path: Path, content: Any) -> None:
    """Write compact JSON so that the file is either whole or absent."""
    write_atomically(path, json.dumps(content, separators=(",", ":")).encode())


def describe(settings: PeopleSettings) -> dict[str, Any]:
    """What `dataset.json` holds."""
    return {
        "generator": GENERATOR,
        "version": GENERATOR_VERSION,
        "settings": {
            name: value for name, value in settings.model_dump(mode="json").items() if UNSAID.get(name) != value
        },
        "parts": list(PART_NAMES) if settings.parts else [],
    }


def read_description(folder: Path) -> dict[str, Any] | None:
    """The description of a folder of generated people; None if it is not one."""
    try:
        found = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("generator") == GENERATOR else None


def matches(folder: Path, settings: PeopleSettings) -> bool:
    """Whether the folder was made from the same settings by the same generator version."""
    return read_description(folder) == json.loads(json.dumps(describe(settings)))


def merge(folder: Path, split: str, records: list[Path], keypoints: str) -> dict[str, FileDigest]:
    """Join the chunks' records, in order, into the annotation and detector files of a split; the images' digests."""
    parts = [json.loads(record.read_text(encoding="utf-8")) for record in records]
    joined = {key: [row for part in parts for row in part[key]] for key in ("images", "annotations", "detections")}
    annotations = {
        "info": {"description": "generated people", "version": str(GENERATOR_VERSION)},
        "licenses": [],
        "categories": [category_entry(keypoint_set(keypoints))],
        "images": joined["images"],
        "annotations": joined["annotations"],
    }
    atomic_json(folder / "annotations" / f"person_keypoints_{split}2017.json", annotations)
    atomic_json(folder / "annotations" / f"person_detections_{split}2017.json", joined["detections"])
    return {name: FileDigest(*digest) for part in parts for name, digest in part["digests"].items()}
