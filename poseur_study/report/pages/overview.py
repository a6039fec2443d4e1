"""The first page: the effects in one figure, the ledger in numbers, and what was run on what.

What came out beside the claims: observations on the paper's numbers that no sentence of it makes.
"""

import html
from collections.abc import Sequence

from markupsafe import Markup

from poseur_study.analysis.claim_ledger import LedgerEntry, counts
from poseur_study.analysis.interval import METHOD
from poseur_study.display.comparison import Effect, effects_figure
from poseur_study.display.style import as_html
from poseur_study.display.tables import points
from poseur_study.experiments import TABLES
from poseur_study.experiments.experiment import shown_name
from poseur_study.experiments.profiles import override_lines, still_true
from poseur_study.paper.audit import size_mixes
from poseur_study.report.blocks import Block, Cell, stacked_table
from poseur_study.report.evidence import cost_claim_record
from poseur_study.report.notebooks import AUDIT_PAGE, audit_summary
from poseur_study.report.pages.ledger import PAGE as LEDGER_PAGE
from poseur_study.report.pages.ledger import parts, verdict_cell
from poseur_study.report.pages.table import learning_blocks
from poseur_study.report.view import Link, StudyView, table_page


def findings(audit_page: str) -> list[str]:
    """Each as a list item, HTML; every number in them is computed."""
    return [f"<li>{text}</li>" for text in (_heatmap_costs(), _size_mix(audit_page)) if text]


def _heatmap_costs() -> str:
    record = cost_claim_record()
    if record is None:
        return ""
    found = {one.key: one for one in record.statements}
    simba, claim = found["gflops-2a-simba_resnet50"], found["cost-fewer-flops"]
    text = (
        f"By one convention for both, Poseur with ResNet-50 needs {claim.ours} fewer GFLOPs than SimpleBaseline; the "
        f"paper says {claim.paper}. SimpleBaseline with ResNet-50 has {simba.ours} GFLOPs by the convention that "
        f"Poseur's printed costs follow, where Table 2a prints {simba.paper}. The printed GFLOPs of heatmap methods in "
        "Tables 2a and 2b are, to the digit or cut off, what a counter gives that takes a deconvolution for a "
        "convolution on output cells. That is our reading: the paper does not say how it counted."
    )
    return html.escape(text)


def _size_mix(audit_page: str) -> str:
    mixes = size_mixes()
    ours = [float(one.share.value) for one in mixes if one.poseur]
    others = [float(one.share.value) for one in mixes if not one.poseur]
    separate = max(ours) < min(others)
    words = "separates Poseur's rows from all others" if separate else "does not separate Poseur's rows from the others"
    text = (
        f"(AP_L − AP) / (AP_L − AP_M) {words}: {min(ours):.2f} to {max(ours):.2f} in {len(ours)} rows of Poseur, "
        f"{min(others):.2f} to {max(others):.2f} in {len(others)} rows of other methods, all on COCO val. For one data "
        "set and one way of computing AP it should be about the same for every method; why it is not, the paper does "
        "not say."
    )
    return f'{html.escape(text)} <a href="{audit_page}">The audit has a figure of it.</a>'


LONG_LABELS = 7.0
"""Inches: an effect's label names its table and what is measured."""

_LEDGER = ("", "claims", "lines", "verdicts")

_INTRODUCTION = (
    "Tables of <i>Poseur: Direct Human Pose Regression with Transformers</i> (ECCV 2022) beside models that were "
    "trained and evaluated here."
)


def overview_blocks(view: StudyView, entries: Sequence[LedgerEntry], pages: Sequence[Link]) -> tuple[Block, ...]:
    """All of the first page.

    Args:
        entries: of the ledger.
        pages: every other page.
    """
    title = f"Poseur: a reproducibility study, profile {view.profile.name}"
    first = next(iter(view.tables), None)
    return (
        Block("prose", f'<h1>{title}</h1><p class="lead">{_INTRODUCTION} {html.escape(_what(view))}</p>'),
        *_effects(entries),
        *_ledger(entries),
        _audit(),
        Block("prose", f"<h2>Findings beside the claims</h2><ul>{''.join(findings(AUDIT_PAGE))}</ul>"),
        *_what_was_run(view, entries),
        *(learning_blocks(view, first) if first else ()),
        _deviations(view),
        Block("prose", f"<h2>All pages</h2><ul class='columns'>{''.join(_item(link) for link in pages)}</ul>"),
    )


def _what(view: StudyView) -> str:
    if not view.results:
        return f"No table was run yet: poseur study run --profile {view.profile.name} does it."
    data = {f"{one.n_images:,} images of {one.data_name} ({one.data_fingerprint})" for one in view.results.values()}
    return f"{len(view.results)} of {len(TABLES)} tables were run, evaluated on {' and '.join(sorted(data))}."


