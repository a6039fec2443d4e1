"""What `evaluate` and `predict` both ask about inference, checked before anything is loaded."""

from typing import get_args

from poseur_lib.config.heads.poseur import FlipFusion, KeypointScore
from poseur_lib.errors import require_known
from poseur_lib.runtime import DEVICES, PRECISIONS
from poseur_lib.scoring.instance import InstanceRule


def require_inference_options(
    *, device: str, precision: str, flip_fusion: str = "", keypoint_score: str = "", instance_score: str = ""
) -> None:
    """Check names; an empty one stands for what the checkpoint says.

    Raises:
        UserError: an option has a value that does not exist; the nearest one is named.
    """
    given = {
        "device": (device, DEVICES),
        "precision": (precision, PRECISIONS),
        "flip fusion": (flip_fusion, get_args(FlipFusion)),
        "keypoint score": (keypoint_score, get_args(KeypointScore)),
        "instance score": (instance_score, get_args(InstanceRule)),
    }
    for kind, (name, known) in given.items():
        if name:
            require_known(kind, [name], known)
