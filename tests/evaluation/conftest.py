"""A random data set, and random predictions for it, without any image."""

from dataclasses import dataclass

import numpy as np
import pytest
from pycocotools.coco import COCO

from poseur_lib.data.coco import index
from poseur_lib.keypoints import COCO_17


@dataclass(frozen=True)
class Crowd:
    """Ground truth, and results of two models in COCO's format."""

    coco: COCO
    good: list
    bad: list


def make_crowd(images, seed):
    """Images with 0 to 4 people (some crowds, some not labelled), duplicates and false positives.

    Scores tie between images, but not within one.
    """
    rng = np.random.default_rng(seed)
    annotations, good, bad = [], [], []
    for image_id in range(100, 100 + images):
        for _ in range(rng.integers(0, 5)):
            side = rng.uniform(20, 200)
            x, y = rng.uniform(0, 300, 2)
            points = np.array([x, y]) + rng.uniform(0, side, (17, 2))
            visibility = rng.choice([0, 1, 2], 17, p=[0.3, 0.2, 0.5]) * (rng.random() > 0.1)
            annotations.append({
                "id": len(annotations) + 1, "image_id": image_id, "category_id": 1, "area": float(0.5 * side**2),
                "bbox": [float(x), float(y), side, side], "iscrowd": int(rng.random() < 0.05),
                "keypoints": np.column_stack([points, visibility]).reshape(-1).tolist(),
                "num_keypoints": int((visibility > 0).sum()),
                "poseur_people": {"view": str(rng.choice(["front", "side", "back"])),
                                  "truncated": bool(rng.random() < 0.3)},
            })  # fmt: skip
            for _ in range(rng.choice([0, 1, 2], p=[0.1, 0.7, 0.2])):
                error = rng.normal(0, 0.03 * side * rng.uniform(0.2, 2), points.shape)
                score = round(float(rng.uniform(0.5, 1)), 2) + 0.001 * sum(one["image_id"] == image_id for one in good)
                good.append(result(image_id, points + error, score))
                bad.append(result(image_id, points + 2 * error, score))
        if rng.random() < 0.4:
            for results in (good, bad):
                score = round(float(rng.uniform(0, 0.8)), 2)
                results.append(result(image_id, rng.uniform(0, 400, (17, 2)), score))
    dataset = {
        "images": [{"id": 100 + i, "file_name": f"{i}.jpg", "height": 600, "width": 600} for i in range(images)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_17.names)}],
    }
    return Crowd(index(dataset, 1), good, bad)


def result(image_id, points, score):
    keypoints = np.column_stack([points, np.ones(len(points))]).reshape(-1).tolist()
    return {"image_id": image_id, "category_id": 1, "keypoints": keypoints, "score": score}


@pytest.fixture(scope="session")
def crowd():
    return make_crowd(60, seed=0)
