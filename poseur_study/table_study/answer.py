"""The answer of a table in a sentence, its rows and its claims as frames."""

from collections import Counter

import pandas as pd

from poseur_study.analysis.interval import Estimate, bounded
from poseur_study.analysis.power import detectable
from poseur_study.analysis.result_types import CellResult, ClaimResult, RowResult, TableResult
from poseur_study.analysis.verdict import Evidence, Verdict
from poseur_study.experiments.experiment import Table
from poseur_study.experiments.profiles import Profile
from poseur_study.plotting.frames import decimals_of_sign, p_words

NOT_RUN = "not run"
HEADLINE_FILE = "scoring.csv"
"""In the folder of the table `scoring`: what `score_headline` is made of."""


def points(value: float) -> str:
    """A difference in points with its sign: `+0.6`, and `−0.02` where one digit would hide it; no minus before a 0."""
    decimals = decimals_of_sign(value)
    return f"{round(value, decimals) + 0.0:+.{decimals}f}".replace("-", "−")


def answer(table: Table, result: TableResult, profile: Profile) -> str:
    """The verdicts on the claims, the first ones with their numbers, or why there are none; Markdown."""
    decided = [one for one in result.claims if one.effect is not None]
    if not decided and (short := _short_of_the_least(table, result)):
        return f"**No claim was looked at.** {short}"
    if not decided:
        ran = sum(row.ap is not None for row in result.rows)
        if ran:
            return f"**No claim was tested.** {_why(result)} {ran} of {len(result.rows)} rows were run."
        return f"**Not run.** {_why(result)} Below are the numbers of the paper."
    parts = [_sentence(table, one, profile) for one in decided[:1]]
    if len(decided) > 1:
        counts = Counter(one.verdict.short for one in decided)
        parts.append("All claims: " + ", ".join(f"{number} {verdict}" for verdict, number in counts.items()) + ".")
    if missing := len(result.claims) - len(decided):
        parts.append(f"{missing} of {len(result.claims)} claims could not be tested: {_why(result)}")
    if result.mixed_devices:
        parts.append(result.mixed_devices)
    if any(cell.counted is not None for row in result.rows for cell in row.cells):
        parts.append(
            "Parameters (millions) and GFLOPs are counted of the paper's own configurations, not of the models here."
        )
    return " ".join(parts)


def _sentence(table: Table, claim: ClaimResult, profile: Profile) -> str:
    effect, verdict = claim.effect, claim.verdict.value
    (test,) = [one for one in table.claims if one.key == claim.key]
    paper = "" if claim.paper_effect is None else f"; the paper has {points(claim.paper_effect)}"
    printed = table.printed_difference(test)
    if paper and printed is not None and points(printed) != points(claim.paper_effect):
        paper += f" in its text, and {points(printed)} by the figures that it prints of these rows"
    least = detectable(table, test, profile, effect.n_seeds, effect)
    finds = f" Minimum detectable effect of a study of this size: {least.words}." if least.points else ""
    if least.margin is not None:
        finds = f" The margin is ±{least.margin:g}."
    seeds = f"{effect.n_seeds} seed{'s' * (effect.n_seeds > 1)}"
    several = claim.p is not None and len(table.claims) > 1
    among = f", p by Holm {p_words(claim.p)}" if several else ""
    return (
        f"**{_capital(verdict)}.** {_capital(claim.difference)}: {points(effect.value)} (95 % interval "
        f"{points(effect.low)} to {points(effect.high)}, {seeds}, {effect.n_images:,} images{among}){paper}.{finds}"
    )


