"""Tables as HTML: factor ticks as the paper prints them, paper, ours, interval, difference, verdict.

What was measured of how many seeds, and what could not be, in words.
"""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from IPython.display import HTML

from poseur_study.analysis.interval import METHOD, Estimate, bounded, cut_note
from poseur_study.analysis.result_types import CellResult, ClaimResult, RowResult, TableResult
from poseur_study.analysis.verdict import RULE as LEVEL_RULE
from poseur_study.analysis.verdict import Evidence
from poseur_study.experiments.experiment import Table, shown_name
from poseur_study.released_checkpoints.row_match import can_be_evaluated
from poseur_study.runs.provenance import Provenance
from poseur_study.runs.record import BoxMetrics, StratumRow

NOT_RUN, OTHER_SEEDS = "not run", "not the same seeds"

RELEASED_TABLES = ("2a", "2b", "5", "S1", "S2", "S3", "S4", "S5", "S6")

COUNTED = "Params (M) and GFLOPs are counted at the paper's own configuration of the row, whatever was trained here."

CELL_CLASSES = {
    "claim": "text",
    "source": "text",
    "difference": "text",
    "verdict": "verdict",
    "needed by": "text",
    "versions": "text",
    "backbone": "text",
    "head": "text",
}


def show_table(rows: Sequence[Mapping[str, Any]], caption: str = "") -> HTML:
    """Rows as a table; a missing cell is "not run", never blank."""
    rows = rows or [{"rows": "none"}]
    frame = pd.DataFrame([dict(row) for row in rows])
    styler = (
        frame.style.hide(axis="index").format(_cell, escape="html").set_uuid("").set_table_attributes('class="table"')
    )
    classes = {name: kind for name, kind in CELL_CLASSES.items() if name in frame}
    styler = styler.set_td_classes(pd.DataFrame(classes, index=frame.index))
    below = f'<p class="caption">{html.escape(caption)}</p>' if caption else ""
    return HTML(f'<div class="scroll">{styler.to_html(cell_ids=False)}</div>{below}')


def result_table(table: Table, result: TableResult) -> HTML:
    """The paper, the released checkpoint and ours, column by column; the differences are those of the AP."""
    released = _released_columns(table, result)
    rows = [_result_cells(table, row, result.rows[0], released) for row in result.rows]
    reasons = {row.status for row in result.rows if ":" in row.status}
    why = " ".join(f"{reason[0].upper()}{reason[1:]}." for reason in sorted(reasons))
    caption = f"{_how_measured(table, result)} {_about_released(result)}{_about_cells(result)}{why}"
    return show_table(rows, caption)


def _how_measured(table: Table, result: TableResult) -> str:
    levels = [one for row in result.rows for cell in row.cells for one in (cell.measured, cell.released)]
    deltas = "; Δ to the first row" * table.deltas
    if not any(row.ap or row.released_ap for row in result.rows):
        return f"{shown_name(result.number)}{deltas}. No AP of ours: none of the rows was run."
    return (
        f"{shown_name(result.number)}: OKS AP and AR x 100, {result.boxes.value.replace('_', '-')} boxes, "
        f"{result.n_images:,} images, {_seeds(result.rows)}{deltas}. {METHOD}{cut_note(levels)}"
    )


def _result_cells(table: Table, row: RowResult, first: RowResult, released: set[str]) -> dict[str, Any]:
    cells = dict(zip(table.factor, row.ticks, strict=True))
    for cell in row.cells:
        paper, ours = _pair(cell, row.status.split(":")[0]).items()
        cells |= dict([paper])
        if cell.column in released:
            cells[f"{cell.column.replace('_', ' ')}, released checkpoint"] = _of_checkpoint(cell, table, row.key)
        cells |= dict([ours])
    if table.deltas:
        cells["Δ AP, paper"] = _difference(row.paper_ap, first.paper_ap, row is first) or "—"
        cells["Δ AP, ours"] = _our_difference(row, first)
    return cells


