"""The style sheet: one palette with a fixed meaning, the paper hollow, ours filled."""

import base64
import html
import io
import re
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.figure import Figure

from poseur_lib.predict.drawing import COLORBLIND

STYLE_FILE = Path(__file__).with_name("poseur.mplstyle")

WEBP_QUALITY = 80

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


def as_html(figure: Figure, alt: str, caption: str, *, photo: bool = False) -> HTML:
    """The figure as an image of its own with a text for who cannot see it, and the caption; closes the figure.

    Args:
        photo: it shows photographs: their colours stay as they are on a dark page, and WebP may lose a little; a tenth
            as large as PNG then, where lines without loss are a third.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="webp", pil_kwargs={"quality": WEBP_QUALITY} if photo else {"lossless": True})
    plt.close(figure)
    source = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    width = int(figure.get_figwidth() * 100)
    image = f'<img alt="{html.escape(alt)}" style="width:{width}px;max-width:100%" src="{source}">'
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return HTML(f'<figure class="figure{" photo" * photo}">{image}{below}</figure>')