def _effects(entries: Sequence[LedgerEntry]) -> list[Block]:
    measured = [one for one in entries if one.value is not None and not one.level]
    if not measured:
        return []
    of_labels = {_label(one): one for one in reversed(measured) if one.in_points}  # several claims may speak of one
    shown = list(reversed(of_labels.values()))
    effects = [Effect(_label(one), one.value, one.low, one.high, _paper(one)) for one in shown]
    evidence = sorted({one.evidence.value for one in measured})
    seeds = sorted({one.n_seeds for one in measured})
    words = f"{' or '.join(map(str, seeds))} seed{'s' * (seeds != [1])}"
    caption = (
        "Every claimed effect on AP, AR or PCKh that was measured: ours filled, with its 95 % interval, the paper's "
        "hollow, in points. "
        f"{words}, evidence: {', '.join(evidence)}. {METHOD}"
    )
    alt = "Effects: " + "; ".join(f"{_label(one)}: {points(one.value)}, paper {one.paper}" for one in shown) + "."
    blocks = [Block("prose", "<h2>What was claimed, and what came out here</h2>")]
    if effects:
        figure = as_html(effects_figure(effects, "difference, points", width=LONG_LABELS), alt, caption)
        blocks.append(Block("output", f'<div class="figures">{figure.data}</div>'))
    return [*blocks, *_own_units([one for one in measured if not one.in_points])]


def _own_units(measured: Sequence[LedgerEntry]) -> list[Block]:
    """Effects that are no difference of an AP: a line each, as they share no axis."""
    if not measured:
        return []
    rows = [
        [_label(one), f"{points(one.value)} ({points(one.low)} to {points(one.high)})", str(one.n_seeds),
         verdict_cell(one.verdict)]
        for one in measured
    ]  # fmt: skip
    table = stacked_table(("measured, in its own unit", "ours, 95 % interval", "seeds", "verdict"), rows)
    return [Block("prose", "<p>Claims that a table's own notebook measures, each in its own unit:</p>"),
            Block("output", table)]  # fmt: skip


def _label(one: LedgerEntry) -> str:
    return f"{shown_name(one.key.split(':')[0])}: {one.ours}"


def _paper(one: LedgerEntry) -> float | None:
    try:
        return float(one.paper.replace("−", "-"))
    except ValueError:
        return None


def _ledger(entries: Sequence[LedgerEntry]) -> list[Block]:
    rows: list[list[Cell]] = []
    for title, lines in parts(entries):
        words = Markup("<br>").join(
            Markup("{} {}").format(number, verdict_cell(verdict)) for verdict, number in counts(lines).items()
        )
        claims = len({one.of or one.key for one in lines})
        rows.append([title, str(claims), str(len(lines)), words])
    link = f'<a href="{LEDGER_PAGE}">The ledger</a> has every line with its rule and evidence.'
    head = f"<h2>The ledger in numbers</h2><p>{link}</p>"
    return [Block("prose", head), Block("output", stacked_table(_LEDGER, rows, _LEDGER[1:3]))]


def _audit() -> Block:
    link = f'<a href="{AUDIT_PAGE}">The whole audit</a>, which needs no training and is the same in every profile.'
    return Block("prose", f"<h2>The paper against its own numbers</h2><p>{html.escape(audit_summary())} {link}</p>")


def _what_was_run(view: StudyView, entries: Sequence[LedgerEntry]) -> list[Block]:
    rows: list[list[Cell]] = []
    for table in view.tables:
        result = view.results[table.number]
        lines = [one for one in entries if one.table == table.number]
        ids = {run_id for row in result.rows for run_id in row.run_ids if run_id in view.records}
        devices = sorted({view.records[run_id].provenance.device for run_id in ids})
        done = f"{sum(row.ap is not None for row in result.rows)} of {len(result.rows)}"
        if released := sum(row.released_ap is not None for row in result.rows):
            done += f", {released} released"
        words = Markup(", ").join(Markup("{} {}").format(n, verdict_cell(one)) for one, n in counts(lines).items())
        link = Markup('<a href="{}">{}</a><br><span class="soft">{}</span>')
        seeds = ", ".join(map(str, result.seeds))
        where = f"{result.n_images:,} images, {result.data_name}"
        name = link.format(table_page(table), f"{table.name}: {table.title}", table.question)
        rows.append([
            name, done, f"{len(ids)}", seeds, where, ", ".join(devices), words,
        ])  # fmt: skip
    blocks = [Block("prose", "<h2>What was run on what</h2>")]
    if rows:
        columns = ("table", "rows", "runs", "seeds", "judged on", "trained on", "verdicts")
        blocks.append(Block("output", stacked_table(columns, rows, ("rows", "runs"))))
    if view.failures:
        failed = "".join(f"<li>{_anchor(link)}: {html.escape(why)}</li>" for link, why in view.failures)
        blocks.append(Block("prose", f'<p class="bad">The last attempt failed of:</p><ul>{failed}</ul>'))
    missing = [why for table in TABLES if (why := view.missing(table)) is not None]
    if missing:
        items = "".join(f"<li>{html.escape(why)}</li>" for why in missing)
        summary = f"<summary>{len(missing)} tables are not there yet</summary>"
        blocks.append(Block("output", f'<details class="fold">{summary}<ul>{items}</ul></details>'))
    return blocks


def _deviations(view: StudyView) -> Block:
    """What differs from the paper in the tables that are shown: not what their overrides have changed."""
    overrides = {number: one.overrides for number, one in view.results.items() if one.overrides}
    everywhere = {path: value for changes in overrides.values() for path, value in changes.items()}
    lines = [*still_true(view.profile.deviations, everywhere)]
    for table in view.tables:
        lines += [f"{table.name}: {line}" for line in override_lines(overrides.get(table.number, {}))]
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    more = "<p>A table's page adds the stand-ins for its own rows.</p>"
    return Block("prose", f"<h2>How it differs from the paper</h2><ul>{items}</ul>{more}")


def _item(link: Link) -> str:
    return f"<li>{_anchor(link)}</li>"


def _anchor(link: Link) -> str:
    return f'<a href="{link.target}">{html.escape(link.text)}</a>'