def _pair(cell: CellResult, status: str) -> dict[str, Any]:
    """A column of a row: the paper's figure, and ours with its interval, as counted, or as measured on this device."""
    name = cell.column.replace("_", " ")
    paper = "—" if cell.paper is None else cell.paper
    if cell.measured is not None:
        ours = _level_cell(cell, cell.measured, Evidence.RETRAINED)
    elif cell.counted is not None:
        ours = f"{cell.counted:.2f}"
    elif cell.on_device is not None:
        ours = f"{cell.on_device.value:.{1 if cell.on_device.value < 100 else 0}f}"
    else:
        ours = status
    return {f"{name}, paper": paper, f"{name}, ours": ours}


def _level_cell(cell: CellResult, of: Estimate, evidence: Evidence) -> str:
    """`74.7 (73.9 to 75.4)`, and whether the printed figure is reproduced, where that can be said."""
    against = cell.level(evidence)
    said = f", {against.verdict.value}" if against else ""
    return f"{of.value:.1f} ({interval(bounded(of))}){said}"


def _released_columns(table: Table, result: TableResult) -> set[str]:
    """Columns that have a figure of a released checkpoint; the AP of Tables 2a, 2b, 5 and S1 to S6 in any case."""
    having = {cell.column for row in result.rows for cell in row.cells if cell.released is not None}
    return having | ({"AP"} if table.number in RELEASED_TABLES else set())


def _of_checkpoint(cell: CellResult, table: Table, key: str) -> str:
    if cell.released is not None:
        return _level_cell(cell, cell.released, Evidence.RELEASED)
    return NOT_RUN if key in [row.key for row in table.rows if can_be_evaluated(row)] else "—"


def _about_released(result: TableResult) -> str:
    """Which files the released checkpoints are, and what they are worth."""
    if result.released_evidence is None:
        return ""
    files = "; ".join(f"{row.label}: {row.released_from}" for row in result.rows if row.released_from)
    return f"Released checkpoints evaluated here ({result.released_evidence.value}): {files or 'none of these rows'}. "


def _about_cells(result: TableResult) -> str:
    """How the cells that are no AP came about."""
    cells = [cell for row in result.rows for cell in row.cells]
    parts = [COUNTED] if any(cell.counted is not None for cell in cells) else []
    devices = {cell.on_device.device for cell in cells if cell.on_device}
    if any(cell.levels for cell in cells):
        parts.append(LEVEL_RULE)
    if devices:
        units = {f"{cell.column} in {cell.on_device.unit}" for cell in cells if cell.on_device}
        parts.append(f"{', '.join(sorted(units))}, measured on {' and '.join(devices)}; the paper names no device.")
    return "".join(f"{part} " for part in parts)


def claims_table(result: TableResult) -> HTML:
    """Claim by claim: the paper's effect, ours, both components of its interval, the verdict."""
    others = {claim.difference: claim.evidence.value for claim in result.claims if claim.evidence is not None}
    notes = "".join(f"; of {difference}: {evidence}" for difference, evidence in others.items())
    caption = f"Evidence: {result.evidence.value}{notes}. {result.mixed_devices}".rstrip()
    return show_table([claim_cells(claim) for claim in result.claims], caption)


def claim_cells(claim: ClaimResult) -> dict[str, Any]:
    """A claim as a table's row."""
    effect = claim.effect
    no_effect = "almost the same" if claim.kind == "equivalence" else "none printed"
    return {
        "claim": claim.text,
        "source": claim.source,
        "difference": claim.difference,
        "paper": no_effect if claim.paper_effect is None else points(claim.paper_effect),
        "ours": NOT_RUN if effect is None else points(effect.value),
        "95 % interval": interval(effect, sign=True),
        "± images": None if effect is None else effect.images_half,
        "± seeds": None if effect is None else ("one seed" if effect.seeds_half is None else effect.seeds_half),
        "verdict": claim.verdict.value,
    }


def interval(estimate: Estimate | None, sign: bool = False) -> str:
    """`23.1 to 25.0`."""
    if estimate is None:
        return NOT_RUN
    show = points if sign else "{:.1f}".format
    return f"{show(estimate.low)} to {show(estimate.high)}"


