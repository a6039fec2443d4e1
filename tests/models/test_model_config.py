"""A configuration that does not fit is an error that names the value."""

import re

import pytest
from pydantic import ValidationError

from poseur_lib.config import ExperimentConfig, PoseurConfig
from poseur_study.runs.run_id import configuration_classes

BAD = [
    ({"embed_dims": 30}, "embed_dims 30"),
    ({"embed_dims": 36, "num_heads": 6, "norm_groups": 8}, "norm_groups 8"),
    ({"embed_dims": 32, "num_heads": 5}, "num_heads 5"),
    ({"embed_dims": 6, "num_heads": 1, "norm_groups": 1}, "embed_dims 6 is not a multiple of 4"),
    ({"feature_levels": []}, r"feature_levels \(\)"),
    ({"feature_levels": ["res5", "res2"]}, "feature_levels .*'res5', 'res2'"),
    ({"feature_levels": ["res2", "res2"]}, "distinct"),
    ({"feature_levels": ["res6"]}, "res6"),
    ({"neck": "deconvolution", "feature_levels": ["res5"]}, "cannot be chosen with the deconvolution neck"),
    ({"noise": {"kind": "gaussian"}}, "gaussian"),
    ({"noise": {"kind": "paper", "variance": 0.1}}, "variance"),
    ({"noise.bounds": [1.7, -0.7]}, r"bounds \(1.7, -0.7\)"),
    ({"dropout": 1.0}, "input_value=1.0"),
    ({"dropout": "0.1"}, "input_value='0.1'"),
    ({"decoder_layers": 0}, "input_value=0"),
    ({"decoder_layers": 3.0}, "input_value=3.0"),
    ({"score_radius": 0.0}, "input_value=0.0"),
    ({"coarse_fc": "l1"}, "input_value='l1'"),
    ({"initial_points": "random"}, "input_value='random'"),
    ({"share_layers": 1}, "input_value=1"),
    ({"cross_attention": "MSDA"}, "input_value='MSDA'"),
    ({"loss.log_phi_count": 3}, "input_value=3"),
    ({"num_head": 8}, "num_head"),
    ({"dropout.rate": 0.1}, "dropout is a value and has no fields"),
]


@pytest.mark.parametrize(("changes", "says"), BAD, ids=lambda x: None if isinstance(x, str) else ",".join(x))
def test_bad_value(changes, says):
    with pytest.raises(ValueError, match=says):
        PoseurConfig().with_changes(**changes)


def test_a_pretext_is_given_exactly_where_it_is_used():
    narrow = {"kind": "narrow_resnet", "weights": "pretext"}
    with pytest.raises(ValidationError, match=r"model\.backbone\.weights 'pretext' with pretext null"):
        ExperimentConfig().with_changes(**{"model.backbone": narrow})
    with pytest.raises(ValidationError, match=r"model\.backbone\.weights 'imagenet' with pretext given"):
        ExperimentConfig().with_changes(pretext={})
    assert ExperimentConfig().with_changes(**{"model.backbone": narrow, "pretext": {}}).pretext_run is not None


def test_configurations_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        PoseurConfig().dropout = 0.3


@pytest.mark.parametrize("cls", configuration_classes(), ids=lambda cls: cls.__name__)
def test_every_knob_is_documented(cls):
    """The docstring of its class names it."""
    names = [name for name in cls.model_fields if name != "kind"]
    assert not [name for name in names if not re.search(rf"\b{name}\b", cls.__doc__)]
