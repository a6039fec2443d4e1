"""People cut off at their box: keypoints found inside the crop and beyond it, in words, curves, table and pictures."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from jaxtyping import Float, UInt8
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from poseur_lib.data.coco import Person
from poseur_lib.data.images import read_image
from poseur_lib.evaluation.errors import NEAR_FROM
from poseur_lib.evaluation.truncation import Cut, Side
from poseur_lib.keypoints import KeypointSet
from poseur_lib.predict.drawing import COLORBLIND
from poseur_study.analysis.interval import CUT, Estimate, bounded
from poseur_study.analysis.measured_values import estimate_of
from poseur_study.analysis.verdict import MIN_SEEDS, Evidence, Verdict
from poseur_study.display.figure import as_html
from poseur_study.display.html_table import bullets, show_table
from poseur_study.display.overlays import TRUTH, draw_pose_over_label
from poseur_study.display.style import DARK, GREY, METHOD_MARKERS, style
from poseur_study.display.words import interval, points, seed_words
from poseur_study.experiments.analyses import AS_RELEASED, HEATMAP, SUPERVISED
from poseur_study.experiments.experiment import Table
from poseur_study.measurements.truncation import CUT_RESAMPLES, EXAMPLE_CUT, LEAST_OUTSIDE, SIDES, ExamplePose
from poseur_study.measurements.truncation_curves import RowShares, Share, Truncation, reachable
from poseur_study.table_study import TableStudy

NOTHING = "Nothing to show: no row has been measured."
ALIKE = "no interval"
PAIRS = ((SUPERVISED, AS_RELEASED), (SUPERVISED, HEATMAP), (AS_RELEASED, HEATMAP))
ROW_COLOURS = dict(zip((AS_RELEASED, SUPERVISED, HEATMAP), COLORBLIND, strict=False))
PANELS = {
    "inside": "inside the crop",
    "padding": "… of these, beyond the cut",
    "outside": "outside the crop",
    "far": "… of these, out of reach from inside",
}
CUT_OFF = {"bottom": "the bottom of the box's height", "right": "the right of the box's width"}
ASIDE = 0.9
"""Per cent of the box between the dots of two rows, so that none hides another."""
LABEL_GAP = 9.0
"""Per cent of the axis between two names."""
FADED = 0.45
"""How much is left of what the model does not see."""
MARGIN = 0.12
WIDTH, HEIGHT = 2.1, 2.6
"""Inches of a picture."""


def truncation_findings(of: Truncation, evidence: Evidence) -> HTML:
    """What was found, and what a prediction inside the crop could have at most."""
    if not of.rows:
        return nothing_to_show(of)
    lines = [*(_found(of, side) for side in SIDES), *(_bound(of, side) for side in SIDES), *of.notes]
    return HTML(Markup("<p><b>Evidence: {}.</b></p>{}").format(evidence.value, bullets(lines)))


def nothing_to_show(of: Truncation) -> HTML:
    """Why there is nothing, and what makes it."""
    return HTML(Markup("<p>{}</p>{}").format(NOTHING, bullets(of.notes)))


def outside_words(of: Truncation, side: Side) -> str:
    """Each row outside the crop, all cuts together."""
    shares = {row.label: row.all_cuts(side, "outside") for row in of.rows}
    return "; ".join(
        f"{label} finds {value_words(share.correct)} % ({interval_words(share.correct)}) and places "
        f"{value_words(share.placed_outside)} % outside the crop"
        for label, share in shares.items()
    )


def value_words(one: Estimate | float | None) -> str:
    """`23.1`, or a dash."""
    value = one.value if isinstance(one, Estimate) else one
    return "–" if value is None else f"{value:.1f}"


def interval_words(one: Estimate | None) -> str:
    """A share's `22.0 to 24.1`; `no interval` where all resamples and seeds have the same share; or a dash."""
    if one is None:
        return "–"
    return ALIKE if one.low == one.high else interval(bounded(one))


