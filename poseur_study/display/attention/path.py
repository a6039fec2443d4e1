"""The way of one keypoint from the coarse proposal through the decoder layers, with its uncertainty."""

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse

from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.display.attention import canvas
from poseur_study.display.attention.canvas import FAINT, OUTLINE, TRUTH, Window, capital, draw_photo, draw_pose, mark
from poseur_study.display.attention.person_view import Seen
from poseur_study.display.figure import Drawn, drawing, panel_row
from poseur_study.display.style import DARK

HEIGHT, GAP = 4.2, 0.3
"""Inches of a panel, and between two."""
LABEL_BELOW, LABEL_LEFT = 0.5, 0.55
SMALLEST_PX = 0.05
"""Where the logarithmic axis ends."""


def path_figure(seen: Seen, keypoint: int) -> Drawn:
    """The whole person, the way from near, and how error and scale change on it."""
    way = np.stack([stage.keypoints_px[keypoint] for stage in seen.stages])
    scales = np.stack([stage.expected_px[keypoint] for stage in seen.stages])
    near = np.concatenate([way - scales, way + scales, seen.truth_px[[keypoint]][: int(seen.labelled[keypoint])]])
    whole, close = (
        canvas.window_around(seen.crop, np.concatenate([way, seen.keypoints_px])),
        canvas.window_at(seen.crop, near),
    )
    with drawing():
        width = HEIGHT / whole.aspect
        rooms = [(GAP, width), (GAP, HEIGHT), (GAP + LABEL_LEFT, HEIGHT - LABEL_LEFT)]
        total = max(width, 1.5) + 2 * HEIGHT + 5 * GAP
        figure, axes = panel_row(rooms, HEIGHT, total, LABEL_BELOW)
        for axis, window, title in ((axes[0], whole, "the crop"), (axes[1], close, "from near")):
            draw_photo(axis, seen.crop, window)
            axis.set_title(title)
        draw_pose(axes[0], seen)
        _draw_way(axes[0], seen, keypoint, way, whole, size=4)
        _draw_ellipses(axes[1], seen, keypoint)
        _draw_way(axes[1], seen, keypoint, way, close, size=8)
        _draw_numbers(axes[2], seen, keypoint)
    alt = f"The {seen.spoken(keypoint)} of {seen.who} from the coarse proposal to layer {len(seen.layers)}."
    return Drawn(figure, alt, _caption(seen, keypoint, whole, close), axes[:2])


def errors_px(seen: Seen, keypoint: int) -> Float[np.ndarray, "S"] | None:
    """Distance of each stage's prediction from the label in crop pixels; None without a label."""
    if not seen.labelled[keypoint]:
        return None
    return np.array([np.linalg.norm(stage.keypoints_px[keypoint] - seen.truth_px[keypoint]) for stage in seen.stages])


def _colours(seen: Seen) -> list[tuple[float, ...]]:
    """From dark to light in the order of the stages."""
    count = len(seen.stages)
    return [colormaps["plasma"](0.15 + 0.75 * number / max(count - 1, 1)) for number in range(count)]


def _draw_way(axis: Axes, seen: Seen, keypoint: int, way: np.ndarray, window: Window, size: float) -> None:
    axis.plot(*way.T, **{**FAINT, "alpha": 0.9, "linewidth": 1.4}, path_effects=OUTLINE, zorder=4)
    for number, (point, colour) in enumerate(zip(way, _colours(seen), strict=True)):
        how = {"marker": "o", "color": colour, "markersize": size, "markeredgecolor": "white"}
        mark(axis, window, point, how, zorder=5 + number / 100)
    if seen.labelled[keypoint]:
        mark(axis, window, seen.truth_px[keypoint], TRUTH, zorder=6)


def _draw_ellipses(axis: Axes, seen: Seen, keypoint: int) -> None:
    """Solid: the error that the whole density expects; dashed: the scale of its Laplace part."""
    for stage, colour in zip(seen.stages, _colours(seen), strict=True):
        for half, line in ((stage.expected_px[keypoint], "-"), (stage.laplace_px[keypoint], "--")):
            how = {"fill": False, "edgecolor": colour, "linewidth": 1.8, "linestyle": line}
            ellipse = axis.add_patch(Ellipse(stage.keypoints_px[keypoint], *(2 * half), **how))
            ellipse.set_path_effects(OUTLINE if line == "-" else [])


def _draw_numbers(axis: Axes, seen: Seen, keypoint: int) -> None:
    """Error and scales by stage, on a logarithmic axis; the dots have the colours of the way."""
    stages, errors = seen.stages, errors_px(seen, keypoint)
    lines = [
        ("Laplace part's scale b", [stage.laplace_px[keypoint].mean() for stage in stages], "--", DARK),
        ("expected by the whole density", [stage.expected_px[keypoint].mean() for stage in stages], "-", DARK),
    ]
    if errors is not None:
        lines.append(("found: distance to the label", list(errors), "-", COLORBLIND[0]))
    for label, values, line, colour in lines:
        shown = np.maximum(values, SMALLEST_PX)
        axis.plot(range(len(stages)), shown, line, color=colour, label=label, zorder=1)
        axis.scatter(range(len(stages)), shown, c=_colours(seen), edgecolors="white", s=45, zorder=2)
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_xticks(range(len(stages)), [stage.name.removeprefix("layer ") for stage in stages])
    axis.set(title="crop pixels", xlabel="stage (decoder layers by number)", xlim=(-0.3, len(stages) - 0.7))
    low, high = axis.get_ylim()
    axis.set_ylim(low, high * (high / low) ** 0.35)
    axis.legend(loc="upper right", fontsize=8)


def _caption(seen: Seen, keypoint: int, whole: Window, close: Window) -> str:
    first, last, errors = seen.stages[0], seen.stages[-1], errors_px(seen, keypoint)
    found = "It has no label here."
    if errors is not None:
        ends = f"{errors[0]:.1f} crop pixels in stage {first.name}, {errors[-1]:.1f} in {last.name}"
        found = f"Distance to the label (green ×): {ends}."
    count, names = seen.model.head.loss.log_sigma_count, ", ".join(stage.name for stage in seen.stages)
    sigma, laplace, expected = (each[keypoint] for each in (last.sigma_px, last.laplace_px, last.expected_px))
    return (
        f"{capital(seen.spoken(keypoint))} of {seen.who}, {seen.model.name}: {names}, from dark to light. {found} Half"
        f" axes of the dashed ellipses: the scale b = {count}·√2·σ of the Laplace part that σ stands for under the"
        " loss; of the solid ones: the mean error on each axis under the whole learned density, whose flow narrows or"
        f" widens it. In {last.name}, in crop pixels: σ {sigma[0]:.2f} × {sigma[1]:.2f}, b {laplace[0]:.1f} ×"
        f" {laplace[1]:.1f}, expected {expected[0]:.1f} × {expected[1]:.1f}. The right panel shows means of x and y."
        f"{_too_large(seen, keypoint, close)}{canvas.black_note(seen.crop, whole, close)}"
    )


def _too_large(seen: Seen, keypoint: int, window: Window) -> str:
    """Which dashed ellipses the near panel shows nothing of, not the end of an axis; "" where there is none."""
    hidden = []
    for stage in seen.stages:
        axes = np.diag(stage.laplace_px[keypoint])
        if not window.holds(stage.keypoints_px[keypoint] + np.concatenate([-axes, axes])).any():
            hidden.append(stage.name)
    return f" The near panel is too small for the dashed ellipses of {', '.join(hidden)}." if hidden else ""
