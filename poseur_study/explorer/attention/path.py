"""The way of one keypoint from the coarse proposal through the decoder layers, with its uncertainty."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse

from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.explorer.attention import canvas
from poseur_study.explorer.attention.canvas import FAINT, OUTLINE, TRUTH, WORDS, Window, mark
from poseur_study.explorer.attention.drawn import Drawn, panel_row
from poseur_study.explorer.attention.person_view import Seen

HEIGHT, GAP = 4.2, 0.3
"""Inches of a panel, and between two."""
LABEL_BELOW, LABEL_LEFT = 0.5, 0.55
SMALLEST_SHARE = 0.12
"""Of the crop's longer side, that the near panel shows at least."""
SMALLEST_PX = 0.05
"""Where the logarithmic axis ends."""

Colours = Sequence[tuple[float, ...]]


def path_figure(seen: Seen, keypoint: int) -> Drawn:
    """The whole person, the way from near, and how error and scale change on it."""
    way, scales = seen.stages.keypoints_px[:, keypoint], seen.stages.expected_px[:, keypoint]
    colours = [colormaps["plasma"](0.15 + 0.75 * share) for share in np.linspace(0, 1, len(way))]
    whole = canvas.window_around(seen.crop, np.concatenate([way, seen.keypoints_px]))
    near = _window_at(seen, np.concatenate([way - scales, way + scales, seen.truth_px[[keypoint]]]))
    with canvas.drawing():
        width = HEIGHT / whole.aspect
        rooms = [(GAP, width), (GAP, HEIGHT), (GAP + LABEL_LEFT, HEIGHT - LABEL_LEFT)]
        total = max(width, 1.5) + 2 * HEIGHT + 5 * GAP
        figure, axes = panel_row(rooms, HEIGHT, total, LABEL_BELOW)
        for axis, window, title, size in ((axes[0], whole, "the crop", 4), (axes[1], near, "from near", 8)):
            canvas.draw_photo(axis, seen.crop, window)
            axis.set_title(title)
            _draw_way(axis, way, colours, window, size)
            mark(axis, window, seen.truth_px[keypoint], TRUTH, zorder=6)
        canvas.draw_pose(axes[0], seen)
        _draw_ellipses(axes[1], seen, keypoint, colours)
        _draw_numbers(axes[2], seen, keypoint, colours)
    alt = (
        f"The {seen.spoken(keypoint)} of {seen.who} in {', '.join(seen.model.stages)}. {_found(seen, keypoint)} Mean"
        f" error that the last one expects: {scales[-1, 0]:.1f} × {scales[-1, 1]:.1f}."
    )
    return Drawn(figure, alt, _caption(seen, keypoint, whole, near), axes[:2])


def errors_px(seen: Seen, keypoint: int) -> Float[np.ndarray, "S"]:
    """Distance of each stage's prediction from the label in crop pixels; NaN without a label."""
    return np.linalg.norm(seen.stages.keypoints_px[:, keypoint] - seen.truth_px[keypoint], axis=-1)


def _window_at(seen: Seen, points_px: Float[np.ndarray, "N 2"]) -> Window:
    """A square around the points."""
    low, high = np.nanmin(points_px, axis=0), np.nanmax(points_px, axis=0)
    half = max(1.15 * (high - low).max(), SMALLEST_SHARE * seen.crop.extent_px.max()) / 2
    return Window(*map(float, (*((low + high) / 2 - half), *((low + high) / 2 + half))))


def _draw_way(axis: Axes, way: Float[np.ndarray, "S 2"], colours: Colours, window: Window, size: float) -> None:
    axis.plot(*way.T, **{**FAINT, "alpha": 0.9, "linewidth": 1.4}, path_effects=OUTLINE, zorder=4)
    for number, (point, colour) in enumerate(zip(way, colours, strict=True)):
        how = {"marker": "o", "color": colour, "markersize": size, "markeredgecolor": "white"}
        mark(axis, window, point, how, zorder=5 + number / 100)