def metrics_table(metrics: Sequence[BoxMetrics]) -> HTML:
    """AP and AR of a run, a row per box source."""
    names = ("AP", "AP50", "AP75", "AP_M", "AP_L", "AR", "mean_oks")
    rows = [
        {"boxes": one.boxes.value.replace("_", " "), "number": f"{one.n_people:,}"}
        | {name.replace("_", " "): _or_dash(name, getattr(one, name)) for name in names}
        for one in metrics
    ]
    return show_table(rows, "AP and AR by OKS, x 100; mean OKS from 0 to 1, over people cut out by their own box.")


def strata_table(strata: Sequence[StratumRow]) -> HTML:
    """AP by difficulty, one column per box source."""
    cells: dict[tuple[str, str], dict[str, Any]] = {}
    for row in strata:
        head = {"by": row.group, "stratum": row.name, "people": f"{row.people:,}"}
        of = cells.setdefault((row.group, row.name), head)
        of[f"AP, {row.boxes.value.replace('_', ' ')} boxes"] = "—" if row.AP is None else row.AP
    return show_table(list(cells.values()), "AP by difficulty; people outside a stratum are ignored.")


def provenance_table(provenances: Mapping[str, Provenance]) -> HTML:
    """Where each run comes from."""
    rows = [
        {
            "run": run_id,
            "commit": (one.commit[:10] or "none") + (" + changes" if one.dirty else ""),
            "device": one.device,
            "threads": str(one.threads),
            "wall time": f"{one.wall_seconds:.0f} s",
            "training": f"{one.train_seconds:.0f} s",
            "data": f"{one.data_name} {one.data_fingerprint}",
            "images": f"{one.n_images:,}",
            "finished": one.finished_at[:16].replace("T", " "),
            "versions": f"Python {one.python}, torch {one.versions.get('torch', '?')}, lightning "
            f"{one.versions.get('lightning', '?')}, pycocotools {one.versions.get('pycocotools', '?')}",
        }
        for run_id, one in provenances.items()
    ]
    return show_table(rows or [{"run": NOT_RUN}])


def _seeds(rows: Sequence[RowResult]) -> str:
    numbers = sorted({row.ap.n_seeds for row in rows if row.ap}) or [0]
    return f"{' or '.join(map(str, numbers))} seed{'s' * (numbers != [1])}"


def _our_difference(row: RowResult, first: RowResult) -> str | None:
    """Of rows that were trained as often; a mean over other seeds is no comparison."""
    if row.ap and first.ap and row.ap.n_seeds != first.ap.n_seeds:
        return OTHER_SEEDS
    return _difference(*(one.ap.value if one.ap else None for one in (row, first)), row is first)


def _difference(row: float | None, first: float | None, is_first: bool) -> str | None:
    if is_first:
        return "—"
    return None if row is None or first is None else points(row - first)


def points(value: float) -> str:
    """A difference in points of AP, with its sign: `+0.6`; no minus before a zero."""
    return f"{round(value, 1) + 0.0:+.1f}".replace("-", "−")


def _or_dash(name: str, value: float | None) -> str | float:
    return "—" if value is None else (f"{value:.3f}" if name == "mean_oks" else value)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return NOT_RUN
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def seed_words(of: Mapping[str, int]) -> str:
    """`3 seeds`, or by label where they differ: `2 seeds (Poseur), 3 seeds (SimpleBaseline)`."""
    labels: dict[int, list[str]] = {}
    for label, number in of.items():
        labels.setdefault(number, []).append(label)
    words = {number: f"{number} seed{'s' * (number != 1)}" for number in sorted(labels)}
    if len(words) == 1:
        return next(iter(words.values()))
    return ", ".join(f"{text} ({'; '.join(labels[number])})" for number, text in words.items())


def measured_notes(notes: Sequence[str]) -> HTML:
    """A line for each row and seed that was not measured, or not by this code, with the reason."""
    return HTML("".join(f"<p>{html.escape(line)}.</p>" for line in notes))


def nothing_measured(what: str) -> HTML:
    """In the place of a figure of what was measured of no run."""
    return HTML(f"<p>No figure: {html.escape(what)} was measured of no run.</p>")
