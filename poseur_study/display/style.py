"""The style sheet: one palette with a fixed meaning, the paper hollow, ours filled."""

import re
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib.pyplot as plt

from poseur_lib.predict.drawing import COLORBLIND

STYLE_FILE = Path(__file__).with_name("poseur.mplstyle")

BACKBONE_COLOURS = {
    "resnet50": COLORBLIND[0],
    "mobilenetv2": COLORBLIND[1],
    "resnet152": COLORBLIND[2],
    "hrnetw32": COLORBLIND[3],
    "hrnetw48": COLORBLIND[4],
    "hrformerb": COLORBLIND[5],
    "hrformers": COLORBLIND[6],
    "hrnetstem": COLORBLIND[7],
    "hrformert": COLORBLIND[8],
    "resnet101": COLORBLIND[9],
}

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

GREY = "#777777"

DARK = "#333333"


def style() -> AbstractContextManager[None]:
    """The style sheet for the figures drawn inside the `with`."""
    return plt.style.context(STYLE_FILE)


def backbone_colour(name: str) -> str:
    """The colour of a backbone, by the name that the paper or a run id prints; a dark grey for an unknown one."""
    key = re.sub("[-_]", "", name.lower())
    return BACKBONE_COLOURS.get(key[:9] if key.startswith("hrformer") else key, DARK)
