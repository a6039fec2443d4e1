"""The pages that are the same in every profile: deviations, what is recorded, and a guide."""

from markupsafe import Markup

from poseur_study.display.html_table import Cell, soft
from poseur_study.experiments.experiment import shown_name
from poseur_study.paper.deviations import LEFT_OPEN, OF_THE_PRESET, WITHOUT_KNOB, Deviation, Value
from poseur_study.evidence.evidence import (
    CostRecord,
    MethodCostRecord,
    MethodRecord,
    ParityRecord,
    benchmark_records,
    recorded,
)
from poseur_study.report.pages.page import Page, make_page
from poseur_study.report.pages.recorded import costs_page, methods_page, parity_page, speed_page


def fixed_pages() -> tuple[Page, ...]:
    """The deviations, a page for each record that is there, and how to add to the project.

    Raises:
        UserError: a record is of another version.
    """
    counted = recorded(MethodCostRecord)
    makers = {ParityRecord: parity_page, CostRecord: costs_page, MethodRecord: lambda one: methods_page(one, counted)}
    of_records = [make(record) for kind, make in makers.items() if (record := recorded(kind)) is not None]
    of_records += [speed_page(benchmarks)] if (benchmarks := benchmark_records()) else []
    guide = make_page("extend.html", "Adding to it", "How to add a method, a table or a claim")
    return (deviations_page(), *of_records, guide)


def deviations_page() -> Page:
    """A lead, and a table for each kind of deviation."""
    kinds = {"of_the_preset": OF_THE_PRESET, "left_open": LEFT_OPEN, "without_knob": WITHOUT_KNOB}
    tables = {name: [_deviation(row) for row in rows] for name, rows in kinds.items()}
    return make_page("deviations.html", "Deviations", "Where the paper and the released code differ", **tables)


def _deviation(row: Deviation) -> dict[str, Cell]:
    subject = soft(Markup("<b>{}</b>").format(row.subject), row.place)
    return {"subject": subject, "paper": row.paper, "released code": row.released, "here": _here(row)}


def _here(row: Deviation) -> Markup:
    parts = []
    if row.knob is not None:
        parts.append(Markup("{} = {}").format(_code(row.knob), _code(_value(row.default))))
    if row.paper_value is not None:
        parts.append(Markup("paper_text: {}").format(_code(_value(row.paper_value))))
    if row.note:
        parts.append(row.note)
    tables = ", ".join("every trained model" if one == "all" else shown_name(one) for one in row.tables)
    file, _, name = row.test.partition("::")
    test = Markup('<span class="soft">Touches {}. Test: {} in {}.</span>')
    return Markup("<br>").join([*parts, test.format(tables, _code(name), _code(file))])


def _value(value: Value | None) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _code(text: str) -> Markup:
    """Code that may break after a dot, a slash or an underscore, so that a column stays narrow."""
    escaped = Markup.escape(text)
    for sign in "._/":
        escaped = escaped.replace(sign, Markup(f"{sign}<wbr>"))
    return Markup("<code>{}</code>").format(escaped)
