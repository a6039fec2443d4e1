"""Every knob of the head changes something, and whatever is chosen builds, predicts and trains."""

import typing

import pytest
import torch

from poseur_lib.config import PAPER_TEXT, NoNoise, PaperNoise, PoseurConfig, ReleasedNoise, RLELossConfig
from tests.models.small import random_features, random_targets, small_head

KNOBS = [
    ("embed_dims", 64),
    ("num_heads", 2),
    ("num_points", 3),
    ("ffn_dims", 48),
    ("dropout", 0.5),
    ("norm_groups", 4),
    ("neck", "deconvolution"),
    ("feature_levels", ["res5"]),
    ("feature_levels", ["res2", "res4"]),
    ("feature_levels", ["res3", "res4", "res5"]),
    ("decoder_layers", 4),
    ("share_layers", True),
    ("self_attention", False),
    ("cross_attention", "msda"),
    ("initial_points", "learned"),
    ("noise", NoNoise()),
    ("noise", PaperNoise()),
    ("noise", PaperNoise(groups=3)),
    ("noise", ReleasedNoise(groups=1)),
    ("noise.moved_points", 1),
    ("noise.variance", 1.5),
    ("noise.clip", 0.01),
    ("noise.bounds", [0.4, 0.6]),
    ("coarse_features", "backbone"),
    ("coarse_fc", "plain"),
    ("query_content", "paper"),
    ("class_embedding", "content"),
    ("output_branch", "paper"),
    ("keypoint_score", "laplace"),
    ("keypoint_score", "calibrated"),
    ("sigma_factor", 0.5),
    ("score_radius", 0.05),
    ("flip_fusion", "type1"),
    ("flip_fusion", "type2"),
    ("loss.log_phi_count", 1),
    ("loss.log_sigma_count", 1),
    ("loss.flow_prior_mean", 0.0),
    ("loss.flow_layers", 2),
    ("loss.flow_hidden", 16),
    ("loss.decoder_weight", 0.3),
]
NEEDS = {
    "score_radius": {"keypoint_score": "laplace"},
    "sigma_factor": {"keypoint_score": "calibrated", "sigma_factor": 1.0},
}
"""What another knob must be for this one to act."""
WITH = {"calibrated": {"sigma_factor": 0.3}}
"""What a value needs beside it."""


def outcome(head) -> dict[str, torch.Tensor]:
    """All that a head gives for fixed inputs: prediction, merged flip test, training loss and its terms."""
    features, targets = random_features(), random_targets()
    with torch.no_grad():
        pose = head.eval()(features)
        merged = head.merge_flipped(pose, head(random_features(seed=3)), torch.tensor([0, 2, 1, 4, 3]))
        torch.manual_seed(5)
        losses = head.train().loss(features, targets)
    return {
        "keypoints": pose.keypoints,
        "scores": pose.keypoint_scores,
        "sigma": pose.sigma,
        **({"coarse_keypoints": pose.coarse.keypoints} if pose.coarse else {}),
        "merged": merged.keypoints,
        "merged_scores": merged.keypoint_scores,
        **losses.terms,
    }


def with_the_weights_of(head, other):
    """`head` with every weight of `other` that fits, so that only the knob differs."""
    ours, theirs = head.state_dict(), other.state_dict()
    head.load_state_dict({k: theirs[k] if k in theirs and theirs[k].shape == v.shape else v for k, v in ours.items()})
    return head


@pytest.mark.parametrize(("knob", "value"), KNOBS, ids=lambda x: str(x).replace(" ", ""))
def test_a_knob(knob, value):
    needed = NEEDS.get(knob, {})
    plain = small_head(**needed)
    changed = with_the_weights_of(small_head(**{**needed, **WITH.get(str(value), {}), knob: value}), plain)
    before, after = outcome(plain), outcome(changed)
    assert all(x.isfinite().all() for x in after.values())
    assert before.keys() != after.keys() or any(
        before[k].shape != after[k].shape or not torch.allclose(before[k], after[k], atol=1e-6, rtol=1e-5)
        for k in before
    ), f"{knob} changes nothing"
    changed.loss(random_features(), random_targets()).total.backward()
    gradients = {name: p.grad for name, p in changed.named_parameters()}
    assert all(g is not None and g.isfinite().all() for g in gradients.values())
    assert not [name for name, g in gradients.items() if g.abs().sum() == 0], "a parameter that nothing depends on"


def test_every_knob_is_tried():
    tried = {knob for knob, _ in KNOBS}
    nested = {f"loss.{name}" for name in RLELossConfig.model_fields}
    nested |= {f"noise.{name}" for name in ReleasedNoise.model_fields} - {"noise.kind", "noise.groups"}
    assert tried == (set(PoseurConfig.model_fields) - {"kind", "loss"}) | nested


def test_the_paper_in_words():
    """All knobs of the preset together."""
    changes = {knob.removeprefix("model.head."): value for knob, value in PAPER_TEXT.items() if "head" in knob}
    head = small_head(**changes)
    result = outcome(head)
    assert all(x.isfinite().all() for x in result.values())
    assert 0 <= result["keypoints"].min() and result["keypoints"].max() <= 1, "refined points alone are sigmoids"


def test_decoder_weight_weighs_the_decoder_alone():
    plain, weighted = outcome(small_head()), outcome(small_head(**{"loss.decoder_weight": 0.25}))
    torch.testing.assert_close(weighted["coarse"], plain["coarse"])
    for name in ("layer_0", "layer_1"):
        torch.testing.assert_close(weighted[name], 0.25 * plain[name])


def test_choices_are_all_tried():
    """No member of a choice is left out: each is the default or in the list."""
    for name, field in PoseurConfig.model_fields.items():
        if typing.get_origin(field.annotation) is typing.Literal and name != "kind":
            tried = {value for knob, value in KNOBS if knob == name} | {field.default}
            assert tried == set(typing.get_args(field.annotation)), name
