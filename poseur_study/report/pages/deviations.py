"""The page of deviations: where paper and released code differ, and what is done here."""

from markupsafe import Markup

from poseur_study.display.html_table import Cell, soft
from poseur_study.experiments.experiment import shown_name
from poseur_study.paper.deviations import LEFT_OPEN, OF_THE_PRESET, WITHOUT_KNOB, Deviation, Value
from poseur_study.report.pages.page import Page, make_page


def deviations_page() -> Page:
    """A lead, and a table for each kind of deviation."""
    kinds = {"of_the_preset": OF_THE_PRESET, "left_open": LEFT_OPEN, "without_knob": WITHOUT_KNOB}
    tables = {name: [_line(row) for row in rows] for name, rows in kinds.items()}
    return make_page("deviations.html", "Deviations", "Where the paper and the released code differ", **tables)


def _line(row: Deviation) -> dict[str, Cell]:
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