def seeds_of(of: Truncation) -> str:
    """The number of seeds, row by row where they differ."""
    return seed_words({row.label: len(of.measured.seeds(row.row)) for row in of.rows})


def _found(of: Truncation, side: Side) -> str:
    number = of.rows[0].all_cuts(side, "outside").keypoints
    sentences = [f"Cut from the {side}, all cuts together, {number:,} keypoints outside the crop, {seeds_of(of)}: "]
    sentences[0] += f"{outside_words(of, side)}."
    sentences += [_compared(of, *pair, side, "outside") for pair in PAIRS]
    inside = _compared(of, SUPERVISED, AS_RELEASED, side, "inside")
    if inside:
        sentences.append(f"Inside the crop: {inside}")
    return " ".join(sentence for sentence in sentences if sentence)


def _bound(of: Truncation, side: Side) -> str:
    """What a method whose keypoints stay inside the crop can reach at most, and what the heatmap method does."""
    outside, far = (of.rows[0].all_cuts(side, zone) for zone in ("outside", "far"))
    best = reachable(outside, far)
    if best is None:
        return f"Cut from the {side}: no keypoint lies outside the crop."
    text = (
        f"Cut from the {side}: a prediction inside the crop is correct for at most {best:.1f} % of the keypoints "
        f"outside, whose nearest place inside is near enough, and for none of the other {far.keypoints:,}. Of these "
    )
    text += "; ".join(f"{row.label} finds {value_words(row.all_cuts(side, 'far').correct)} %" for row in of.rows)
    row = of.row(HEATMAP)
    if row is None:
        return f"{text}."
    placed = value_words(row.all_cuts(side, "outside").placed_outside)
    return f"{text}. {row.label} places {placed} % of all keypoints outside the crop where they are, outside."


def _label(of: Truncation, key: str) -> str:
    return next(row.label for row in of.rows if row.row == key)


def _compared(of: Truncation, better: str, than: str, side: Side, zone: str) -> str:
    """What two rows find, and their difference, on the seeds that both have; "" where they have none."""
    found = of.difference(better, than, side, zone)
    if found is None:
        return ""
    seeds = of.measured.seeds(better, than)
    ours, theirs = ([of.measured.of[key, seed].point(side, None, zone) for seed in seeds] for key in (better, than))
    one, other = (estimate_of([point.correct for point in each], of.n_images) for each in (ours, theirs))
    who = f"{_label(of, better)} minus {_label(of, than)}, {seed_words({'both': len(seeds)})}"
    if found.low == found.high == 0:
        return f"{who}: {'as many' if one.value else 'none'} of {ours[0].keypoints:,}: too few to compare."
    return f"{who}: {one.value:.1f} % minus {other.value:.1f} %, {_signed(found)}."


def _signed(one: Estimate) -> str:
    words = ALIKE if one.low == one.high else interval(one, sign=True)
    return f"{points(one.value)} points ({words}), {_direction(one)}"


def _direction(one: Estimate) -> str:
    if one.n_seeds < MIN_SEEDS:
        return Verdict.ONE_SEED.value
    low, high = round(one.low, 1), round(one.high, 1)
    return "more" if low > 0 else "fewer" if high < 0 else "no difference found"


def truncation_figure(of: Truncation, table: Table, side: Side) -> HTML:
    """Four panels for cuts from one side."""
    if not of.rows:
        return nothing_to_show(of)
    markers = {row.key: METHOD_MARKERS[row.method] for row in table.rows}
    with style():
        figure, axes = plt.subplots(2, 2, figsize=(8.4, 6.0), sharex=True, sharey=True)
        for axis, (zone, title) in zip(axes.flat, PANELS.items(), strict=True):
            for number, row in enumerate(of.rows):
                aside = ASIDE * (number - (len(of.rows) - 1) / 2)
                _curve(axis, row.curve(side, zone), ROW_COLOURS[row.row], markers[row.row], aside)
            _numbers(axis, of.rows[0].curve(side, zone))
            axis.set(title=title, ylim=(-14, 104), xlim=(-4, 54), yticks=range(0, 101, 20))
        _limits(axes.flat[2], of.rows[0], side)
        axes.flat[3].axhline(0, color=GREY, linestyle="--", linewidth=1.2, zorder=1)
        _names(axes.flat[1], of.rows, side, "padding")
        for axis in axes[-1]:
            axis.set_xlabel(f"cut off, % of {CUT_OFF[side].removeprefix('the ' + side + ' of ')}")
        for axis in axes[:, 0]:
            axis.set_ylabel("correct keypoints, %")
        figure.tight_layout()
    alt = f"Correct keypoints of people cut from the {side}, all cuts together. {outside_words(of, side)}."
    return as_html(figure, alt, f"People cut off at {CUT_OFF[side]}. {_caption(of)}")


