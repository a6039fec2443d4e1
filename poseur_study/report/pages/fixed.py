"""The pages that are the same in every profile: deviations, and what was recorded of parity, costs and speed.

How to add a method, a table or a claim.
"""

from dataclasses import dataclass
from pathlib import Path

from poseur_study.report.blocks import Block
from poseur_study.report.evidence import (
    benchmark_records,
    cost_record,
    method_cost_record,
    method_record,
    parity_record,
)
from poseur_study.report.pages import benchmarks as benchmark_page
from poseur_study.report.pages import costs as cost_page
from poseur_study.report.pages import costs as method_cost_blocks
from poseur_study.report.pages import deviations
from poseur_study.report.pages import methods as methods_page
from poseur_study.report.pages import parity as parity_page


@dataclass(frozen=True)
class FixedPage:
    """A page; `short` is what links to it say."""

    file: str
    short: str
    title: str
    blocks: tuple[Block, ...]


def fixed_pages() -> tuple[FixedPage, ...]:
    """The table of deviations, and a page for each record that is there.

    Raises:
        UserError: a record is of another version.
    """
    pages = [FixedPage(deviations.PAGE, "Deviations", deviations.TITLE, deviations.deviation_blocks())]
    if (parity := parity_record()) is not None:
        blocks = parity_page.parity_blocks(parity)
        pages.append(FixedPage(parity_page.PAGE, "Parity", parity_page.TITLE, blocks))
    if (costs := cost_record()) is not None:
        pages.append(FixedPage(cost_page.PAGE, "Costs", cost_page.TITLE, cost_page.cost_blocks(costs)))
    if (methods := method_record()) is not None:
        blocks = methods_page.method_blocks(methods)
        if (printed := method_cost_record()) is not None:
            blocks += method_cost_blocks.method_cost_blocks(printed)
        pages.append(FixedPage(methods_page.PAGE, "Methods", methods_page.TITLE, blocks))
    if benchmarks := benchmark_records():
        blocks = benchmark_page.benchmark_blocks(benchmarks)
        pages.append(FixedPage(benchmark_page.PAGE, "Speed", benchmark_page.TITLE, blocks))
    return tuple(pages)


TITLE, PAGE = "How to add a method, a table or a claim", "extend.html"

FILE = Path(__file__).parents[1] / "templates" / "extend.html"


def extend_blocks() -> tuple[Block, ...]:
    """The page."""
    return (Block("prose", FILE.read_text().replace("<code>", '<code class="wrap">')),)
