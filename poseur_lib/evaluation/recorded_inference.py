"""Forward passes as CUDA graphs: a batch of a size that came before is predicted without launching kernel by kernel."""

import math
import sys
from collections.abc import Callable
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor

from poseur_lib.cuda_graph import Capture
from poseur_lib.errors import first_line
from poseur_lib.models.pose_model import PoseModel
from poseur_lib.poses import PosePrediction

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 1e-2, torch.float16: 1e-2}
"""How far a keypoint of a recorded pass may be from that of a plain one, a fraction of the crop side."""

Predict = Callable[[Tensor], PosePrediction]


class Arrays(NamedTuple):
    """What is stored of a batch's poses."""

    keypoints: Float[Tensor, "B K 2"]
    keypoint_scores: Float[Tensor, "B K"]
    sigma: Float[Tensor, "B K 2"] | None

    def first(self, count: int) -> "Arrays":
        """Those of the first people."""
        sigma = None if self.sigma is None else self.sigma[:count]
        return Arrays(self.keypoints[:count], self.keypoint_scores[:count], sigma)


def arrays_of(pose: PosePrediction) -> Arrays:
    """Of a prediction."""
    return Arrays(pose.keypoints, pose.keypoint_scores, pose.sigma)


def plain_pass(predict: Predict, images: Float[Tensor, "B 3 H W"], dtype: torch.dtype) -> Arrays:
    """Poses of a batch, with autocast to `dtype` unless that is float32; a weight is cast once a pass."""
    with torch.autocast(images.device.type, dtype, enabled=dtype != torch.float32):
        return arrays_of(predict(images))


def filled_up(images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "C 3 H W"]:
    """A batch with empty crops at its end, so that it is a power of two long; no other crop's pose depends on them."""
    filled = images.new_zeros(1 << (len(images) - 1).bit_length(), *images.shape[1:])
    filled[: len(images)].copy_(images)
    return filled


class Recording(NamedTuple):
    """A pass through a network: where its images are put, how it is done again, and where its poses are found."""

    images: Float[Tensor, "B 3 H W"]
    replay: Callable[[], object]
    found: list[Arrays]


class RecordedInference:
    """Recordings of one model, one for each number of people.

    Batches are filled up to a power of two. A size is recorded when it comes for the second time, and compared with the
    plain pass on that batch.

    Args:
        capture: records a function: `cuda_graph`.
    """

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._seen: dict[tuple, Recording | None] = {}
        self._places: tuple[int, ...] = ()
        self._refused = False

    def __call__(self, predict: Predict, images: Float[Tensor, "B 3 H W"], dtype: torch.dtype) -> Arrays:
        """Poses of a batch, as `predict` gives them; `dtype` is what autocast is on, or float32."""
        count = len(images)
        size = 1 << (count - 1).bit_length()
        key = (getattr(predict, "__name__", ""), size, *images.shape[1:], images.dtype, dtype)
        if self._refused or key not in self._seen:
            self._seen[key] = None
            return plain_pass(predict, images, dtype)
        recording = self._seen[key]
        if recording is None:
            try:
                recording = self._seen[key] = self._record(predict, images, dtype)
            except Exception as error:  # libraries raise anything; the plain pass is always at hand
                self._refused = True
                print(f"inference runs step by step, not as a CUDA graph: {first_line(error)[:160]}", file=sys.stderr)
                return plain_pass(predict, images, dtype)
        recording.images[:count].copy_(images)
        recording.replay()
        keypoints, scores, sigma = recording.found[-1].first(count)
        return Arrays(keypoints.clone(), scores.clone(), None if sigma is None else sigma.clone())

    def follow(self, model: PoseModel) -> None:
        """Where weights have moved to other memory, all is recorded again; ask before each use of a model."""
        places = tuple(x.data_ptr() for x in (*model.parameters(), *model.buffers()))
        if places != self._places:
            self._seen, self._places = {}, places

    def _record(self, predict: Predict, images: Tensor, dtype: torch.dtype) -> Recording:
        filled = filled_up(images)
        found: list[Arrays] = []

        def run() -> None:
            found[:] = [plain_pass(predict, filled, dtype)]

        expected = plain_pass(predict, filled, dtype).keypoints  # of the same size: kernels, and rounding, depend on it
        replay = self._capture(run)
        found[-1].keypoints.fill_(math.nan)  # a recording of nothing would leave what is there
        replay()
        moved = (found[-1].keypoints - expected).abs().max().item()
        if not moved <= TOLERANCE[dtype]:
            raise ArithmeticError(f"its keypoints are {moved:.1e} away from those of the plain pass")
        return Recording(filled, replay, found)


_of_model: WeakKeyDictionary[PoseModel, RecordedInference] = WeakKeyDictionary()


def recordings_of(model: PoseModel, capture: Capture) -> RecordedInference:
    """Those of a model, kept as long as it is, and as its weights stay where they are."""
    if model not in _of_model:
        _of_model[model] = RecordedInference(capture)
    _of_model[model].follow(model)
    return _of_model[model]
