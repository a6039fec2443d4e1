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

KEYPOINT_RCNN: Mapping[str, Any] = MappingProxyType(
    {
        "data.whole_image": {"scale_jitter": None, "pixel_centre": 0.0},
        "model.backbone": {"kind": "resnet", "depth": 50, "weights": "none"},
        "model.head": {
            "kind": "mask_rcnn",
            "keypoints": {"kind": "region_heatmap"},
            "kept_train": 2000,
            "box_beta": 1 / 9,
            "aligned": False,
            "sampling_ratio": 2,
            "batch_norm_eps": 0.0,
        },
        "train.augment": None,
        "evaluation.flip_test": False,
        "evaluation.instance_score": "box",
        "evaluation.oks_nms_threshold": 1.0,
    }
)
"""torchvision's `keypointrcnn_resnet50_fpn`, whose weight files have no configuration; over the defaults."""

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType({"released": RELEASED, "paper_text": PAPER_TEXT})
