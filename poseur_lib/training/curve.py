"""The learning curve: one point per epoch."""

import json
import math
import re
from itertools import compress, takewhile
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from poseur_lib.config.base import Frozen
from poseur_lib.data.annotations import load_json
from poseur_lib.errors import UserError
from poseur_lib.files import write_atomically

WAYS = ("graph", "inductor", "data on the device")
"""Of computing an epoch, other than step by step from files."""

DEVICES = "devices"
_NUMBERS = re.compile(rf"(bf)?16-mixed|\d+ {DEVICES}")  # of `poseur_lib.runtime.PRECISIONS`; that imports torch

Measured = Annotated[
    float | None, BeforeValidator(lambda value: None if isinstance(value, float) and math.isnan(value) else value)
]
"""None where nothing was measured, or nobody was there to be found (NaN)."""


class CurvePoint(Frozen):
    """State after an epoch.

    Attributes:
        step: optimiser steps so far.
        images: people seen so far.
        seconds: wall time of training so far, measurements left out, summed over resumptions.
        loss: mean over the epoch; `terms` are its parts.
        mean_oks: mean OKS (0 to 1) on ground-truth boxes of the evaluated split's first people.
        ap: their AP x 100; of an end-to-end model in its own boxes.
        part_iou: mean IoU of the part segmentation (pretext runs).
        computed: how, where it was not step by step of crops from files, in precision "32" on one device: "graph, data
            on the device, bf16-mixed, 2 devices"; and why not as it was asked for. Earlier versions name neither
            precision nor devices.
    """

    epoch: int
    step: int
    images: int
    seconds: float
    loss: float
    terms: dict[str, float] = Field(default_factory=dict)
    mean_oks: Measured = None
    ap: Measured = None
    part_iou: Measured = None
    computed: str = ""

    @property
    def ways(self) -> tuple[str, ...]:
        """Those of `computed`; the reason that may follow names ways that were not taken."""
        return tuple(takewhile(WAYS.__contains__, self.computed.split(", ")))


Curve = tuple[CurvePoint, ...]


def number_words(precision: str, devices: int = 1) -> tuple[str, ...]:
    """What the numbers of an epoch depend on, as `computed` has it; nothing of precision "32" and one device."""
    return tuple(compress((precision, f"{devices} {DEVICES}"), (precision != "32", devices > 1)))


def numbers_of(computed: str) -> tuple[str, ...]:
    """The `number_words` of one or several texts of `computed`, which semicolons part."""
    words = dict.fromkeys(re.split("[,;] ", computed))
    return tuple(word for word in words if _NUMBERS.fullmatch(word))


def write_curve(path: Path, curve: Curve) -> None:
    """For whoever watches; there whole or not at all."""
    write_atomically(path, json.dumps([point.model_dump() for point in curve], indent=1).encode())


def read_curve(path: Path) -> Curve:
    """A curve that `write_curve` wrote. Raises UserError if it is damaged."""
    content = load_json(path)
    try:
        return TypeAdapter(Curve).validate_json(json.dumps(content))
    except ValidationError as error:
        raise UserError(f"{path}: not a learning curve ({error.errors()[0]['msg']})") from None
