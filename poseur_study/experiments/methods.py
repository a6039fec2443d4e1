"""The compared methods by the names that the paper's tables print, as changes to a configuration.

A method is a head, the backbone as that head takes it, and its own way of scoring people. Everything else (data,
augmentation, schedule) stays what the study says: "all models and training settings are tightly aligned" (Sec. 4.4).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from poseur_lib.config.heads import heatmap
from poseur_lib.errors import UserError

Changes = dict[str, Any]
Size = tuple[int, int]

BACKBONES: Mapping[str, Changes] = MappingProxyType(
    {
        "MobileNet-V2": {"kind": "mobilenetv2"},
        "ResNet-50": {"kind": "resnet", "depth": 50},
        "ResNet-101": {"kind": "resnet", "depth": 101},
        "ResNet-152": {"kind": "resnet", "depth": 152},
        "HRNet-W32": {"kind": "hrnet", "width": 32},
        "HRNet-W48": {"kind": "hrnet", "width": 48},
        "HRFormer-T": {"kind": "hrformer", "variant": "tiny"},
        "HRFormer-S": {"kind": "hrformer", "variant": "small"},
        "HRFormer-B": {"kind": "hrformer", "variant": "base"},
        "ViT-B": {"kind": "vit", "variant": "base"},
    }
)
"""Backbones by the names of Tables 2a to 6."""

STRONG_AUGMENTATION = ("HRNet-W48", "HRFormer-B")
"""Photometric distortion and cutout are added for these two (Sec. 4.1)."""

_L_TOKENS = {"num_heads": 12, "fused_parts": 3, "mlp_hidden": None}
_HRNET_S = {"stages": 3, "outputs": "finest"}
TOKENPOSE: Mapping[str, tuple[Changes, Changes]] = MappingProxyType(
    {
        "S-V1": ({"kind": "hrnet_stem"}, {"attention_scale": "model"}),
        "S-V2": ({"kind": "hrnet_stem"}, {"attention_scale": "model", "patch_size": (2, 2)}),
        "B": ({**BACKBONES["HRNet-W32"], **_HRNET_S}, {}),
        "L/D6": ({**BACKBONES["HRNet-W48"], **_HRNET_S}, {"layers": 6, **_L_TOKENS}),
        "L/D24": ({**BACKBONES["HRNet-W48"], **_HRNET_S}, {"layers": 24, **_L_TOKENS}),
    }
)
"""TokenPose's variants: backbone and head."""

TRANSPOSE: Mapping[str, tuple[Changes, Changes]] = MappingProxyType(
    {
        "H-A6": ({**BACKBONES["HRNet-W48"], **_HRNET_S}, {}),
        "H-A4": ({**BACKBONES["HRNet-W48"], **_HRNET_S}, {"layers": 4}),
        "R-A4": (
            {**BACKBONES["ResNet-50"], "stages": 2},
            {"embed_dims": 256, "num_heads": 8, "ffn_dims": 1024, "layers": 4, "deconvolutions": 1},
        ),
    }
)
"""TransPose's variants: backbone and head."""


_OF_HEATMAPS = ("SimpleBaseline", "HRNet", "HRFormer", "UDP-Pose")
SQUARE_PATCH = (4, 4)
"""Of TokenPose on square crops, whose maps no patch of width 3 divides."""
METHODS = ("Poseur", *_OF_HEATMAPS, "RLE", "DeepPose", "Integral", "PRTR", "TransPose", "TokenPose")
"""Methods by the names of `poseur_study.paper.subject`."""


def method_changes(method: str, backbone: str, size: Size = (256, 192)) -> Changes:
    """What makes the default configuration one of a method on a backbone, for crops of `size` (height, width).

    Raises:
        UserError: there is no such method, or it does not come with this backbone.
    """
    if method not in METHODS:
        raise UserError(f"no method {method!r}; there are {', '.join(METHODS)}")
    changes = _changes(method, backbone, size)
    return changes if size == (256, 192) else {**changes, "data.input_size": size}


def _changes(method: str, backbone: str, size: Size) -> Changes:
    match method:
        case "Poseur":  # the number of decoder layers is the row's
            strong = {"train.augment.photometric": True, "train.augment.cutout": True}
            return {"model.backbone": _backbone(backbone), **(strong if backbone in STRONG_AUGMENTATION else {})}
        case "SimpleBaseline":
            return _heatmaps(_backbone(backbone), heatmap.QUARTER, size, deconvolutions=3)
        case "HRNet" | "HRFormer":  # on the finest map
            return _heatmaps({**_backbone(backbone), "outputs": "finest"}, heatmap.QUARTER, size, deconvolutions=0)
        case "UDP-Pose":  # HRNet with unbiased data processing and offset maps
            return _heatmaps({**_backbone(backbone), "outputs": "finest"}, heatmap.UDP_OFFSET, size, deconvolutions=0)
        case "RLE":  # with its own score
            return {"model.backbone": _pooled(backbone), "model.head": {"kind": "regression"}}
        case "DeepPose":  # plain L1, the row without RLE; people are scored by their boxes
            head = {"kind": "regression", "loss": "l1", "fc": "plain"}
            return {"model.backbone": _pooled(backbone), "model.head": head, "evaluation.instance_score": "box"}
        case "Integral":  # on the last map
            return {"model.backbone": _backbone(backbone), "model.head": {"kind": "integral"}, **_SCORED_AS_HEATMAPS}
        case "PRTR":  # two-stage
            head = {"kind": "prtr"}
            return {"model.backbone": _pooled(backbone), "model.head": head, "evaluation.instance_score": "paper"}
        case "TransPose":  # the paper's backbone column names the variant, as it does of TokenPose
            return _tokens("transpose", TRANSPOSE, backbone, size)
    return _tokens("tokenpose", TOKENPOSE, backbone, size)


_SCORED_AS_HEATMAPS = {"evaluation.instance_score": "classic"}


def _heatmaps(backbone: Changes, codec: heatmap.HeatmapCodecConfig, size: Size, deconvolutions: int) -> Changes:
    head = {"kind": "heatmap", "codec": _codec(codec, size), "deconvolutions": deconvolutions}
    return {"model.backbone": backbone, "model.head": head, **_SCORED_AS_HEATMAPS}


def _codec(codec: heatmap.HeatmapCodecConfig, size: Size) -> Changes:
    sigma = 3.0 if size[0] >= 384 else codec.sigma  # released configurations of these methods
    return codec.with_changes(sigma=sigma).model_dump(mode="json")


def _tokens(kind: str, variants: Mapping[str, tuple[Changes, Changes]], variant: str, size: Size) -> Changes:
    if variant not in variants:
        raise UserError(f"no {kind} {variant!r}; there are {', '.join(variants)}")
    backbone, head = variants[variant]
    head = {"kind": kind, "codec": _codec(heatmap.DARK, size), **head}
    if kind == "tokenpose" and size[0] == size[1]:  # as released for MPII
        head["patch_size"] = SQUARE_PATCH
    return {"model.backbone": dict(backbone), "model.head": head, **_SCORED_AS_HEATMAPS}


def _backbone(name: str) -> Changes:
    if name not in BACKBONES:
        raise UserError(f"no backbone {name!r}; there are {', '.join(BACKBONES)}")
    return dict(BACKBONES[name])


def _pooled(name: str) -> Changes:
    """The one map that a classifier of this backbone pools."""
    backbone = _backbone(name)
    return {**backbone, "outputs": "classification"} if backbone["kind"] == "hrnet" else backbone