def truncation_table(of: Truncation) -> HTML:
    """All cuts together, for both sides."""
    rows = []
    for side in SIDES:
        for zone, title in PANELS.items():
            for row in of.rows:
                share = row.all_cuts(side, zone)
                rows.append({
                    "cut from": side, "keypoints": title, "number": f"{share.keypoints:,}", "row": row.label,
                    "correct, %": value_words(share.correct), "95 % interval": interval_words(share.correct),
                    "placed outside the crop, %": value_words(share.placed_outside),
                })  # fmt: skip
    return show_table(rows, _caption(of)) if rows else nothing_to_show(of)


def _caption(of: Truncation) -> str:
    return (
        "The image is black beyond the cut, the box ends there, and the crop is made of that box; at 0 nothing is cut. "
        f"Correct: a keypoint similarity (OKS's term of one keypoint) of at least {NEAR_FROM:g} to the place in the "
        "uncut image, with the uncut person's area; below it the taxonomy of errors speaks of a miss. Small numbers: "
        "keypoints. Dashed: what no prediction inside the crop can pass. All people of "
        f"{of.n_images:,} images of the val split, at ground-truth boxes. 95 % intervals: {CUT_RESAMPLES} resamples of "
        f"these images; {seeds_of(of)}, with several Student's t over them in quadrature. {CUT} {ALIKE.capitalize()}: "
        "every resample and seed has this share."
    )


def _curve(axis: Axes, shares: Sequence[Share], colour: str, marker: str, aside: float) -> None:
    places = [100 * share.cut + aside for share in shares]
    values = [bounded(share.correct) for share in shares]
    for place, value in zip(places, values, strict=True):
        axis.plot([place, place], [value.low, value.high], color=colour, linewidth=1.2)
    axis.plot(places, [value.value for value in values], color=colour, marker=marker)


def _numbers(axis: Axes, shares: Sequence[Share]) -> None:
    for share in shares:
        axis.text(100 * share.cut, -8, f"{share.keypoints:,}", fontsize=7, color=GREY, ha="center", va="center")


def _limits(axis: Axes, row: RowShares, side: Side) -> None:
    pairs = zip(row.of[side]["outside"], row.of[side]["far"], strict=True)
    limits = [(100 * outside.cut, reachable(outside, far)) for outside, far in pairs if outside.cut is not None]
    known = [(place, best) for place, best in limits if best is not None]
    if known:
        axis.plot(*zip(*known, strict=True), color=GREY, linestyle="--", linewidth=1.2, zorder=1)


def _names(axis: Axes, rows: Sequence[RowShares], side: Side, zone: str) -> None:
    """Each row's name right of its last point, apart from each other."""
    last = {row.row: curve[-1].correct.value for row in rows if (curve := row.curve(side, zone))}
    place = -1e9
    for row in sorted((row for row in rows if row.row in last), key=lambda row: last[row.row]):
        place = max(last[row.row], place + LABEL_GAP)
        axis.text(
            1.01, (place + 14) / 118, row.label, transform=axis.transAxes, color=ROW_COLOURS[row.row], fontsize=8,
            va="center",
        )  # fmt: skip


