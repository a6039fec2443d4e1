"""What runs will cost before they start: multiply-adds, and hours on a device of known speed.

Training an image takes three times the multiply-adds of its forward pass (one forward, two backward), noisy queries
included; loss, evaluation, reading and augmentation are not counted. The device's speed is `--device-gflops` or that of
`--gpu`; without them, what finished runs of the same profile reached, all of that included; without any, `PROBE_SHARE`
of what a convolution reaches here in a second. The models that the profiles declare were counted before:
`python -m poseur_study.execution.cost_estimate` counts those that are missing in `multiply_adds.json`, and believes the
others: delete the file first where what is counted has changed.
"""

import hashlib
import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from poseur_lib.config import ExperimentConfig, PretextRunConfig
from poseur_lib.data.coco import CocoPeople
from poseur_lib.errors import UserError
from poseur_lib.files import write_atomically
from poseur_lib.keypoints import keypoint_set
from poseur_study.execution.slots import this_device
from poseur_study.experiments.profiles import PROFILES, Profile
from poseur_study.runs.datasets import KnownData
from poseur_study.runs.plan import PlannedRun
from poseur_study.runs.provenance import CodeCache
from poseur_study.runs.run_id import frozen_defaults, node_form
from poseur_study.runs.store import RunStore

COSTS_FILE, COUNTED_FILE = ".costs.json", Path(__file__).with_name("multiply_adds.json")
COUNTED_BY = ("poseur_lib/models", "poseur_lib/costs", "poseur_lib/config")
FORWARD_AND_BACKWARD = 3
PEOPLE_AN_IMAGE = 1.295
"""Of generated images: 25,888 people in 20,000."""
RECORDS_ASKED, RECORDS_READ = 20, 100
LAUNCH_SECONDS, H200_BILLIONS = 0.08, 17_000.0
"""A training step on an NVIDIA H200, step by step: 55 to 105 ms until its kernels are launched, whatever the network's
size, and the multiply-adds a second beyond that (`evidence/data/gpu_h200_2026-11-27.json`)."""
GPUS = {"h200": 1.0, "h100": 1.0, "l40s": 0.37, "a100": 0.32, "rtx4090": 0.17, "v100": 0.032, "t4": 0.016}
"""Float32 or TF32 products a second, as the vendor has them, for one of an H200."""
PROBE_SECONDS = 1.0
PROBE_SHARE = 0.3
"""Training reaches about this share of what one large convolution does on a processor.

Measured on one thread of a shared AMD EPYC, of steps of `smoke`, `mini` and `real`: Poseur 0.22, 0.23 and 0.29,
SimpleBaseline with MobileNet-V2 0.41, 0.41 and 0.66.
"""


@dataclass(frozen=True)
class Speed:
    """Multiply-adds per second of one slot, in billions, and where that is known from.

    Attributes:
        whole_runs: start-up and evaluation are in it, as it is that of finished runs.
    """

    billions: float
    source: str
    whole_runs: bool = False

    def hours(self, multiply_adds: float) -> float:
        """Hours of one slot."""
        return multiply_adds / 1e9 / self.billions / 3600


class Work:
    """Multiply-adds of the runs of a profile; a model's are counted once, and `save` keeps them beside the runs.

    Args:
        data: the folder whose people are trained on; None: those that the profile generates, or is made for.
        own_pretext: backbones are pretrained on that folder, too.
    """

    def __init__(self, size: Profile, folder: Path, data: KnownData | None = None, own_pretext: bool = True) -> None:
        self.profile, self.known = size, CodeCache(folder / COSTS_FILE, *COUNTED_BY)
        self.data, self.own_pretext = data, own_pretext
        self.save = self.known.save

    def per_image(self, run: PlannedRun) -> float:
        """Multiply-adds of a forward pass in training; of a pretraining run those of its backbone, whose head costs
        next to nothing.
        """
        pretext = isinstance(run.config, PretextRunConfig)
        config = self.profile.experiment(run.seed, run.changes) if pretext else run.config
        key = model_key(config)
        if key not in self.known:
            self.known[key] = counted_before().get(key) or _count(config)
        return self.known[key]["backbone" if pretext else "all"]

    def of(self, run: PlannedRun) -> float:
        """Multiply-adds of a run's training, from the first epoch to the last."""
        training = run.config.pretext if isinstance(run.config, PretextRunConfig) else run.config.train
        people = training.people_per_epoch or self._people(run)
        return FORWARD_AND_BACKWARD * self.per_image(run) * people * training.epochs

    def _people(self, run: PlannedRun) -> float:
        if self.data is not None and (self.own_pretext or not isinstance(run.config, PretextRunConfig)):
            name = run.config.data.keypoint_set
            key = f"people of {self.data.fingerprint}, {name}"
            if key not in self.known:
                self.known[key] = len(CocoPeople(self.data.root, "train", keypoint_set(name)).people())
            return self.known[key]
        people = self.profile.people
        return self.profile.folder_people if people is None else PEOPLE_AN_IMAGE * people.train_images


