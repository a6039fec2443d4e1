"""Keypoints as a set: which query stands for which keypoint, and the loss of that assignment (PRTR, after DETR).

Classes 0 to K - 1 are the keypoints, class K is "no keypoint".
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import cross_entropy


class SetPrediction(NamedTuple):
    """What Q queries say, in any order.

    Attributes:
        logits: of the K + 1 classes.
        keypoints: (x, y) in [0, 1] of the crop.
    """

    logits: Float[Tensor, "B Q C"]
    keypoints: Float[Tensor, "B Q 2"]


def assign(cost: Float[Tensor, "B K Q"]) -> Int[Tensor, "B K"]:
    """The query of each keypoint: different ones, with the least sum of costs (the Hungarian method, on the CPU).

    A cost that is not finite counts as 0, so that a loss that is not finite is reported as such. On the meta device,
    where costs are counted, there is nothing to solve.
    """
    batch, keypoints, _ = cost.shape
    if cost.is_meta:
        return cost.new_empty((batch, keypoints), dtype=torch.long)
    tables = cost.detach().float().nan_to_num(0.0, 0.0, 0.0).cpu().numpy()
    rows = [linear_sum_assignment(table)[1] for table in tables]
    return torch.stack([torch.from_numpy(row) for row in rows]).to(cost.device)


def matching_cost(
    prediction: SetPrediction,
    target: Float[Tensor, "B K 2"],
    supervised: Bool[Tensor, "B K"],
    class_cost: float,
    keypoint_cost: float,
) -> Float[Tensor, "B K Q"]:
    """class_cost (1 - p(keypoint)) + keypoint_cost |x - target|_1 of each query for each keypoint.

    p is a share of all K + 1 classes. A keypoint that is not supervised has no distance.
    """
    probability = prediction.logits.softmax(dim=-1)[..., :-1].transpose(1, 2)
    distance = torch.cdist(target, prediction.keypoints, p=1)
    return class_cost * (1 - probability) + keypoint_cost * distance * supervised[..., None]


def set_loss(
    prediction: SetPrediction,
    query_of: Int[Tensor, "B K"],
    target: Float[Tensor, "B K 2"],
    supervised: Bool[Tensor, "B K"],
    background_weight: float,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Cross-entropy of all queries and L1 of the matched ones.

    The cross-entropy is the weighted mean over queries, of which those without keypoint weigh `background_weight`. The
    L1 error of supervised keypoints is summed over them, and averaged over images and axes.

    Args:
        query_of: as `assign` gives it.
    """
    batch, queries, classes = prediction.logits.shape
    labels = query_of.new_full((batch, queries), classes - 1)
    labels.scatter_(1, query_of, torch.arange(classes - 1, device=labels.device).expand(batch, -1))
    weight = prediction.logits.new_ones(classes)
    weight[-1] = background_weight
    error = (take(prediction.keypoints, query_of) - target).abs() * supervised[..., None]
    return cross_entropy(prediction.logits.transpose(1, 2), labels, weight), error.sum() / (2 * batch)


def take(per_query: Float[Tensor, "B Q D"], query_of: Int[Tensor, "B K"]) -> Float[Tensor, "B K D"]:
    """The rows of the assigned queries."""
    return per_query.gather(1, query_of[..., None].expand(-1, -1, per_query.shape[-1]))
