"""How a run learned."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from IPython.display import HTML

from poseur_study.display.style import COLORBLIND, as_html, style
from poseur_study.runs.record import CurveRow


def curve_figure(curve: Sequence[CurveRow], title: str) -> HTML:
    """Loss, and where measured mean OKS, AP and (pretraining) the IoU of body parts, over the images seen."""
    images = [row.images / 1000 for row in curve]
    panels = [
        ("training loss", [row.loss for row in curve]),
        ("mean OKS", [row.mean_oks for row in curve]),
        ("AP (OKS, x 100)", [row.ap for row in curve]),
        ("mean IoU of body parts", [row.part_iou for row in curve]),
    ]
    panels = [(label, values) for label, values in panels if any(value is not None for value in values)]
    with style():
        figure, axes = plt.subplots(1, len(panels), figsize=(2.9 * len(panels), 2.4), squeeze=False)
        for axis, (label, values) in zip(axes[0], panels, strict=True):
            known = [(x, y) for x, y in zip(images, values, strict=True) if y is not None]
            axis.plot(*zip(*known, strict=True), marker="o", color=COLORBLIND[0])
            axis.set(title=label, xlabel="training people seen / 1,000")
            axis.set_xlim(left=0)
        figure.tight_layout()
    first, last = curve[0], curve[-1]
    alt = f"Learning curve of {title}: loss from {first.loss:.2f} after epoch 1 to {last.loss:.2f} after {len(curve)}."
    caption = (
        f"{title}: one point an epoch, {len(curve)} epochs, {last.images:,} people seen in {last.seconds:.0f} training "
        "seconds; a single run, so no interval."
    )
    return as_html(figure, alt, caption)
