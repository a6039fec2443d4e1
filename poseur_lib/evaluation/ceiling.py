"""The codec's ceiling: the AP of ground truth that is encoded as a method encodes it, and decoded again.

No network takes part, and no image is read: what is lost is lost by the representation. Heatmaps of a quarter of the
input with Gaussians on whole cells cannot pass the AP of "quarter" if they are learned to perfection, so it stands
beside Table 2b, where such a method is compared with regression, which loses nothing, at input sizes down to 64x64.
Their neighbours of the highest cell are then equal, and the quarter shift does nothing. A network that is not perfect
may still tell which neighbour is nearer: "quarter-exact" is what the shift itself loses then. And everybody has one
score here: the same poses, ranked by how well they fit, have a higher AP.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from poseur_lib.config.heads.base import HEATMAP_STRIDE
from poseur_lib.config.heads.heatmap import DARK, QUARTER, UDP_DARK, UDP_OFFSET
from poseur_lib.data.coco import CocoPeople, Person, labels_of
from poseur_lib.data.crop import PLAIN, CropRule, box_to_center_scale, crop_matrix, transform_points
from poseur_lib.errors import UserError
from poseur_lib.evaluation.dataset_predictions import PredictedPeople
from poseur_lib.evaluation.metrics import PoseMetrics, evaluate_coco, to_coco_results
from poseur_lib.models.baselines import heatmap_decoding, integral
from poseur_lib.models.pose_model import PoseHead

INPUT_SIZES = ((64, 48), (64, 64), (96, 72), (128, 96), (128, 128), (192, 144), (256, 192), (384, 288))
"""(height, width): the profiles', and those of Tables 2b and 5."""
PEOPLE_AT_ONCE = 64

RoundTrip = Callable[[Float[Tensor, "N K 2"], tuple[int, int]], Float[Tensor, "N K 2"]]
"""Of keypoints in [0, 1] of crops of a size (height, width); `PoseHead.round_trip`."""

UNBIASED = CropRule(unbiased=True)
CODECS: Mapping[str, tuple[CropRule, RoundTrip]] = {
    "quarter": (PLAIN, partial(heatmap_decoding.round_trip, QUARTER)),
    "quarter-exact": (PLAIN, partial(heatmap_decoding.round_trip, QUARTER.with_changes(centers="exact"))),
    "dark": (PLAIN, partial(heatmap_decoding.round_trip, DARK)),
    "udp-dark": (UNBIASED, partial(heatmap_decoding.round_trip, UDP_DARK)),
    "udp-offset": (UNBIASED, partial(heatmap_decoding.round_trip, UDP_OFFSET)),
    "integral": (PLAIN, integral.round_trip),
    "regression": (PLAIN, lambda keypoints, _: keypoints),
}
"""A crop rule and a round trip by name."""


def head_ceiling(people: CocoPeople, head: PoseHead, input_size: tuple[int, int]) -> PoseMetrics:
    """AP and AR that a head would have if it had learned its targets to perfection, as `codec_ceiling` has them."""
    return _ceiling(people, head.crop_rule, head.round_trip, input_size)


def codec_ceiling(people: CocoPeople, codec: str, input_size: tuple[int, int]) -> PoseMetrics:
    """AP and AR of a codec on the labelled people of a split, in their own boxes.

    Args:
        codec: one of `CODECS`.
        input_size: (height, width) of the crops.

    Raises:
        UserError: the size is no multiple of 4, or the keypoint set has no OKS.
    """
    if any(side % HEATMAP_STRIDE or side <= 0 for side in input_size):
        raise UserError(f"input size {input_size[0]}x{input_size[1]}: heatmaps need multiples of {HEATMAP_STRIDE}")
    return _ceiling(people, *CODECS[codec], input_size)


def _ceiling(people: CocoPeople, rule: CropRule, round_trip: RoundTrip, input_size: tuple[int, int]) -> PoseMetrics:
    if not people.keypoints.oks_sigmas:
        raise UserError(f"keypoint set {people.keypoints.name!r} defines no OKS, so there is no AP")
    predictions = decoded_ground_truth(people.people(), rule, round_trip, input_size)
    results = to_coco_results(predictions, predictions.bbox_scores, category_id=people.category_id)
    return evaluate_coco(people.coco, results, people.keypoints)


def ceiling_table(
    people: CocoPeople, input_sizes: Iterable[tuple[int, int]] = INPUT_SIZES, codecs: Iterable[str] = tuple(CODECS)
) -> pd.DataFrame:
    """A row for each input size: its name, and the AP of each codec."""
    codecs = tuple(codecs)
    rows = []
    for size in input_sizes:
        scores = {codec: round(codec_ceiling(people, codec, size).AP, 2) for codec in codecs}
        rows.append({"input": f"{size[0]}x{size[1]}", **scores})
    return pd.DataFrame(rows, columns=["input", *codecs])


def decoded_ground_truth(
    people: Sequence[Person], rule: CropRule, round_trip: RoundTrip, input_size: tuple[int, int]
) -> PredictedPeople:
    """The poses of labelled people, cropped, encoded and decoded, as if a model had predicted them."""
    boxes = [box_to_center_scale(person.box, input_size, rule) for person in people]
    sides = rule.extent_px(input_size)
    keypoints = np.stack(
        [
            transform_points(points, crop_matrix(*box, 0.0, input_size, rule)) / sides
            for points, box in zip(labels_of(people).keypoints_image, boxes, strict=True)
        ]
    )
    chunks = torch.from_numpy(keypoints).split(PEOPLE_AT_ONCE)
    ones = np.ones(len(people), np.float32)
    return PredictedPeople(
        image_id=np.array([person.image_id for person in people], np.int64),
        bbox_scores=ones,
        center=np.stack([center for center, _ in boxes]),
        box_scale=np.stack([scale for _, scale in boxes]),
        keypoints=torch.cat([round_trip(chunk, input_size) for chunk in chunks]).numpy(),
        sigma=None,
        keypoint_scores=np.repeat(ones[:, None], keypoints.shape[1], axis=1),
        input_size=input_size,
    )
