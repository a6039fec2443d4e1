"""What a table's page shows beside its notebook: what it can find, how its runs learned, why effects are there."""

import html
from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from poseur_study.analysis.error_breakdown import METHOD, ClaimBreakdown
from poseur_study.analysis.power import METHOD as POWER_METHOD
from poseur_study.analysis.power import Pilot, detectable, pilot
from poseur_study.analysis.result_types import TableResult
from poseur_study.analysis.table_results import difference_words
from poseur_study.display.breakdown import breakdown_figures, breakdown_table, notable
from poseur_study.display.learning import METRICS, learning_caption, learning_figure, measured
from poseur_study.display.style import as_html
from poseur_study.experiments.experiment import EffectKind, Table
from poseur_study.experiments.profiles import Profile, override_lines
from poseur_study.report.blocks import Block, Cell, stacked_table
from poseur_study.report.view import StudyView, failure_page

MOST_DRAWN = 4
BEFORE = "Deviations and open questions"


def with_study(blocks: Sequence[Block], table: Table, view: StudyView) -> tuple[Block, ...]:
    """The notebook's blocks with ours: the smallest effects after its first, the others before the deviations."""
    places = [n for n, block in enumerate(blocks) if block.kind == "prose" and BEFORE in block.body]
    cut = places[0] if places else len(blocks)
    result = view.results[table.number]
    warnings = [*failed_blocks(table, view), *overridden_blocks(result.overrides)]
    early = [*warnings, detectable_block(table, view.profile, result, view.began(table))]
    late = [*breakdown_blocks(view.breakdowns[table.number].claims)] if table.number in view.breakdowns else []
    return (*blocks[:1], *early, *blocks[1:cut], *late, *learning_blocks(view, table), *blocks[cut:])


def detectable_block(
    table: Table, profile: Profile, result: TableResult | None = None, began: datetime | None = None
) -> Block:
    """The smallest effect that each claim's study can find, stated from the last pilot before its runs `began`."""
    rows, source = [], pilot(began)
    for claim in table.claims:
        one = detectable(table, claim, profile, len(result.seeds) if result else 0, source)
        size = f"{one.n_seeds} seed{'s' * (one.n_seeds != 1)}, {one.n_images:,} images"
        unit = claim.metric if claim.kind != EffectKind.EQUIVALENCE and not claim.measured else ""
        what = Markup('{}<br><span class="soft">{}</span>').format(claim.text, difference_words(table, claim))
        cells: list[Cell] = [what, claim.paper_words, f"{one.words} {unit}".strip(), size, one.source]
        if source != pilot():
            later = detectable(table, claim, profile, len(result.seeds) if result else 0)
            cells.insert(3, f"{later.words} {unit}".strip())
        rows.append(cells)
    head = f"<h2>What this table can find</h2><p>{html.escape(_stated(source, began))}</p>"
    columns = ["claim", "paper", "smallest detectable effect", "planned", "from"]
    if source != pilot():
        columns.insert(3, f"by the pilot of {pilot().recorded_at[:10]}")
    caption = f'<p class="caption">{html.escape(POWER_METHOD)}</p>'
    return Block("output", f'<div class="prose">{head}</div>{stacked_table(columns, rows)}{caption}')


def _stated(source: Pilot, began: datetime | None) -> str:
    """Whether the figures were there before the results: older runs had none."""
    where = f"profile {source.profile}, Tables {', '.join(source.tables)}"
    text = f"Stated on {source.recorded_at[:10]} from a pilot ({where}) for the runs after it."
    if began is not None and began < datetime.fromisoformat(source.recorded_at):
        return f"{text} Some of the results below are older, or the pilot itself: nothing was stated before them."
    if source != pilot():
        text += " What the latest pilot says of such a study, these results among it, stands beside it."
    return text


def failed_blocks(table: Table, view: StudyView) -> list[Block]:
    """A warning where the last attempt failed, and what is shown is of an earlier one."""
    why = view.failure(table)
    if why is None:
        return []
    link = f'<a href="{failure_page(table)}">The last attempt failed</a>'
    return [Block("prose", f'<div class="stamp"><p>Of an earlier attempt. {link}: {html.escape(why)}</p></div>')]


def overridden_blocks(overrides: dict[str, object]) -> list[Block]:
    """A warning where every row was changed."""
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in override_lines(overrides))
    return [Block("prose", f'<div class="stamp"><ul>{lines}</ul></div>')] if lines else []


def breakdown_blocks(claims: Sequence[ClaimBreakdown]) -> tuple[Block, ...]:
    """For each pair of rows: what differs, figures for the first ones, and every number folded."""
    if not claims:
        return ()
    head = f"<h2>Why: where the rows differ</h2><p>{html.escape(METHOD)}</p>"
    types = (
        "<p>Errors after the taxonomy of Ruggero Ronchi and Perona (2017): good, a keypoint similarity of at least "
        "0.85; jitter, 0.5 to 0.85; inversion, near the mirrored keypoint of the same person; swap, near such a "
        "keypoint of another person; miss, near none.</p>"
    )
    blocks = [Block("prose", head + types)]
    for number, one in enumerate(claims):
        blocks.append(Block("prose", f"<h3>{html.escape(one.difference)}</h3>{_found(one)}"))
        if number < MOST_DRAWN:
            figures = "".join(figure.data for figure in breakdown_figures(one))
            blocks.append(Block("output", f'<div class="figures">{figures}</div>'))
        table = breakdown_table(one).data
        blocks.append(Block("output", f'<details class="fold"><summary>all numbers</summary>{table}</details>'))
    return tuple(blocks)


def learning_blocks(view: StudyView, table: Table) -> tuple[Block, ...]:
    """How the runs behind a table learned, a figure for AP and one for mean OKS."""
    runs = measured(view.labelled(table.number))
    if not runs:
        return ()
    caption = learning_caption(runs)
    figures = []
    for metric, title in METRICS.items():
        ends = [(run.label, getattr(run.record.curve[-1], metric)) for run in runs]
        last = [f"{label} {value:.3g}" for label, value in ends if value is not None]
        alt = f"Learning curves, {title}, over the people seen in training; at the end: {', '.join(last)}."
        figures.append(as_html(learning_figure(runs, (metric,)), alt, "").data)
    body = f'<div class="figures">{"".join(figures)}</div><p class="caption">{html.escape(caption)}</p>'
    return (Block("prose", f"<h2>How the runs of {table.name} learned</h2>"), Block("output", body))


def _found(one: ClaimBreakdown) -> str:
    """Every part whose interval excludes 0, and what the rows share."""
    same = "<p>Both rows are the same poses; only the order of their scores differs.</p>" if one.same_poses else ""
    clear = notable(one)
    if not clear:
        return same + "<p>No part has an interval that excludes 0.</p>"
    items = "".join(f"<li>{html.escape(line)}</li>" for line in clear)
    many = f"Intervals that exclude 0, {len(clear)} of {len(one.rows)}, not corrected for their number:"
    return f"{same}<p>{many}</p><ul>{items}</ul>"
