"""The pages that are the same in every profile: deviations, recorded parity, costs and speed, and a guide."""

from poseur_study.report.evidence import (
    CostRecord,
    MethodCostRecord,
    MethodRecord,
    ParityRecord,
    benchmark_records,
    recorded,
)
from poseur_study.report.pages.costs import costs_page
from poseur_study.report.pages.deviations import deviations_page
from poseur_study.report.pages.methods import methods_page
from poseur_study.report.pages.page import Page, make_page
from poseur_study.report.pages.parity import parity_page
from poseur_study.report.pages.speed import speed_page


def fixed_pages() -> tuple[Page, ...]:
    """The deviations, a page for each record that is there, and how to add to the project.

    Raises:
        UserError: a record is of another version.
    """
    pages = [deviations_page()]
    if (parity := recorded(ParityRecord)) is not None:
        pages.append(parity_page(parity))
    if (costs := recorded(CostRecord)) is not None:
        pages.append(costs_page(costs))
    if (methods := recorded(MethodRecord)) is not None:
        pages.append(methods_page(methods, recorded(MethodCostRecord)))
    if benchmarks := benchmark_records():
        pages.append(speed_page(benchmarks))
    guide = make_page("extend.html", "Adding to it", "How to add a method, a table or a claim")
    return (*pages, guide)