def speed_of_finished(runs: Iterable[PlannedRun], store: RunStore, work: Work) -> Speed | None:
    """What the finished ones among some runs reached, the wall time of evaluation and start-up included.

    Those of a device like this machine's count; where there are none, all do.
    """
    finished = [run for run in runs if store.recorded_state(run.run_id).done]
    made = [(run, store.record(run.run_id).provenance) for run in finished[:: len(finished) // RECORDS_READ + 1]]
    here = this_device() if made else ""
    made = ([one for one in made if one[1].device == here] or made)[:RECORDS_ASKED]
    seconds = sum(provenance.wall_seconds for _, provenance in made)
    if not seconds:
        return None
    where = " and ".join(sorted({provenance.device for _, provenance in made}))
    billions = sum(work.of(run) for run, _ in made) / 1e9
    return Speed(billions / seconds, f"as {len(made)} finished run{'s' * (len(made) > 1)} on {where}", whole_runs=True)


def given_speed(billions: float) -> Speed:
    """The user's figure. Raises UserError if it is not positive and finite."""
    if not 0 < billions < math.inf:
        raise UserError(f"--device-gflops {billions}: give a finite number of billions a second, more than 0")
    return Speed(billions, f"on a device that sustains {billions:g} billion multiply-adds/s, as given")


def gpu_speed(name: str, multiply_adds: float) -> Speed:
    """What a card of the data sheets reaches, by a recorded one's steps, where a step has so many multiply-adds."""
    billions = multiply_adds / 1e9 / (LAUNCH_SECONDS + multiply_adds / 1e9 / (GPUS[name] * H200_BILLIONS))
    return Speed(billions, f"roughly, on a GPU of kind {name} by an H200's record")


def probed_speed() -> Speed:
    """What a 3 x 3 convolution of 64 channels reaches here, forward and backward, laid out as in training; a share."""
    import torch

    from poseur_lib.runtime import Runtime, device_name, wait_for

    device = "cuda" if torch.cuda.is_available() else "cpu"
    layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(device, memory_format=Runtime.memory_format)
    images = torch.randn(8, 64, 64, 48, device=device).to(memory_format=Runtime.memory_format).requires_grad_()
    passes, start = 0, time.perf_counter()
    while time.perf_counter() - start < PROBE_SECONDS:
        layer(images).sum().backward()
        wait_for(device)
        passes += 1
    rate = FORWARD_AND_BACKWARD * passes * 8 * 64 * 48 * 64 * 64 * 9 / (time.perf_counter() - start) / 1e9
    share = f"{PROBE_SHARE:.0%} of a convolution's {rate:.0f} billion multiply-adds/s"
    return Speed(PROBE_SHARE * rate, f"roughly, at {share} on {device_name(device)}")


def model_key(config: ExperimentConfig) -> str:
    """Of what is counted: crop, number of keypoints, and model, by what differs from the defaults of a run's identity.

    A keypoint more is a query more in every noisy group, too.
    """
    whole = config.data.whole_image
    shown = [] if whole is None else [node_form(whole, frozen_defaults())]
    count = keypoint_set(config.data.keypoint_set).num_keypoints
    form = [config.data.input_size, count, node_form(config.model, frozen_defaults()), *shown]
    return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()[:16]


@cache
def counted_before() -> dict[str, dict[str, int]]:
    """The multiply-adds of the models that the profiles declare, by their keys."""
    return json.loads(COUNTED_FILE.read_text(encoding="utf-8")) if COUNTED_FILE.exists() else {}


def declared_models() -> dict[str, ExperimentConfig]:
    """Every model that a row of a table is at some profile, by its key."""
    from poseur_study.experiments import TABLES

    rows = ((size, table, row) for size in PROFILES for table in TABLES for row in table.runnable)
    configs = [size.experiment(0, size.of_table(table.number, table.changes(row))) for size, table, row in rows]
    return {model_key(config): config for config in configs}


def _count(config: ExperimentConfig) -> dict[str, int]:
    from poseur_lib.costs.training import training_multiply_adds

    every, backbone = training_multiply_adds(config)
    return {"all": every, "backbone": backbone}


if __name__ == "__main__":
    every = {key: counted_before().get(key) or _count(config) for key, config in declared_models().items()}
    write_atomically(COUNTED_FILE, (json.dumps(every, indent=0, sort_keys=True) + "\n").encode())
