"""What a table's page shows beside its notebook: what it can find, how its runs learned, why effects are there."""

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from poseur_study.analysis.error_breakdown import METHOD
from poseur_study.analysis.power import METHOD as POWER_METHOD
from poseur_study.analysis.power import detectable, pilot
from poseur_study.analysis.table_results import difference_words
from poseur_study.display.breakdown import breakdown_figures, breakdown_table, notable
from poseur_study.display.html_table import Cell, soft
from poseur_study.display.learning import learning_caption, learning_figures, measured
from poseur_study.display.words import seeds
from poseur_study.experiments.experiment import ClaimTest, EffectKind, Table
from poseur_study.experiments.profiles import override_lines
from poseur_study.report.blocks import Block
from poseur_study.report.pages.page import render
from poseur_study.report.view import StudyView, failure_page

MOST_DRAWN = 4
BEFORE = "Deviations and open questions"


def with_study(blocks: Sequence[Block], table: Table, view: StudyView) -> tuple[Block, ...]:
    """The notebook's blocks with ours: the smallest effects after its first, the others before the deviations."""
    places = [n for n, block in enumerate(blocks) if block.kind == "prose" and BEFORE in block.body]
    cut = places[0] if places else len(blocks)
    early, late = Block("prose", _what_it_can_find(table, view)), Block("prose", _why(table, view))
    return (*blocks[:1], early, *blocks[1:cut], late, *blocks[cut:])


def learning_section(view: StudyView, table: Table) -> Markup:
    """How the runs behind a table learned, a figure for AP and one for mean OKS; nothing where none was measured."""
    runs = measured(view.labelled(table.number))
    figures = learning_figures(runs) if runs else []
    return render("learning.html", table=table, figures=figures, caption=learning_caption(runs) if runs else "")


def _what_it_can_find(table: Table, view: StudyView) -> Markup:
    """Warnings, and the minimum detectable effect of each claim's study."""
    result = view.results[table.number]
    return render(
        "table_start.html",
        failure=view.failure(table), failure_page=failure_page(table), overrides=override_lines(result.overrides),
        stated=_stated(view.began(table)), method=POWER_METHOD,
        lines=[_detectable_effect(table, claim, view) for claim in table.claims],
    )  # fmt: skip


def _detectable_effect(table: Table, claim: ClaimTest, view: StudyView) -> dict[str, Cell]:
    one = detectable(table, claim, view.profile, len(view.results[table.number].seeds))
    unit = claim.metric if claim.kind != EffectKind.EQUIVALENCE and not claim.measured else ""
    return {
        "claim": soft(claim.text, difference_words(table, claim)),
        "paper": claim.paper_words,
        "minimum detectable effect": f"{one.words} {unit}".strip(),
        "planned": f"{seeds(one.n_seeds)}, {one.n_images:,} images",
    }


def _stated(began: datetime | None) -> str:
    """Whether the figures were there before the results: older runs had none."""
    source = pilot()
    text = (
        f"Stated on {source.recorded_at[:10]} from the spread over seeds and images of the effects then measured "
        f"(profile {source.profile}, Tables {source.tables})."
    )
    if source.younger_than(began):
        return f"{text} Some of the runs below are older: of them it says what they can find, not what they were to."
    return text


def _why(table: Table, view: StudyView) -> Markup:
    """For each pair of rows: what differs, figures for the first ones, and every number folded; then the learning."""
    found = view.breakdowns.get(table.number)
    claims = [
        {
            "claim": one, "notable": notable(one), "table": breakdown_table(one),
            "figures": breakdown_figures(one) if number < MOST_DRAWN else [],
        }
        for number, one in enumerate(found.claims if found else ())
    ]  # fmt: skip
    return render("table_end.html", claims=claims, method=METHOD, learning=learning_section(view, table))