def truncation_examples(study: TableStudy, of: Truncation) -> HTML:
    """A line a person, a column a row of the table, of the first seed that was measured of all rows."""
    if not of.rows:
        return nothing_to_show(of)
    seeds = of.measured.seeds(*(row.row for row in of.rows))
    if not seeds:
        return HTML("<p>No seed was measured of all rows: there are no poses to draw side by side.</p>")
    poses = {row.row: {one.annotation_id: one for one in of.measured.of[row.row, seeds[0]].examples} for row in of.rows}
    val = study.dataset.val
    drawn = next(iter(poses.values()))
    people = [person for person in val.people() if person.annotation_id in drawn]
    if not people:
        return HTML("<p>Nobody of the val split has enough labelled keypoints outside the crop to be drawn.</p>")
    with style():
        figure, axes = plt.subplots(
            len(people), len(of.rows), figsize=(WIDTH * len(of.rows), HEIGHT * len(people)), squeeze=False
        )
        for line, person in zip(axes, people, strict=True):
            of_person = [poses[row.row][person.annotation_id] for row in of.rows]
            for axis, row, pose in zip(line, of.rows, of_person, strict=True):
                _draw(axis, person, pose, val.keypoints, ROW_COLOURS[row.row])
                _frame(axis, person, of_person)
        for axis, row in zip(axes[0], of.rows, strict=True):
            axis.set_title(row.label, color=ROW_COLOURS[row.row], fontsize=9)
        figure.tight_layout(pad=0.4)
    names = ", ".join(row.label for row in of.rows)
    cut = f"cut by {EXAMPLE_CUT.share:.0%} from the {EXAMPLE_CUT.side}"
    alt = f"{len(people)} people {cut}, with the poses of {names}."
    caption = (
        f"{len(people)} people of the val split of {study.dataset.root.name}, drawn by lot among those with at least "
        f"{LEAST_OUTSIDE} labelled keypoints outside the crop after a cut of {EXAMPLE_CUT.share:.0%} from the "
        f"{EXAMPLE_CUT.side}; seed {seeds[0]}, the first that was measured of all rows. Coloured: predicted; white: "
        "labelled; dashed: the crop. What is shown weakly was black for the models; beyond the image there is nothing."
    )
    return as_html(figure, alt, caption, photo=True)


def faded(
    image: UInt8[np.ndarray, "height width 3"], cut: Cut, box: tuple[float, float, float, float]
) -> UInt8[np.ndarray, "height width 3"]:
    """The image with what is beyond the cut shown weakly."""
    left = cut.image(image, box)
    return (left + FADED * (image.astype(np.float32) - left)).astype(np.uint8)


def frame(points_image: Float[np.ndarray, "N 2"]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits of x and y that hold some points, with a margin; y goes down."""
    low, high = points_image.min(0), points_image.max(0)
    pad = MARGIN * float((high - low).max())
    return (float(low[0] - pad), float(high[0] + pad)), (float(high[1] + pad), float(low[1] - pad))


def _draw(axis: Axes, person: Person, example: ExamplePose, keypoints: KeypointSet, colour: str) -> None:
    pose = np.array(example.keypoints)
    axis.set_facecolor(DARK)
    axis.imshow(faded(read_image(person.image_path), EXAMPLE_CUT, person.box))
    draw_pose_over_label(axis, person, pose, keypoints, colour)
    axis.plot(*pose.T, "o", color=colour, markersize=2.4)
    x0, y0, x1, y1 = example.crop
    axis.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=TRUTH, linewidth=1.0, linestyle="--"))


def _frame(axis: Axes, person: Person, of_person: Sequence[ExamplePose]) -> None:
    """All that is drawn of a person in any column, so that the columns are of one size."""
    points = [np.reshape(one.crop, (2, 2)) for one in of_person] + [np.array(one.keypoints) for one in of_person]
    xlim, ylim = frame(np.concatenate([*points, person.keypoints_image[person.visibility > 0]]))
    axis.set(xlim=xlim, ylim=ylim, xticks=[], yticks=[])
    axis.set_aspect("equal")
    for spine in axis.spines.values():
        spine.set_visible(False)
