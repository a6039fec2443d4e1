"""Resampled metrics that were computed before: a thousand bootstraps take minutes, to read them again a second.

A metric's resamples follow from what is in the key: the run and the digest of its predictions (which the verified
record has), box source, scoring, metric, resampling, and the version of the code that computes them.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from poseur_lib.files import write_atomically
from poseur_study.runs.sources import source_digest

FOLDER = ".samples"
COMPUTED_BY = (
    "poseur_lib/evaluation", "poseur_lib/scoring", "poseur_lib/keypoints.py", "poseur_lib/data/annotations.py",
    "poseur_lib/data/coco.py", "poseur_lib/data/crop.py", "poseur_study/analysis", "poseur_study/runs/predictions.py",
)  # fmt: skip


def remembered(
    runs: Path, key: Mapping[str, Any], compute: Callable[[], Float[np.ndarray, " n"]]
) -> Float[np.ndarray, " n"]:
    """The array of a key: read where it was computed before, else computed and kept.

    A file that cannot be read counts as none; a folder that cannot be written to goes without.
    """
    file = _file(runs, key)
    try:
        return np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        pass
    array = compute()
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    try:
        write_atomically(file, content.getvalue())
    except OSError:
        pass
    return array


def _file(runs: Path, key: Mapping[str, Any]) -> Path:
    text = json.dumps({**key, "code": source_digest(*COMPUTED_BY)}, sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:24]
    return runs / FOLDER / name[:2] / f"{name}.npy"