def score_headline(told: pd.DataFrame) -> str:
    """What came of Poseur's score in a sentence or two; Markdown.

    Args:
        told: of the notebook `scoring`, by row and what: of Poseur's runs, else of the first released checkpoint.
    """
    rows = list(told.index.unique("row"))
    if not rows:
        return "**Not run:** neither a run of Poseur nor a released checkpoint has its predictions here."
    row = "Poseur" if "Poseur" in rows else rows[0]
    value, of = told.loc[row]["value"], "" if row == "Poseur" else f"`{row}`: "
    if missing := [name for name in ("gain", "AP Eq. 6") if name not in value]:
        without = {"gain": "the data set has no detector boxes", "AP Eq. 6": "the flow's density is not in the record"}
        return f"{of}**Not judged:** {without[missing[0]]}."
    low, high = told.loc[(row, "gain"), ["low", "high"]]
    beside = ""
    if pd.notna(value.get("Brier skill rescaled")):  # none of earlier pages, nor where the constant is never wrong
        beside = (
            f" (the share within a, said of all keypoints alike, has {value['ECE constant']:.1f} %; Brier's skill over "
            f"it is {value['Brier skill rescaled']:.2f})"
        )
    return (
        f"{of}**Ranking people by Poseur's uncertainty (Eq. 8 at a = {value['radius']:g}) instead of the box's score "
        f"changes the AP by {points(value['gain'])} (95 % interval {points(low)} to {points(high)}); read as the "
        f"probability that the paper calls it, its expected calibration error is {value['ECE Eq. 8']:.0f} %.** "
        f"With σ × {value['factor']:.3f}, fitted on other images, that error is "
        f"{value['ECE rescaled']:.1f} %{beside}, at {value['AP rescaled']:.1f} AP instead of {value['AP Eq. 8']:.1f}. "
        f"At a = {value['small radius']:g} the rescaled score has {value['AP rescaled, small']:.1f} AP and an error of "
        f"{value['ECE rescaled, small']:.1f} %, Eq. 6 {value['AP Eq. 6, small']:.1f} AP and "
        f"{value['ECE Eq. 6, small']:.1f} %. Where the boxes on the background are left out, "
        f"{points(value['gain on people'])} of the {points(value['gain'])} AP remain: that part is the order of "
        "poses on people, well placed before badly placed. COCO's AP counts a badly placed pose as a false positive, "
        "too; fewer of those are the paper's reason."
    )


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _short_of_the_least(table: Table, result: TableResult) -> str:
    """Which row has not learnt enough for the table's claims, in a sentence; "" where that is not why."""
    key, enough = table.least or ("", 0.0)
    ap = {row.label: row.ap.value for row in result.rows if row.key == key and row.ap is not None}
    said = f"below {enough:g} the detector has not learnt, and keypoint heads are not compared"
    return "".join(f"{label} has {value:.1f} AP: {said}." for label, value in ap.items() if value < enough)


def _why(result: TableResult) -> str:
    reasons = {row.status.removeprefix("not run: ") for row in result.rows if row.ap is None and row.status != "done"}
    reasons |= {cell.not_measured for row in result.rows if not reasons for cell in row.cells if cell.not_measured}
    reasons -= {NOT_RUN}
    return " ".join(f"{_capital(reason)}." for reason in sorted(reasons)) or (
        "Some of its runs are not here." if any(row.ap for row in result.rows) else "None of its runs is here."
    )


def result_frame(table: Table, result: TableResult) -> pd.DataFrame:
    """A line a row, a column each of the table's: ours, below it its interval, and below that the paper's number.

    Columns of which nothing of ours is there show the paper's alone; `status` is there where a row is not done, unless
    none was run.
    """
    lines = []
    for row in result.rows:
        cells = {cell.column: _cell(cell, row, table) for cell in row.cells}
        if table.deltas and row.ap and result.rows[0].ap and row is not result.rows[0]:
            cells["Δ AP"] = _delta(row, result.rows[0])
        checkpoint = {"released checkpoint": row.released_from} if row.released_from else {}
        lines.append({"row": row.label} | cells | checkpoint | {"status": row.status})
    frame = pd.DataFrame(lines).set_index("row")
    alike = len(set(frame["status"])) == 1 and frame["status"].str.match(f"done|{NOT_RUN}").all()
    return frame.drop(columns="status") if alike else frame


