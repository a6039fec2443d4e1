"""The one table of all pages, and lists of sentences; cells are escaped unless they are HTML already."""

import math
from collections.abc import Collection, Iterable, Mapping

import jinja2
from IPython.display import HTML
from markupsafe import Markup

from poseur_study.display.words import NOT_RUN

Cell = str | float | Markup | HTML | None
"""Text, which is escaped; a number, of which one decimal is shown; HTML; None where nothing was run."""

TABLE = jinja2.Environment(autoescape=True, trim_blocks=True).from_string("""\
<div class="scroll"><table class="{{ css }}"><thead><tr>
{% for name in columns %}<th{{ classes[name] }}>{{ name }}</th>{% endfor %}
</tr></thead><tbody>
{% for row in rows %}
<tr>{% for name, cell in row.items() %}
<td{{ classes[name] }} data-column="{{ name }}"><div>{{ cell }}</div></td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% if caption %}<p class="caption">{{ caption }}</p>{% endif %}""")


def show_table(
    rows: Iterable[Mapping[str, Cell]], caption: str = "", css: str = "table", numbers: Collection[str] = ()
) -> HTML:
    """Rows as a table; a missing cell is "not run", never blank.

    Args:
        css: "table" scrolls sideways on a narrow screen; there a row of a "stacked" table, or of one of long "texts",
            becomes a card, which the first column heads, and an empty cell is a dash.
        numbers: columns that are set flush right.
    """
    rows = list(rows) or [{"rows": "none"}]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    blank = "" if css == "table" else "—"
    return HTML(
        TABLE.render(
            columns=columns,
            rows=[{name: _cell(row.get(name)) or blank for name in columns} for row in rows],
            classes={name: Markup(' class="number"') if name in numbers else "" for name in columns},
            caption=caption,
            css=css,
        )
    )


def bullets(lines: Iterable[str | Markup]) -> Markup:
    """Sentences as a list."""
    return Markup("<ul>{}</ul>").format(Markup().join(Markup("<li>{}</li>").format(line) for line in lines))


def soft(text: str | Markup, below: str) -> Markup:
    """A cell's text with a paler line below it."""
    return Markup('{}<br><span class="soft">{}</span>').format(text, below) if below else Markup.escape(text)


def mark(good: bool, words: str) -> Markup:
    """A verdict: words in the colour of what is well, or of what is not."""
    return Markup('<span class="{}">{}</span>').format("good" if good else "bad", words)


def _cell(value: Cell) -> Cell:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOT_RUN
    return f"{value:.1f}" if isinstance(value, float) else value
