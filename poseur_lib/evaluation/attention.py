"""Whether keypoints attend to keypoints that are related to them."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from poseur_lib.keypoints import KeypointSet

FITTING_SWEEPS = 100


def neighbours_and_partners(keypoints: KeypointSet) -> Bool[np.ndarray, "K K"]:
    """Keypoints that the skeleton connects, and left and right ones of a pair."""
    related = np.zeros((keypoints.num_keypoints, keypoints.num_keypoints), bool)
    for a, b in (*keypoints.skeleton, *keypoints.flip_pairs):
        related[a, b] = related[b, a] = True
    return related


def named_only(keypoints: KeypointSet, named: Mapping[str, Sequence[str]]) -> Bool[np.ndarray, "K K"]:
    """Keypoints (rows) and those that are named for them; a keypoint that the set does not have is left out."""
    related = np.zeros((keypoints.num_keypoints, keypoints.num_keypoints), bool)
    for name, others in named.items():
        for other in others:
            if name in keypoints.names and other in keypoints.names:
                related[keypoints.names.index(name), keypoints.names.index(other)] = True
    return related


def weights_on_others(weights: Float[np.ndarray, "*batch K K"]) -> Float[np.ndarray, "*batch K K"]:
    """Attention (rows attend to columns) without what a keypoint takes of itself; rows sum to 1 again."""
    others = weights * ~np.eye(weights.shape[-1], dtype=bool)
    return others / others.sum(axis=-1, keepdims=True)


def related_share(
    weights: Float[np.ndarray, "*batch K K"], related: Bool[np.ndarray, "K K"]
) -> Float[np.ndarray, "*batch"]:
    """Share of the weight on others that goes to related keypoints, mean over the keypoints that have any."""
    rows = related.any(axis=-1)
    return np.asarray((weights_on_others(weights) * related).sum(axis=-1)[..., rows].mean(axis=-1))


def quasi_independent(weights: Float[np.ndarray, "*batch K K"]) -> Float[np.ndarray, "*batch K K"]:
    """What keypoints would take of others if all had one taste: a_i b_j, without what a keypoint takes of itself.

    Rows sum to 1, and columns to what they get in `weights_on_others`: the quasi-independence model of a square table
    without its diagonal, by iterative proportional fitting. A matrix that has bright columns alone is its own fit.
    """
    columns = weights_on_others(weights).sum(axis=-2)
    rows = np.ones_like(columns)
    for _ in range(FITTING_SWEEPS):
        tastes = columns / (rows.sum(axis=-1, keepdims=True) - rows)
        rows = 1 / (tastes.sum(axis=-1, keepdims=True) - tastes)
    return rows[..., :, None] * tastes[..., None, :] * ~np.eye(weights.shape[-1], dtype=bool)


def chance_share(related: Bool[np.ndarray, "K K"]) -> float:
    """What `related_share` is where every keypoint takes alike of all others."""
    rows = related.any(axis=-1)
    return float(related[rows].sum(axis=-1).mean() / (len(related) - 1))