def _cell(cell: CellResult, row: RowResult, table: Table) -> str:
    paper = f"paper {cell.paper}{_elsewhere(cell, table)}" if cell.paper else "paper prints none"
    released = _released(cell) if cell.released else ""
    if cell.measured:
        ours = bounded(cell.measured)
        return f"{ours.value:.1f}\n{ours.low:.1f} to {ours.high:.1f}\n{paper}{released}"
    if cell.counted is not None:
        return f"{cell.counted:.2f}\n{paper}"
    if cell.on_device is not None:
        return f"{cell.on_device.value:.{1 if cell.on_device.value < 100 else 0}f} {cell.on_device.unit}\n{paper}"
    never = cell.not_measured or row.status.startswith(f"{NOT_RUN}: ")
    return paper + released if never and row.status != "done" else f"{NOT_RUN}\n{paper}{released}"


def _elsewhere(cell: CellResult, table: Table) -> str:
    """Where the paper prints it, if not in this table: ` (Table 5)`."""
    place = (cell.source or "").partition(",")[0]
    return f" ({place})" if place and place != table.name else ""


def _released(cell: CellResult) -> str:
    """The released checkpoint's figure, and whether it decides the printed one."""
    against = cell.level(Evidence.RELEASED)
    return f"\nreleased {cell.released.value:.1f}" + (f", {against.verdict.value}" if against else "")


def _delta(row: RowResult, first: RowResult) -> str:
    """Of rows that were trained with the same seeds; a mean over others is no comparison."""
    if (row.ap.n_seeds, row.seeds) != (first.ap.n_seeds, first.seeds):
        return "not the same seeds"
    known = row.paper_ap is not None and first.paper_ap is not None
    paper = f"\npaper {points(row.paper_ap - first.paper_ap)}" if known else ""
    return points(row.ap.value - first.ap.value) + paper


def verdicts_frame(table: Table, result: TableResult, profile: Profile) -> pd.DataFrame:
    """A line a claim: claim, difference, verdict, paper, ours, low, high, p, seeds, minimum_detectable, margin; none
    where the paper prints no effect, and of claims that were not run.

    `p` is by Holm; `margin` that of an equivalence, which has no minimum detectable effect: without one there is no
    such column. The earlier interval is in `claims.csv`. `attrs["note"]` says what these numbers cannot.
    """
    lines, notes = [], []
    for test, claim in zip(table.claims, result.claims, strict=True):
        one: Estimate | None = claim.effect
        least = detectable(table, test, profile, one.n_seeds if one else 0, one)
        ours = (one.value, one.low, one.high, claim.p) if one else (None,) * 4
        enough = None if least.margin is not None else least.points
        lines.append((claim.text, claim.difference, claim.verdict.value, test.paper_effect, *ours,
                      one.n_seeds if one else 0, enough, least.margin))  # fmt: skip
        if claim.verdict == Verdict.UNLIKE_PAPER:
            notes.append(table.unlike_paper(test))
        if least.points is not None and least.margin is not None:
            notes.append(f"{_capital(claim.difference)}: {least.words}.")
        elif least.points is not None and least.bound:
            notes.append(f"{_capital(claim.difference)}: minimum detectable effect {least.words}.")
    columns = ["claim", "difference", "verdict", *VERDICT_NUMBERS[:5], "seeds", *VERDICT_NUMBERS[5:]]
    frame = pd.DataFrame(lines, columns=columns).astype(dict.fromkeys(VERDICT_NUMBERS, float))
    frame = frame if frame["margin"].notna().any() else frame.drop(columns="margin")
    frame.attrs["note"] = " ".join(dict.fromkeys(notes))
    return frame


VERDICT_NUMBERS = ("paper", "ours", "low", "high", "p", "minimum_detectable", "margin")
"""The columns of `verdicts_frame` that are numbers, `seeds` apart."""
