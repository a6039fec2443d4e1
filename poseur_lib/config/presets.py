"""Named sets of changes to a configuration.

`PRESETS` are changes by dotted path, to be given to `ExperimentConfig.with_changes`, alone or over a profile's.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

RELEASED: Mapping[str, Any] = MappingProxyType({})
"""The released code: every default."""

PAPER_TEXT: Mapping[str, Any] = MappingProxyType(
    {
        "model.head.noise": {"kind": "paper"},
        "model.head.query_content": "paper",
        "model.head.class_embedding": "content",
        "model.head.output_branch": "paper",
        "model.head.coarse_features": "backbone",
        "model.head.coarse_fc": "plain",
        "model.head.loss.log_phi_count": 1,
        "model.head.loss.log_sigma_count": 1,
        "model.head.loss.flow_prior_mean": 0.0,
        "model.head.keypoint_score": "laplace",
        "evaluation.instance_score": "paper",
    }
)
"""Every knob as the paper's text has it, wherever the released code does otherwise."""

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType({"released": RELEASED, "paper_text": PAPER_TEXT})
