"""Stand-ins for what takes minutes: a run's record made of the ground truth and noise."""

import dataclasses
from pathlib import Path

import numpy as np

from poseur_lib.config import ExperimentConfig, PretextRunConfig
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.training.curve import CurvePoint
from poseur_study.runs.provenance import Provenance, package_versions
from poseur_study.runs.record import Record
from poseur_study.runs.run_id import run_hash, run_id

FINGERPRINT = "0123456789abcdef"


def random_predictions(n: int, seed: int = 0, keypoints: int = 17) -> PredictedPeople:
    """Predictions of no particular people; keypoint scores are the RLE scores of sigma."""
    rng = np.random.default_rng(seed)
    sigma = rng.uniform(0.02, 0.6, (n, keypoints, 2)).astype(np.float32)
    return PredictedPeople(
        image_id=np.sort(rng.integers(1, 1 + n // 2, n)),
        bbox_scores=rng.uniform(0.1, 1, n).astype(np.float32),
        center=rng.uniform(0, 640, (n, 2)).astype(np.float32),
        box_scale=rng.uniform(0.2, 2, (n, 2)).astype(np.float32),
        keypoints=rng.uniform(-0.1, 1.1, (n, keypoints, 2)).astype(np.float32),
        sigma=sigma,
        keypoint_scores=(1 - sigma).mean(-1),
        input_size=(64, 48),
    )


def make_record(
    config: ExperimentConfig | PretextRunConfig, epochs: int | None = None, fingerprint: str = FINGERPRINT
) -> Record:
    """A record without metrics."""
    pretext = isinstance(config, PretextRunConfig)
    parents = () if pretext or config.pretext_run is None else (run_id(config.pretext_run, fingerprint),)
    if epochs is None:
        epochs = config.pretext.epochs if pretext else config.train.epochs
    provenance = Provenance(
        commit="0" * 40, dirty=False, python="3.11.0", versions=package_versions(), device="a processor", cpu_count=2,
        threads=1, finished_at="2026-01-01T00:00:00+00:00", wall_seconds=60.0, train_seconds=50.0, profile="smoke",
        data_name="smoke", data_fingerprint=fingerprint, generated_data=True, n_images=300,
    )  # fmt: skip
    row = CurvePoint(epoch=1, step=62, images=2000, seconds=50.0, loss=-1.0, terms={"coarse": 1.0, "decoder": -2.0})
    return Record(
        run_id=run_id(config, fingerprint, parents),
        run_hash=run_hash(config, fingerprint, parents),
        parents=parents,
        config=config,
        epochs=epochs,
        provenance=provenance,
        curve=(row,) * epochs,
        metrics=(),
        strata=(),
        predictions_sha256=None,
    )


def same_predictions(a: PredictedPeople, b: PredictedPeople) -> bool:
    """Equality of every array."""
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))


def flip_bits(path: Path, number: int = 24) -> None:
    """Flip bits of a file in the middle, where a checkpoint has its values."""
    content = bytearray(path.read_bytes())
    for place in np.linspace(0.4, 0.6, number):
        content[int(place * len(content))] ^= 1
    path.write_bytes(content)
