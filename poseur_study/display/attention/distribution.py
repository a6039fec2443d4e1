"""What the flow has learned about a keypoint's place, around its prediction (Sec. 3.2)."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.display.attention.canvas import PREDICTED, TRUTH, Window, capital, draw_photo, mark
from poseur_study.display.attention.person_view import Seen, Stage
from poseur_study.display.figure import Drawn, drawing, panels

SIDE = 2.75
"""Inches of a panel."""
SHARES = (0.9, 0.5)
"""Of the mass, that the contours hold."""
DENSITIES = "viridis"


def distribution_figure(seen: Seen, keypoint: int, stage_number: int = -1) -> Drawn:
    """The product over the photo, then the flow's part, the Laplace part and their product, all in crop pixels.

    Args:
        stage_number: position in `seen.stages`; the last one is the model's answer.
    """
    stage = seen.stages[stage_number]
    grid, place = stage.density, stage.keypoints_px[keypoint]
    reach = grid.steps[-1] * stage.sigma_px[keypoint]
    window = Window(*map(float, (*(place - reach), *(place + reach))))
    titles = ("over the crop", "flow G", "Laplace part", "both: what is learned")
    densities = (grid.product, grid.flow, grid.laplace_density, grid.product)
    extent = (window.left, window.right, window.bottom, window.top)
    with drawing():
        figure, axes = panels(4, 4, (SIDE, SIDE * min(max(window.aspect, 0.6), 1.6)), bottom=0.5, gap=0.42)
        draw_photo(axes[0], seen.crop, window)
        for axis, title, density in zip(axes, titles, densities, strict=True):
            if axis is not axes[0]:
                axis.imshow(density, extent=extent, cmap=DENSITIES, vmin=0, interpolation="bilinear")
                axis.tick_params(labelsize=7, length=2)
            _draw_contours(axis, density, stage, keypoint)
            mark(axis, window, place, {**PREDICTED, "markersize": 4})
            if seen.labelled[keypoint]:
                mark(axis, window, seen.truth_px[keypoint], TRUTH)
            axis.set(title=title, xlim=extent[:2], ylim=extent[2:], aspect="auto")
        axes[1].set_xlabel("crop pixels")
    alt = f"Learned density of the {seen.spoken(keypoint)} of {seen.who} around the prediction of {stage.name}."
    return Drawn(figure, alt, _caption(seen, keypoint, stage, window))


def _draw_contours(axis: Axes, density: Float[np.ndarray, "P P"], stage: Stage, keypoint: int) -> None:
    """The smallest regions that hold half and nine tenths of the mass on the grid."""
    grid, (sigma_x, sigma_y), (x, y) = stage.density, stage.sigma_px[keypoint], stage.keypoints_px[keypoint]
    levels = [grid.level_of_mass(density, share) for share in SHARES]
    if levels[0] < levels[1]:
        how = {"levels": levels, "linewidths": (1.0, 1.6), "colors": [COLORBLIND[8]]}
        axis.contour(x + grid.steps * sigma_x, y + grid.steps * sigma_y, density, **how)


def _caption(seen: Seen, keypoint: int, stage: Stage, window: Window) -> str:
    grid, (scale_x, scale_y) = stage.density, stage.laplace_px[keypoint]
    row, column = np.unravel_index(np.argmax(grid.product), grid.product.shape)
    peak = grid.steps[[column, row]] * stage.sigma_px[keypoint]
    label = ""
    if seen.labelled[keypoint]:
        away = seen.truth_px[keypoint] - stage.keypoints_px[keypoint]
        where = "" if window.holds(seen.truth_px[keypoint]) else ", beyond the picture and drawn at its border"
        label = f" The label (green ×) is at ({away[0]:+.1f}, {away[1]:+.1f}){where}."
    power = "" if grid.exponent == 1 else f" to the power {grid.exponent:g}"
    flow = "coarse stage's flow" if stage.name == "coarse" else "decoder's flow, one for all layers"
    return (
        f"{capital(seen.spoken(keypoint))} of {seen.who}, {seen.model.name}, {stage.name}: density of its true place"
        f" around the prediction (◇), by the {flow}. Laplace part: scale b = {scale_x:.1f} × {scale_y:.1f} crop pixels."
        f" Both: G{power} times the Laplace part, the density whose likelihood the loss maximises; it is highest"
        f" ({peak[0]:+.1f}, {peak[1]:+.1f}) crop pixels from the prediction.{label} Contours hold 50 and 90 % of the"
        " mass in the picture; σ moves and stretches the picture, its shape is the same for every keypoint."
    )
