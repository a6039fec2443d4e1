"""Does a moving average of the weights halve the spread that seeds give to a training's AP?

    python -m benchmarks.weight_average --out poseur_study/evidence/data/weight_average.json

Trains profile mini's Poseur with `train.ema_decay`, one training a seed, all from one pretrained backbone, and judges
both the average and the weights of the last step, in the detector's boxes. Decay and number of seeds were fixed before
the first run: 0.99 is a hundred of 2,427 steps. What the record has is kept; a training that was cut off goes on.
"""

import argparse
import sys
from pathlib import Path

import torch

from poseur_lib.checkpoints.checkpoint import trained_network
from poseur_lib.evaluation.dataset_predictions import BoxSource
from poseur_lib.files import LAST_CHECKPOINT, write_atomically
from poseur_lib.models.build import Network, build_network
from poseur_study.evidence.evidence import Origin, SeedScores, WeightAverage
from poseur_study.experiments.notebook_parameters import RunSettings
from poseur_study.experiments.profiles import profile
from poseur_study.runs import run_steps
from poseur_study.runs.run_steps import Run

DECAY, SEEDS = 0.99, 6


def main(arguments: list[str]) -> int:
    """Train and judge what the record lacks; it is written anew after every seed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weight_average", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, metavar="FILE", required=True, help="JSON file; what it has is kept")
    parser.add_argument("--runs", default="runs", metavar="DIR", help="where trainings go; below the project")
    parser.add_argument("--profile", default="mini")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    asked = parser.parse_args(arguments)
    known: tuple[SeedScores, ...] = ()
    model = profile(asked.profile).experiment(0).name.removesuffix("_seed0")
    if asked.out.exists():
        found = WeightAverage.model_validate_json(asked.out.read_text(encoding="utf-8"))
        if (found.run, found.decay) != (model, DECAY):
            parser.error(f"{asked.out} is of {found.run} with decay {found.decay}, not of {model} with {DECAY}")
        known = found.scores
    for seed in range(len(known), asked.seeds):
        settings = RunSettings(
            profile=asked.profile,
            overrides={"train.ema_decay": DECAY},
            seed=seed,
            runs=asked.runs,
            threads=asked.threads,
        )
        pretext = run_steps.open_pretext(settings)  # once for all seeds: afterwards it is finished
        run_steps.write_run(pretext, run_steps.train_run(pretext))
        run = run_steps.open_run(settings)
        steps = run_steps.train_run(run)[-1].step
        averaged = trained_network(run.folder, run.planned.config)
        known = (*known, SeedScores(seed=seed, last=_ap(run, last_weights(run)), average=_ap(run, averaged)))
        print(known[-1], flush=True)
        record = WeightAverage(origin=Origin.now(), run=model, decay=DECAY, steps=steps, scores=known)
        write_atomically(asked.out, (record.model_dump_json(indent=1) + "\n").encode())
    return 0


def last_weights(run: Run) -> Network:
    """The network as the last step left it, beside the average that its folder's model is."""
    state = torch.load(run.folder / LAST_CHECKPOINT, map_location="cpu", weights_only=True)["state_dict"]
    network = build_network(run.planned.config)
    own = "network."
    network.load_state_dict({name.removeprefix(own): one for name, one in state.items() if name.startswith(own)})
    return network.eval()


def _ap(run: Run, network: Network) -> float:
    measured = run_steps.measure_run(run, run_steps.predict_by_boxes(run, network))
    (ap,) = (one.AP for one in measured.metrics if one.boxes == BoxSource.DETECTOR)
    assert ap is not None
    return ap


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
