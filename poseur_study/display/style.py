"""The style sheet: one palette with a fixed meaning, the paper hollow, ours filled."""

import re
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib.pyplot as plt

from poseur_lib.predict.drawing import COLORBLIND

STYLE_FILE = Path(__file__).parents[1] / "plotting" / "poseur.mplstyle"

BACKBONES = ("resnet50", "mobilenetv2", "resnet152", "hrnetw32", "hrnetw48", "hrformerb", "hrformers", "hrnetstem")
BACKBONE_COLOURS = dict(zip((*BACKBONES, "hrformert", "resnet101"), COLORBLIND, strict=True))

METHOD_MARKERS = {
    "Poseur": "o",
    "Mask R-CNN + Poseur": "o",
    "SimpleBaseline": "s",
    "Mask R-CNN": "s",
    "HRNet": "D",
    "HRFormer": "^",
    "UDP-Pose": "v",
    "RLE": "P",
    "Mask R-CNN + RLE": "P",
    "PRTR": "X",
    "TransPose": "<",
    "TokenPose": ">",
    "Integral": "h",
    "DeepPose": "d",
    "PointSet Anchor": "*",
}

GREY, DARK = "#777777", "#333333"


def style() -> AbstractContextManager[None]:
    """The style sheet for the figures drawn inside the `with`."""
    return plt.style.context(STYLE_FILE)


def backbone_colour(name: str) -> str:
    """The colour of a backbone, by the name that the paper or a run id prints; a dark grey for an unknown one."""
    key = re.sub("[-_]", "", name.lower())
    return BACKBONE_COLOURS.get(key[:9] if key.startswith("hrformer") else key, DARK)