def _draw_ellipses(axis: Axes, seen: Seen, keypoint: int, colours: Colours) -> None:
    """Solid: the error that the whole density expects; dashed: the scale of its Laplace part."""
    stages = seen.stages
    for halves, line, outline in ((stages.expected_px, "-", OUTLINE), (stages.laplace_px, "--", [])):
        for place, half, colour in zip(stages.keypoints_px[:, keypoint], halves[:, keypoint], colours, strict=True):
            how = {"fill": False, "edgecolor": colour, "linewidth": 1.8, "linestyle": line}
            axis.add_patch(Ellipse(place, *(2 * half), **how)).set_path_effects(outline)


def _draw_numbers(axis: Axes, seen: Seen, keypoint: int, colours: Colours) -> None:
    """Error and scales by stage, on a logarithmic axis; the dots have the colours of the way."""
    stages, names = seen.stages, seen.model.stages
    lines = [
        ("Laplace part's scale b", stages.laplace_px[:, keypoint].mean(axis=1), "--", WORDS),
        ("expected by the whole density", stages.expected_px[:, keypoint].mean(axis=1), "-", WORDS),
    ]
    if seen.labelled[keypoint]:
        lines.append(("found: distance to the label", errors_px(seen, keypoint), "-", COLORBLIND[0]))
    for label, values, line, colour in lines:
        shown = np.maximum(values, SMALLEST_PX)
        axis.plot(range(len(names)), shown, line, color=colour, label=label, zorder=1)
        axis.scatter(range(len(names)), shown, c=colours, edgecolors="white", s=45, zorder=2)
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_xticks(range(len(names)), [name.removeprefix("layer ") for name in names])
    axis.set(title="crop pixels", xlabel="stage (decoder layers by number)", xlim=(-0.3, len(names) - 0.7))
    low, high = axis.get_ylim()
    axis.set_ylim(low, high * (high / low) ** 0.35)
    axis.legend(loc="upper right", fontsize=8)


def _found(seen: Seen, keypoint: int) -> str:
    """How far the first and the last stage are from the label, a sentence."""
    if not seen.labelled[keypoint]:
        return "It has no label here."
    errors, names = errors_px(seen, keypoint), seen.model.stages
    ends = f"{errors[0]:.1f} crop pixels in stage {names[0]}, {errors[-1]:.1f} in {names[-1]}"
    return f"Distance to the label (green ×): {ends}."


def _caption(seen: Seen, keypoint: int, whole: Window, near: Window) -> str:
    stages, names = seen.stages, seen.model.stages
    sigma, laplace, expected = (
        "{:.{digits}f} × {:.{digits}f}".format(*each[-1, keypoint], digits=digits)
        for each, digits in ((stages.sigma_px, 2), (stages.laplace_px, 1), (stages.expected_px, 1))
    )
    return (
        f"{seen.subject(keypoint)}: {', '.join(names)}, from dark to light. {_found(seen, keypoint)} Half axes of the"
        f" dashed ellipses: the scale b = {seen.model.head.loss.log_sigma_count}·√2·σ of the Laplace part that σ stands"
        " for under the loss; of the solid ones: the mean error on each axis under the whole learned density, whose"
        f" flow narrows or widens it. In {names[-1]}, in crop pixels: σ {sigma}, b {laplace}, expected {expected}. The"
        f" right panel shows means of x and y.{_too_large(seen, keypoint, near)}"
        f"{canvas.black_note(seen.crop, whole, near)}"
    )


def _too_large(seen: Seen, keypoint: int, window: Window) -> str:
    """Which dashed ellipses the near panel shows nothing of, not the end of an axis; "" where there is none."""
    places, halves = seen.stages.keypoints_px[:, keypoint], seen.stages.laplace_px[:, keypoint]
    ends = places[:, None] + np.concatenate([np.eye(2), -np.eye(2)]) * halves[:, None]
    hidden = [name for name, of in zip(seen.model.stages, ends, strict=True) if not window.holds(of).any()]
    return f" The near panel is too small for the dashed ellipses of {', '.join(hidden)}." if hidden else ""
