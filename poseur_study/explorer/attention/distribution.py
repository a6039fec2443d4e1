"""What the flow has learned about a keypoint's place, around its prediction (Sec. 3.2)."""

import numpy as np

from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.explorer.attention.canvas import PREDICTED, TRUTH, Window, draw_photo, drawing, mark
from poseur_study.explorer.attention.drawn import Drawn, panels
from poseur_study.explorer.attention.person_view import Seen

SIDE = 2.75
"""Inches of a panel."""
SHARES = (0.9, 0.5)
"""Of the mass, that the contours hold."""
DENSITIES = "viridis"
TITLES = ("over the crop", "flow G", "Laplace part", "both: what is learned")


def distribution_figure(seen: Seen, keypoint: int, stage: int = -1) -> Drawn:
    """The product over the photo, then the flow's part, the Laplace part and their product, all in crop pixels.

    Args:
        stage: position in the model's stages; the last one is the model's answer.
    """
    grid, place = seen.model.densities[stage], seen.stages.keypoints_px[stage, keypoint]
    sigma = seen.stages.sigma_px[stage, keypoint]
    x, y = place[:, None] + sigma[:, None] * grid.steps
    window = Window(*map(float, (x[0], y[0], x[-1], y[-1])))
    extent = (window.left, window.right, window.bottom, window.top)
    densities = (grid.product, grid.flow, grid.laplace_density, grid.product)
    with drawing():
        figure, axes = panels(4, 4, (SIDE, SIDE * min(max(window.aspect, 0.6), 1.6)), bottom=0.5, gap=0.42)
        draw_photo(axes[0], seen.crop, window)
        for axis, title, density in zip(axes, TITLES, densities, strict=True):
            if axis is not axes[0]:
                axis.imshow(density, extent=extent, cmap=DENSITIES, vmin=0, interpolation="bilinear")
                axis.tick_params(labelsize=7, length=2)
            levels = [grid.level_of_mass(density, share) for share in SHARES]
            if levels[0] < levels[1]:
                axis.contour(x, y, density, levels=levels, linewidths=(1.0, 1.6), colors=[COLORBLIND[8]])
            mark(axis, window, place, {**PREDICTED, "markersize": 4})
            mark(axis, window, seen.truth_px[keypoint], TRUTH)
            axis.set(title=title, xlim=extent[:2], ylim=extent[2:], aspect="auto")
        axes[1].set_xlabel("crop pixels")
    row, column = np.unravel_index(np.argmax(grid.product), grid.product.shape)
    peak = "({:+.1f}, {:+.1f})".format(*(grid.steps[[column, row]] * sigma))
    alt = (
        f"Learned density of the {seen.spoken(keypoint)} of {seen.who} around the prediction of"
        f" {seen.model.stages[stage]}, highest {peak} crop pixels from it."
    )
    return Drawn(figure, alt, _caption(seen, keypoint, stage, peak, window))


def _caption(seen: Seen, keypoint: int, stage: int, peak: str, window: Window) -> str:
    name, scale, label = seen.model.stages[stage], seen.stages.laplace_px[stage, keypoint], ""
    if seen.labelled[keypoint]:
        away = seen.truth_px[keypoint] - seen.stages.keypoints_px[stage, keypoint]
        where = "" if window.holds(seen.truth_px[keypoint]) else ", beyond the picture and drawn at its border"
        label = f" The label (green ×) is at ({away[0]:+.1f}, {away[1]:+.1f}){where}."
    exponent = seen.model.densities[stage].exponent
    power = "" if exponent == 1 else f" to the power {exponent:g}"
    flow = "coarse stage's flow" if name == "coarse" else "decoder's flow, one for all layers"
    return (
        f"{seen.subject(keypoint)}, {name}: density of its true place around the prediction (◇), by the {flow}. Laplace"
        f" part: scale b = {scale[0]:.1f} × {scale[1]:.1f} crop pixels. Both: G{power} times the Laplace part, the"
        f" density whose likelihood the loss maximises; it is highest {peak} crop pixels from the prediction.{label}"
        " Contours hold 50 and 90 % of the mass in the picture; σ moves and stretches the picture, its shape is the"
        " same for every keypoint."
    )
