"""The learning curve: one point per epoch."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class CurvePoint:
    """State after an epoch.

    Attributes:
        step: optimiser steps so far.
        images: people seen so far.
        seconds: wall time of training so far, measurements left out, summed over resumptions.
        loss: mean over the epoch, with its terms.
        mean_oks: mean OKS (0 to 1) on ground-truth boxes of the evaluated split's first people; None if not measured.
        ap: their AP x 100.
        part_iou: mean IoU of the part segmentation (pretext runs).
    """

    epoch: int
    step: int
    images: int
    seconds: float
    loss: float
    terms: dict[str, float] = field(default_factory=dict)
    mean_oks: float | None = None
    ap: float | None = None
    part_iou: float | None = None


Curve = tuple[CurvePoint, ...]


def write_curve(path: Path, curve: Curve) -> None:
    """For whoever watches; written whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps([asdict(point) for point in curve], indent=1))
    os.replace(partial, path)


def read_curve(path: Path) -> Curve:
    """A curve that `write_curve` wrote."""
    return tuple(CurvePoint(**point) for point in json.loads(path.read_text()))
