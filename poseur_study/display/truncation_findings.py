"""What the measurements of cut people say, in words."""

import html

from IPython.display import HTML

from poseur_lib.evaluation.truncation import Side
from poseur_study.analysis.interval import Estimate, bounded
from poseur_study.analysis.measured_values import estimate_of
from poseur_study.analysis.verdict import MIN_SEEDS, Evidence, Verdict
from poseur_study.display.measured import seed_words
from poseur_study.display.tables import interval, points
from poseur_study.experiments.figure_s1 import AS_RELEASED, HEATMAP, SUPERVISED
from poseur_study.measurements.truncation import SIDES
from poseur_study.measurements.truncation_curves import RowShares, Truncation, reachable

NOTHING = "Nothing to show: no row has been measured."
ALIKE = "no interval"
PAIRS = ((SUPERVISED, AS_RELEASED), (SUPERVISED, HEATMAP), (AS_RELEASED, HEATMAP))


def truncation_findings(of: Truncation, evidence: Evidence) -> HTML:
    """What was found, and what a prediction inside the crop could have at most."""
    if not of.rows:
        return nothing_to_show(of)
    lines = [*(_found(of, side) for side in SIDES), *(_bound(of, side) for side in SIDES), *of.notes]
    return HTML(f"<p><b>Evidence: {html.escape(evidence.value)}.</b></p>{_list(lines)}")


def nothing_to_show(of: Truncation) -> HTML:
    """Why there is nothing, and what makes it."""
    return HTML(f"<p>{NOTHING}</p>{_list(of.notes)}")


def outside_words(of: Truncation, side: Side) -> str:
    """Each row outside the crop, all cuts together."""
    return "; ".join(_outside(row, side) for row in of.rows)


def value_words(one: Estimate | None) -> str:
    """`23.1`, or a dash."""
    return "–" if one is None else f"{one.value:.1f}"


def interval_words(one: Estimate | None) -> str:
    """A share's `22.0 to 24.1`; `no interval` where all resamples and seeds have the same share; or a dash."""
    if one is None:
        return "–"
    return ALIKE if one.low == one.high else interval(bounded(one))


def number_words(value: float | None) -> str:
    """`23.1`, or a dash."""
    return "–" if value is None else f"{value:.1f}"


def seeds_of(of: Truncation) -> str:
    """The number of seeds, row by row where they differ."""
    return seed_words({row.label: len(of.measured.seeds(row.row)) for row in of.rows})


def _outside(row: RowShares, side: Side) -> str:
    share = row.all_cuts(side, "outside")
    return (
        f"{row.label} finds {value_words(share.correct)} % ({interval_words(share.correct)}) and places "
        f"{number_words(share.placed_outside)} % outside the crop"
    )


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
    placed = number_words(row.all_cuts(side, "outside").placed_outside)
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


def _list(lines: list[str] | tuple[str, ...]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>"
