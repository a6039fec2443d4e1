"""A page of the report: its names, and its body from the template of the same file name."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2
from IPython.display import HTML
from markupsafe import Markup

from poseur_study.display.html_table import Cell, bullets, show_table
from poseur_study.report.view import Link

TEMPLATES = Path(__file__).parents[1] / "templates"
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)  # fmt: skip


def cards(rows: Iterable[Mapping[str, Cell]], caption: str = "", numbers: Collection[str] = ()) -> HTML:
    """A table whose rows become cards on a narrow screen."""
    return show_table(rows, caption, css="stacked", numbers=numbers)


ENVIRONMENT.globals |= {"cards": cards, "table": show_table, "bullets": bullets}


@dataclass(frozen=True)
class Page:
    """A page without navigation; `link` is how others link to it."""

    link: Link
    title: str
    body: Markup


def make_page(file: str, short: str, title: str, template: str = "", **context: object) -> Page:
    """The page of a file, from its template (of its own name if "") with a title and what else the template asks for.

    Args:
        short: of its link.
    """
    return Page(Link(short, file), title, render(template or file, title=title, **context))


def render(template: str, **context: object) -> Markup:
    """A template with what it asks for; text is escaped, tables, figures and other templates are not."""
    return Markup(ENVIRONMENT.get_template(f"{template}.j2").render(context))
