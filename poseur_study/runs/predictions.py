"""A run's predictions as a small file: float16, what can be derived left out.

`predictions.npz` is an ordinary npz (numpy opens it). Per box source it holds image ids, box scores, centres and box
scales in float32, and keypoints (crop-normalised), sigmas and keypoint scores in float16; keypoint scores are left out
where they are the RLE score of the stored sigmas. `flow_masses` is a table of the model's flow, from which Eq. 6 is
computed without the weights.
"""

import io
import zipfile

import numpy as np
from jaxtyping import Float

from poseur_lib.evaluation.dataset_predictions import BoxSource, PredictedPeople

DERIVABLE_WITHIN = 2e-3
MAX_BYTES = 2**30

Predictions = dict[BoxSource, PredictedPeople]


def as_stored(predictions: PredictedPeople) -> PredictedPeople:
    """`predictions` as they come back from the file; metrics are computed from these, so that they can be recomputed.

    Raises:
        ValueError: a coordinate or sigma is not finite, or is too large for float16.
    """
    return from_arrays(to_arrays(predictions, ""), "", predictions.input_size)


def to_bytes(predictions: Predictions) -> bytes:
    """The content of `predictions.npz`; the same predictions give the same bytes."""
    arrays: dict[str, np.ndarray] = {}
    for source, of_source in predictions.items():
        arrays |= to_arrays(of_source, f"{source}/")
        arrays[f"{source}/input_size"] = np.asarray(of_source.input_size, np.int32)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in sorted(arrays.items()):
            entry = io.BytesIO()
            np.lib.format.write_array(entry, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), entry.getvalue(), zipfile.ZIP_LZMA)
    return buffer.getvalue()


def from_bytes(content: bytes) -> Predictions:
    """What `to_bytes` wrote.

    Raises:
        ValueError: it is no such file, or would unpack to more than `MAX_BYTES`.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        if (size := sum(entry.file_size for entry in packed.infolist())) > MAX_BYTES:
            raise ValueError(f"it unpacks to {size} bytes, more than {MAX_BYTES}")
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    found = {}
    for source in BoxSource:
        if f"{source}/input_size" in arrays:
            height, width = (int(side) for side in arrays[f"{source}/input_size"])
            found[source] = from_arrays(arrays, f"{source}/", (height, width))
    return found


def to_arrays(predictions: PredictedPeople, prefix: str) -> dict[str, np.ndarray]:
    """The arrays of the file, named `prefix` + field."""
    arrays = {
        "image_id": _int32(predictions.image_id),
        "bbox_scores": np.asarray(predictions.bbox_scores, np.float32),
        "center": np.asarray(predictions.center, np.float32),
        "box_scale": np.asarray(predictions.box_scale, np.float32),
        "keypoints": _float16("keypoints", predictions.keypoints),
    }
    if predictions.sigma is not None:
        arrays["sigma"] = _float16("sigma", predictions.sigma)
    if predictions.flow_masses is not None:
        arrays["flow_masses"] = np.asarray(predictions.flow_masses, np.float32)
    scores = np.asarray(predictions.keypoint_scores, np.float32)
    if "sigma" not in arrays or np.abs(scores - _rle(arrays["sigma"])).max(initial=0) > DERIVABLE_WITHIN:
        arrays["keypoint_scores"] = _float16("keypoint_scores", scores)
    return {f"{prefix}{name}": array for name, array in arrays.items()}


def from_arrays(arrays: dict[str, np.ndarray], prefix: str, input_size: tuple[int, int]) -> PredictedPeople:
    """The predictions that `to_arrays` stored, in float32."""
    sigma = arrays.get(f"{prefix}sigma")
    scores = arrays.get(f"{prefix}keypoint_scores")
    return PredictedPeople(
        image_id=arrays[f"{prefix}image_id"].astype(np.int64),
        bbox_scores=arrays[f"{prefix}bbox_scores"],
        center=arrays[f"{prefix}center"],
        box_scale=arrays[f"{prefix}box_scale"],
        keypoints=arrays[f"{prefix}keypoints"].astype(np.float32),
        sigma=None if sigma is None else sigma.astype(np.float32),
        keypoint_scores=_rle(sigma) if scores is None else scores.astype(np.float32),
        input_size=input_size,
        flow_masses=arrays.get(f"{prefix}flow_masses"),
    )


def _rle(sigma: Float[np.ndarray, "N K 2"]) -> Float[np.ndarray, "N K"]:
    return (1 - sigma.astype(np.float32)).mean(-1)


def _float16(name: str, values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        stored = np.asarray(values, np.float16)
    if not np.isfinite(stored).all():
        worst = np.asarray(values)[~np.isfinite(stored)].flat[0]
        raise ValueError(f"{name}: {worst} cannot be stored in float16")
    return stored


def _int32(image_ids: np.ndarray) -> np.ndarray:
    stored = np.asarray(image_ids, np.int64)
    return stored.astype(np.int32) if stored.size == 0 or np.abs(stored).max() < 2**31 else stored
