"""Mutations of what is read: annotation files, files of boxes, images, checkpoints, configurations.

Each is a name and a function that writes it into a folder, or that makes it; all are the same in every process.
"""

import copy
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from poseur_lib.keypoints import COCO_17

HUGE = 10**400
JUNK: dict[str, Any] = {
    "null": None, "true": True, "minus one": -1, "zero": 0, "half": 1.5, "one as text": "1", "empty text": "",
    "long text": "x" * 5000, "empty list": [], "empty object": {}, "list": [1, 2], "deep": [[[[1]]]], "2**63": 2**63,
    "10**400": HUGE, "1e308": 1e308, "1e30": 1e30, "nan": float("nan"), "infinity": float("inf"),
    "surrogate": "\ud800", "null byte": "a\0b", "newline": "a\nb",
}  # fmt: skip
Write = Callable[[Path], None]
SIZE = 64, 48  # width, height


def dataset() -> dict[str, Any]:
    """Two images of two people each, in COCO's form."""
    images = [{"id": one, "file_name": f"{one}.png", "height": SIZE[1], "width": SIZE[0]} for one in (1, 2)]
    people = []
    for number in range(4):
        x, y = 4 + 10 * (number % 2), 3 + 5 * (number // 2)
        points = np.column_stack([np.linspace(x + 2, x + 28, 17), np.linspace(y + 2, y + 28, 17), np.full(17, 2)])
        people.append({"id": number + 1, "image_id": 1 + number // 2, "category_id": 1, "iscrowd": 0, "area": 450.0,
                       "bbox": [x, y, 30, 30], "num_keypoints": 17, "keypoints": points.reshape(-1).tolist(),
                       "segmentation": [[x, y, x + 30, y, x + 30, y + 30]]})  # fmt: skip
    category = {"id": 1, "name": "person", "keypoints": list(COCO_17.names), "skeleton": [[1, 2]]}
    return {"info": {}, "images": images, "annotations": people, "categories": [category]}


PLACES = (
    ("images",), ("annotations",), ("categories",), ("info",), ("images", 0), ("annotations", 0), ("categories", 0),
    ("images", 0, "id"), ("images", 0, "file_name"), ("images", 0, "height"), ("images", 0, "width"),
    *(("annotations", 0, name) for name in ("id", "image_id", "category_id", "iscrowd", "area", "bbox", "num_keypoints",
                                            "keypoints", "segmentation")),
    ("annotations", 0, "bbox", 0), ("annotations", 0, "bbox", 2), ("annotations", 0, "keypoints", 0),
    ("annotations", 0, "keypoints", 2), ("categories", 0, "id"), ("categories", 0, "name"),
    ("categories", 0, "keypoints"), ("categories", 0, "keypoints", 0), ("info", "exif_orientation"),
)  # fmt: skip


def replaced(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at a place."""
    content = copy.deepcopy(content)
    at = content
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    return content


def json_bytes() -> Iterator[tuple[str, bytes]]:
    """What is no JSON of the wanted kind at all."""
    whole = json.dumps(dataset()).encode()
    for share in (0, 0.01, 0.5, 0.99):
        yield f"cut off at {share}", whole[: int(share * len(whole))]
    yield "nested", b"[" * 100_000
    yield "utf-16", whole.decode().encode("utf-16")
    yield "noise", bytes(np.random.default_rng(0).integers(0, 256, 5000, np.uint8))
    yield "digits", b'{"images": ' + b"9" * 5000 + b"}"
    yield "number", b"5"
    yield "nothing", b"null"
    yield "text", b'"annotations"'
    yield "twice", whole + whole


def no_file() -> Iterator[tuple[str, Write]]:
    """What is no regular file."""
    yield "pipe", os.mkfifo
    yield "endless", lambda path: path.symlink_to("/dev/zero")
    yield "folder", Path.mkdir
    yield "absent", lambda path: None
    yield "loop", lambda path: path.symlink_to(path.name)


def annotations() -> Iterator[tuple[str, Write]]:
    """Annotation files."""
    for place in PLACES:
        for name, value in JUNK.items():
            content = replaced(dataset(), place, value)
            yield f"{'.'.join(map(str, place))} = {name}", lambda path, c=content: path.write_text(json.dumps(c))
        if place[-1] != 0:
            content = replaced(dataset(), place, None)
            at = content
            for step in place[:-1]:
                at = at[step]
            del at[place[-1]]
            yield f"without {'.'.join(map(str, place))}", lambda path, c=content: path.write_text(json.dumps(c))
    for name, raw in json_bytes():
        yield name, lambda path, raw=raw: path.write_bytes(raw)
    yield from no_file()


def boxes() -> Iterator[tuple[str, Write]]:
    """Files of boxes in their three forms, of the image 1.png."""
    first = {"image_id": 1, "category_id": 1, "bbox": [4, 3, 30, 30], "score": 0.5}
    results = [first, {"image_id": 1, "bbox": [9, 3, 20, 30], "score": 1}]
    by_name = {"1.png": [[4, 3, 30, 30], [9, 3, 20, 30, 0.5]]}
    of_results = ((), ("image_id",), ("category_id",), ("bbox",), ("bbox", 0), ("bbox", 3), ("score",))
    of_annotations = (("bbox",), ("bbox", 3), ("score",))
    forms: tuple[tuple[Any, Any], ...] = (
        (results, [(0, *place) for place in of_results]),
        (by_name, [("1.png",), ("1.png", 0), ("1.png", 0, 0), ("1.png", 0, 2), ("1.png", 1, 4)]),
        (dataset(), [("images", 0, "width"), *(("annotations", 0, *place) for place in of_annotations)]),
    )
    for content, places in forms:
        for place in places:
            for name, value in JUNK.items():
                changed = replaced(content, place, value)
                yield f"{'.'.join(map(str, place))} = {name}", lambda path, c=changed: path.write_text(json.dumps(c))
    for name, raw in json_bytes():
        yield name, lambda path, raw=raw: path.write_bytes(raw)
    yield from no_file()


FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "JPEG2000", "PPM")
PICTURE = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8), SIZE)


def picture(form: str) -> bytes:
    """The picture in a format."""
    file = io.BytesIO()
    Image.fromarray(PICTURE).save(file, form)
    return file.getvalue()


def images() -> Iterator[tuple[str, Write]]:
    """Image files: cut off, changed byte by byte, with other sides, and no images at all."""
    for form in FORMATS:
        whole, rng = picture(form), np.random.default_rng(1)
        changed = {f"cut at {share}": whole[: int(share * len(whole))] for share in (0, 0.02, 0.3, 0.9)}
        for turn in range(6):
            flipped = bytearray(whole)
            for at in rng.integers(0, min(len(whole), 60 if turn < 3 else len(whole)), 3):
                flipped[at] ^= int(rng.integers(1, 256))
            changed[f"flip {turn}"] = bytes(flipped)
        changed |= {
            "prefixed": b"\n" + whole,
            "zeros": bytes(len(whole)),
            "head alone": whole[:16],
            "appended": whole + whole,
        }
        for name, raw in changed.items():
            yield f"{form} {name}", lambda path, raw=raw: path.write_bytes(raw)
    for sides in ((30_000, 30_000), (0, 5), (2**31, 1), (2**32 - 1, 2**32 - 1)):
        raw = bytearray(picture("PNG"))
        raw[16:24] = sides[0].to_bytes(4, "big") + sides[1].to_bytes(4, "big")
        yield f"PNG of {sides}", lambda path, raw=bytes(raw): path.write_bytes(raw)
    yield "PPM of 40000 x 40000", lambda path: path.write_bytes(b"P6 40000 40000 255\n")
    yield "text", lambda path: path.write_text("an image")
    yield "floats", lambda path: path.write_bytes(cv2.imencode(".tiff", np.ones((4, 4, 3), np.float32))[1].tobytes())
    yield from no_file()


def checkpoints(whole: bytes) -> Iterator[tuple[str, Write]]:
    """Checkpoints of the content that `whole` is the file of."""
    content = torch.load(io.BytesIO(whole), weights_only=True)
    config, state = json.loads(content["config"]), content["state_dict"]
    name = next(name for name, value in state.items() if value.dim() == 4)
    weight = state[name]
    nan, infinite = weight.clone(), weight.clone()
    nan.view(-1)[3], infinite.view(-1)[0] = float("nan"), float("inf")
    tensors = {
        "nan": nan, "infinity": infinite, "int64": weight.long(), "complex": weight.to(torch.complex64),
        "bool": weight > 0, "flat": weight.flatten(), "sparse": weight.to_sparse(), "meta": weight.to("meta"),
        "text": "weights", "none": None, "list": weight.tolist(), "expanded": torch.zeros(1).expand(10**6, 10**6),
        "empty": weight[:0], "float16": weight.half(), "float64": weight.double(),
        "float64 beyond float32": weight.double() * 1e300, "uint8": weight.to(torch.uint8),
    }  # fmt: skip
    changed: dict[str, Any] = {
        f"weight {kind}": content | {"state_dict": state | {name: value}} for kind, value in tensors.items()
    }
    changed["weight missing"] = content | {"state_dict": {one: value for one, value in state.items() if one != name}}
    changed["weight of a stranger"] = content | {"state_dict": state | {"stranger": weight}}
    changed["weight of no name"] = content | {"state_dict": state | {5: weight}}
    for place in CONFIG_PLACES:
        for kind, value in JUNK.items():
            if kind != "surrogate":
                text = json.dumps(replaced(config, place, value))
                changed[f"{'.'.join(place)} = {kind}"] = content | {"config": text}
    for key in ("format", "config", "state_dict"):
        for kind in ("null", "half", "empty text", "empty list", "empty object", "list", "10**400"):
            changed[f"{key} = {kind}"] = content | {key: JUNK[kind]}
        changed[f"without {key}"] = {one: value for one, value in content.items() if one != key}
    changed |= {
        "list": [content],
        "tensor": weight,
        "number": 5,
        "released alone": state,
        "released": {"state_dict": {}},
    }
    changed["a released name"] = {"state_dict": {"keypoint_head.x": weight, "backbone.conv1.weight": weight}}
    for kind, value in changed.items():
        yield kind, lambda path, value=value: torch.save(value, path)
    for share in (0, 0.001, 0.3, 0.9, 0.999):
        yield f"cut at {share}", lambda path, share=share: path.write_bytes(whole[: int(share * len(whole))])
    rng = np.random.default_rng(2)
    for turn in range(8):
        flipped = bytearray(whole)
        for at in rng.integers(0, 2000, 4):
            flipped[at] ^= int(rng.integers(1, 256))
        yield f"flip {turn}", lambda path, raw=bytes(flipped): path.write_bytes(raw)
    yield "code", lambda path: path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    yield "noise", lambda path: path.write_bytes(bytes(rng.integers(0, 256, 999, np.uint8)))
    yield from no_file()


CONFIG_PLACES = (
    ("model",), ("model", "head"), ("model", "head", "kind"), ("model", "head", "embed_dims"), ("seed",),
    ("model", "head", "decoder_layers"), ("model", "backbone", "widths"), ("data", "input_size"),
    ("data", "keypoint_set"), ("train", "learning_rate"), ("evaluation", "batch"), ("stranger",),
)  # fmt: skip


def config_changes(config: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, Any]]:
    """Every knob with everything that it should not be: name, dotted path, value."""
    for key, value in config.items():
        here = (*path, key)
        if isinstance(value, dict):
            yield from config_changes(value, here)
        for name, junk in JUNK.items():
            yield f"{'.'.join(here)} = {name}", ".".join(here), junk
