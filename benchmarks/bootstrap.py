"""`python -m benchmarks.bootstrap [RESAMPLES]`: AP of 5,000 images on 1,000 resamples, to take less than 60 s.

The matches are made up and as many as COCO val has with the usual detector's boxes: 21 an image, of which few find a
person. Timed are one AP, and the difference of two models on the same resamples, which a claim needs.
"""

import os
import sys
import time

import numpy as np

from poseur_lib.evaluation.bootstrap import bootstrap
from poseur_lib.evaluation.matches import ImageMatches
from poseur_lib.runtime import processor_name

GOAL_SECONDS = 60.0
IMAGES, PER_IMAGE = 5000, 21


def main(resamples: int) -> int:
    """Time both and say whether each stays within the goal; 1 if one does not."""
    ours, theirs = (made_up_matches(IMAGES, PER_IMAGE, seed) for seed in (0, 1))
    print(f"{IMAGES:,} images, {IMAGES * PER_IMAGE:,} detections, {resamples:,} resamples, {processor_name()}, "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    worst = 0.0
    for name, work in (
        ("one AP", lambda: bootstrap(ours, resamples, 0)),
        ("a paired difference", lambda: bootstrap(ours, resamples, 0) - bootstrap(theirs, resamples, 0)),
    ):
        start, before = time.perf_counter(), time.process_time()
        low, high = np.quantile(work(), [0.025, 0.975])
        wall, processor = time.perf_counter() - start, time.process_time() - before
        worst = max(worst, wall)
        print(f"{name:20s} {wall:5.1f} s ({processor:.1f} s of a processor), interval {low:.2f} to "
              f"{high:.2f}: {'within' if wall < GOAL_SECONDS else 'beyond'} {GOAL_SECONDS:.0f} s")  # fmt: skip
    return int(worst >= GOAL_SECONDS)


def made_up_matches(images: int, per_image: int, seed: int = 0) -> ImageMatches:
    """Matches of no particular model, two people an image, at COCO's ten OKS thresholds."""
    rng = np.random.default_rng(seed)
    detections = images * per_image
    quality = rng.random(detections) * (rng.random(detections) < 0.12)
    thresholds = np.linspace(0.5, 0.95, 10)
    return ImageMatches(
        image_ids=np.arange(images),
        image=rng.permutation(np.repeat(np.arange(images), per_image)),
        matched=quality[None] > thresholds[:, None] - 0.4,
        ignored=rng.random((10, detections)) < 0.1,
        people=np.full(images, 2),
        oks_thresholds=thresholds,
        recall_thresholds=np.linspace(0, 1, 101),
    )


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
