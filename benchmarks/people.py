"""1, 10 and 50 people in one image, by Mask R-CNN with each keypoint head: what a person more costs.

`python -m benchmarks people`. The image's maps are made once, and no map is copied per person, so that time and memory
rise linearly; the part of the queries is named. Weights are random: they do not change the time.
"""

import itertools
from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.timing import Extras, Setting, compared, times_ms
from poseur_lib.config import ExperimentConfig
from poseur_lib.costs.speed import peak_mib
from poseur_lib.models.end_to_end.model import EndToEndModel, build_end_to_end
from poseur_study.costs.benchmark_record import Comparison
from poseur_study.experiments.end_to_end import KEYPOINT_HEADS, end_to_end_changes

PEOPLE = (1, 10, 50)
SIZE = (800, 1088)
"""(height, width) of the resized image."""
AFTER_THE_TOWER = f"of {PEOPLE[-1]} people, what follows the tower"
"""Of Poseur: its neck, which is the image's, the proposal and the queries."""


def model_of(method: str, device: str) -> EndToEndModel:
    """A row of Table 3 on ResNet-50, in evaluation mode."""
    backbone = {"kind": "resnet", "depth": 50, "weights": "none"}
    changes = {**end_to_end_changes(method, "ResNet-101"), "model.backbone": backbone}
    return build_end_to_end(ExperimentConfig().with_changes(**changes)).eval().to(device)


def boxes_of(people: int, device: str) -> torch.Tensor:
    """Boxes of 120 x 300 pixels anywhere in the image."""
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(people, 2, generator=generator) * torch.tensor([SIZE[1] - 120, SIZE[0] - 300])
    return torch.cat([corner, corner + torch.tensor([120, 300])], dim=1).to(device)


@torch.inference_mode()
def compare(setting: Setting) -> Iterator[Comparison]:
    """The keypoint heads alone for so many people, beside the pyramid that all of them share."""
    image = torch.randn(3, *SIZE, device=setting.device)
    for method in KEYPOINT_HEADS:
        model = model_of(method, setting.device)
        view = model.view(image)
        of_people = {f"{n} people": partial(model.poses, [view], boxes_of(n, setting.device)) for n in PEOPLE}
        runs = {"pyramid of the image": partial(model.view, image), **of_people}
        regions = model.roi_heads.regions(view.pyramid, [boxes_of(PEOPLE[-1], setting.device)], view.canvas)
        runs |= {AFTER_THE_TOWER: partial(model.roi_heads.keypoint_predictor, regions)}
        times = times_ms(runs, setting.shorter())
        peaks = {name: peak_mib(run, setting.device) for name, run in of_people.items()}
        yield compared(method, times, "pyramid of the image", Extras(peaks=peaks, notes=_slopes(times, peaks)))


def _slopes(times: dict[str, float], peaks: dict[str, float]) -> dict[str, str]:
    """What a person more costs between 1 and 10, and between 10 and 50 people."""
    found = {}
    for few, many in itertools.pairwise(PEOPLE):
        per_ms = (times[f"{many} people"] - times[f"{few} people"]) / (many - few)
        per_mib = (peaks[f"{many} people"] - peaks[f"{few} people"]) / (many - few)
        found[f"{many} people"] = f"{per_ms:.1f} ms and {per_mib:.1f} MiB a person more than with {few}"
    return found
