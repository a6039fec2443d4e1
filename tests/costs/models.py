"""Configurations whose costs are known."""

from poseur_lib.config import ExperimentConfig

BACKBONES = {
    "res50": {"kind": "resnet", "depth": 50, "weights": "none"},
    "R152": {"kind": "resnet", "depth": 152, "weights": "none"},
    "mobilenetv2": {"kind": "mobilenetv2", "weights": "none"},
    "hrnet_w32": {"kind": "hrnet", "width": 32, "weights": "none"},
    "hrnet_w48": {"kind": "hrnet", "width": 48, "weights": "none"},
    "hrformer_tiny": {"kind": "hrformer", "variant": "tiny"},
    "hrformer_small": {"kind": "hrformer", "variant": "small"},
    "hrformer_big": {"kind": "hrformer", "variant": "base"},
}


def poseur(backbone: str, layers: int, size: tuple[int, int] = (256, 192), **head) -> ExperimentConfig:
    """Poseur on a backbone of `BACKBONES`."""
    return ExperimentConfig().with_changes(
        **{
            "model.backbone": BACKBONES[backbone],
            "model.head.decoder_layers": layers,
            "data.input_size": list(size),
            **{f"model.head.{name}": value for name, value in head.items()},
        }
    )


def small(**head) -> ExperimentConfig:
    """The paper's head on a backbone that is counted in no time."""
    return ExperimentConfig().with_changes(
        **{
            "model.backbone": {"kind": "narrow_resnet", "weights": "none"},
            "data.input_size": [64, 48],
            **{f"model.head.{name}": value for name, value in head.items()},
        }
    )
