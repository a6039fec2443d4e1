"""The tables of a study: rows and claims, paper beside ours with interval, difference, verdict; metrics; provenance."""

from collections.abc import Mapping, Sequence

from IPython.display import HTML
from markupsafe import Markup

from poseur_study.analysis.interval import METHOD, Estimate, bounded, cut_note
from poseur_study.analysis.result_types import CellResult, ClaimResult, RowResult, TableResult
from poseur_study.analysis.verdict import RULE as LEVEL_RULE
from poseur_study.analysis.verdict import Evidence
from poseur_study.display.html_table import Cell, show_table
from poseur_study.display.words import NOT_RUN, interval, points, seeds, with_interval
from poseur_study.experiments.experiment import Table, shown_name
from poseur_study.released_checkpoints.row_match import can_be_evaluated
from poseur_study.runs.provenance import Provenance
from poseur_study.runs.record import BoxMetrics, StratumRow

METRICS = ("AP", "AP50", "AP75", "AP_M", "AP_L", "AR")
OTHER_SEEDS = "not the same seeds"
RELEASED_TABLES = ("2a", "2b", "5", "S1", "S2", "S3", "S4", "S5", "S6")
COUNTED = "Params (M) and GFLOPs are counted at the paper's own configuration of the row, whatever was trained here."


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
    n_seeds = {row.ap.n_seeds for row in result.rows if row.ap} or {0}
    return (
        f"{shown_name(result.number)}: OKS AP and AR x 100, {result.boxes.value.replace('_', '-')} boxes, "
        f"{result.n_images:,} images, {seeds(n_seeds)}{deltas}. {METHOD}{cut_note(levels)}"
    )


def _result_cells(table: Table, row: RowResult, first: RowResult, released: set[str]) -> dict[str, Cell]:
    cells: dict[str, Cell] = dict(zip(table.factor, row.ticks, strict=True))
    loadable = [of.key for of in table.rows if can_be_evaluated(of)]
    for cell in row.cells:
        name = cell.column.replace("_", " ")
        cells[f"{name}, paper"] = "—" if cell.paper is None else cell.paper
        if cell.released is not None:
            cells[f"{name}, released checkpoint"] = _level_cell(cell, cell.released, Evidence.RELEASED)
        elif cell.column in released:
            cells[f"{name}, released checkpoint"] = NOT_RUN if row.key in loadable else "—"
        cells[f"{name}, ours"] = _ours(cell) or row.status.split(":")[0]
    if table.deltas:
        cells["Δ AP, paper"] = _difference(row.paper_ap, first.paper_ap, row is first) or "—"
        cells["Δ AP, ours"] = _our_difference(row, first)
    return cells


def _ours(cell: CellResult) -> str | None:
    """Our figure with its interval, or as counted, or as measured on this device; None where there is none."""
    if cell.measured is not None:
        return _level_cell(cell, cell.measured, Evidence.RETRAINED)
    if cell.counted is not None:
        return f"{cell.counted:.2f}"
    if cell.on_device is not None:
        return f"{cell.on_device.value:.{1 if cell.on_device.value < 100 else 0}f}"
    return None


def _level_cell(cell: CellResult, of: Estimate, evidence: Evidence) -> str:
    """`74.7 (73.9 to 75.4)`, and whether the printed figure is reproduced, where that can be said."""
    against = cell.level(evidence)
    return with_interval(bounded(of)) + (f", {against.verdict.value}" if against else "")


def _released_columns(table: Table, result: TableResult) -> set[str]:
    """Columns that have a figure of a released checkpoint; the AP of Tables 2a, 2b, 5 and S1 to S6 in any case."""
    having = {cell.column for row in result.rows for cell in row.cells if cell.released is not None}
    return having | ({"AP"} if table.number in RELEASED_TABLES else set())


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
    if any(cell.levels for cell in cells):
        parts.append(LEVEL_RULE)
    devices = {cell.on_device.device for cell in cells if cell.on_device}
    if devices:
        units = {f"{cell.column} in {cell.on_device.unit}" for cell in cells if cell.on_device}
        parts.append(f"{', '.join(sorted(units))}, measured on {' and '.join(devices)}; the paper names no device.")
    return "".join(f"{part} " for part in parts)


def _our_difference(row: RowResult, first: RowResult) -> str | None:
    """Of rows that were trained as often; a mean over other seeds is no comparison."""
    if row.ap and first.ap and row.ap.n_seeds != first.ap.n_seeds:
        return OTHER_SEEDS
    return _difference(*(one.ap.value if one.ap else None for one in (row, first)), row is first)


def _difference(row: float | None, first: float | None, is_first: bool) -> str | None:
    if is_first:
        return "—"
    return None if row is None or first is None else points(row - first)


def claims_table(result: TableResult) -> HTML:
    """Claim by claim: the paper's effect, ours, both components of its interval, the verdict."""
    others = {claim.difference: claim.evidence.value for claim in result.claims if claim.evidence is not None}
    notes = "".join(f"; of {difference}: {evidence}" for difference, evidence in others.items())
    caption = f"Evidence: {result.evidence.value}{notes}. {result.mixed_devices}".rstrip()
    return show_table([_claim_cells(claim) for claim in result.claims], caption)


def _claim_cells(claim: ClaimResult) -> dict[str, Cell]:
    effect = claim.effect
    no_effect = "almost the same" if claim.kind == "equivalence" else "none printed"
    return {
        "claim": claim.text,
        "source": claim.source,
        "difference": claim.difference,
        "paper": no_effect if claim.paper_effect is None else points(claim.paper_effect),
        "ours": effect and points(effect.value),
        "95 % interval": interval(effect, sign=True),
        "± images": effect and effect.images_half,
        "± seeds": effect and ("one seed" if effect.seeds_half is None else effect.seeds_half),
        "verdict": claim.verdict.value,
    }


def metrics_table(metrics: Sequence[BoxMetrics]) -> HTML:
    """AP and AR of a run, a row per box source."""
    rows = [
        {"boxes": one.boxes.value.replace("_", " "), "number": f"{one.n_people:,}"}
        | {name.replace("_", " "): _or_dash(getattr(one, name)) for name in METRICS}
        | {"mean oks": "—" if one.mean_oks is None else f"{one.mean_oks:.3f}"}
        for one in metrics
    ]
    return show_table(rows, "AP and AR by OKS, x 100; mean OKS from 0 to 1, over people cut out by their own box.")


def strata_table(strata: Sequence[StratumRow]) -> HTML:
    """AP by difficulty, one column per box source."""
    cells: dict[tuple[str, str], dict[str, Cell]] = {}
    for row in strata:
        head = {"by": row.group, "stratum": row.name, "people": f"{row.people:,}"}
        of = cells.setdefault((row.group, row.name), head)
        of[f"AP, {row.boxes.value.replace('_', ' ')} boxes"] = _or_dash(row.AP)
    return show_table(cells.values(), "AP by difficulty; people outside a stratum are ignored.")


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
    return show_table(rows or [{"run": None}])


def _or_dash(value: float | None) -> Cell:
    return "—" if value is None else value


def measured_notes(notes: Sequence[str]) -> HTML:
    """A line for each row and seed that was not measured, or not by this code, with the reason."""
    return HTML(Markup().join(Markup("<p>{}.</p>").format(line) for line in notes))


def nothing_measured(what: str) -> HTML:
    """In the place of a figure of what was measured of no run."""
    return HTML(Markup("<p>No figure: {} was measured of no run.</p>").format(what))
