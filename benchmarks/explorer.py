"""`python -m benchmarks.explorer`: how long the explorer takes from a person's change to the new picture; goal 0.5 s.

Poseur on ResNet-50 at 256x192 with six decoder layers, 8 heads and 4 points, on a picture of noise, 640x480. Times are
those of the widgets' callbacks, from the changed value to the PNG that the browser is sent, without the browser. A new
person needs a forward pass and two drawings; in all other changes the pass is kept and one picture is drawn. Every
control of every view is changed but "weights of", whose other choice is a mean over a val set: that takes seconds once,
is announced, and is drawn as the person's weights are. Nothing is written.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from benchmarks.head import poseur
from poseur_lib.config import ExperimentConfig
from poseur_lib.runtime import processor_name
from poseur_study.experiments.notebook_parameters import ExplorerSettings
from poseur_study.explorer.attention.images import with_boxes
from poseur_study.explorer.attention.open_model import OpenModel
from poseur_study.explorer.panel import Panel
from poseur_study.explorer.session import Session
from poseur_study.explorer.views import VAL_SET

GOAL_SECONDS, ROUNDS, THREADS = 0.5, 8, 2
BOXES = ((60.0, 40.0, 180.0, 380.0), (300.0, 20.0, 200.0, 420.0))
Change = Callable[[int], None]


def main() -> int:
    """Time every kind of change and say whether it stays within the goal; 1 if one does not."""
    torch.set_num_threads(THREADS)
    print(f"{processor_name()}, {THREADS} threads, load {os.getloadavg()[0]:.1f}, median of {ROUNDS // 2}")
    slowest = 0.0
    with tempfile.TemporaryDirectory() as no_runs:
        for name, change in _changes(_panel(no_runs)):
            wall, processor = _timed(change)
            slowest = max(slowest, wall)
            verdict = "within" if wall < GOAL_SECONDS else "beyond"
            print(f"{name:52s} {wall:5.2f} s ({processor:.2f} s of a processor): {verdict} {GOAL_SECONDS} s")
    return int(slowest >= GOAL_SECONDS)


def _panel(runs: str) -> Panel:
    config = ExperimentConfig().with_changes(**{"model.backbone.weights": "none", "model.head.decoder_layers": 6})
    session = Session(ExplorerSettings(runs=runs))
    session.choose_model(OpenModel("ResNet-50", poseur("cpu"), config))
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    session.choose_image(with_boxes("noise", noise, BOXES))
    return Panel(session)


def _changes(panel: Panel) -> Iterator[tuple[str, Change]]:
    """What a person does, by name; a change is given the number of the round, so that no two in a row are alike."""
    keypoints = panel.session.model.keypoints.num_keypoints

    def set_to(control: object, values: list) -> Change:
        return lambda number: setattr(control, "value", values[number % len(values)])

    for number, view in enumerate(panel.views):
        panel.tabs.selected_index = number
        for control in view.controls:
            choices = [option if isinstance(option, tuple) else (option, option) for option in control.options]
            if VAL_SET in dict(choices):
                continue
            for (one, first), (other, second) in dict.fromkeys((tuple(choices[:2]), tuple(choices[-2:]))):
                yield f"{control.description} {one} and {other}, {view.title.lower()}", set_to(control, [first, second])
            control.value = choices[0][1]
        yield f"another keypoint, {view.title.lower()}", lambda number: panel.move((number + 1) % keypoints)
    panel.tabs.selected_index = 0
    yield "another person, with the forward pass", set_to(panel.person.person, [1, 0])


def _timed(change: Change) -> tuple[float, float]:
    """Median wall and processor seconds of a change; of two choices in turn, those of the slower one."""
    taken = []
    for number in range(ROUNDS + 1):
        wall, processor = time.perf_counter(), time.process_time()
        change(number)
        taken.append((time.perf_counter() - wall, time.process_time() - processor))
    choices = (zip(*taken[first::2], strict=True) for first in (1, 2))
    return max((statistics.median(walls), statistics.median(processors)) for walls, processors in choices)


if __name__ == "__main__":
    sys.exit(main())
