"""The house style of a notebook: one palette with a fixed meaning, the paper hollow, ours filled, numbers in tables."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from IPython import get_ipython

from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.plotting.frames import frame_bundle

STYLE_FILE = Path(__file__).with_name("poseur.mplstyle")

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

GREY, DARK, GOOD, BAD = "#777777", "#333333", "#029e73", "#d55e00"
VERDICT_COLOURS = {"good": GOOD, "bad": BAD, "soft": GREY}
"""Of verdicts, by `Verdict.colour`: as claimed, against it, undecided or better; in figures as on pages."""


def backbone_colour(name: str) -> str:
    """The colour of a backbone, by the name that the paper or a run id prints; a dark grey for an unknown one."""
    key = re.sub("[-_]", "", name.lower())
    return BACKBONE_COLOURS.get(key[:9] if key.startswith("hrformer") else key, DARK)


def use_house_style() -> None:
    """Set seaborn, matplotlib and, in a notebook, how DataFrames are shown: as on the pages, with their CSV beside."""
    sns.set_theme(context="paper", palette="colorblind")
    plt.style.use(STYLE_FILE)
    if (shell := get_ipython()) is not None:
        for kind in (pd.DataFrame, pd.Series):
            shell.display_formatter.mimebundle_formatter.for_type(kind, frame_bundle)
