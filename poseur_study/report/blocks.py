"""An executed notebook as a sequence of HTML blocks: prose and results plain, code folded.

Tables whose rows become cards on a narrow screen.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nbformat
from markupsafe import Markup
from nbconvert.filters import markdown2html
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from poseur_lib.errors import UserError

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Block:
    """A piece of a page; `body` is HTML."""

    kind: Literal["prose", "code", "output", "error"]
    body: str


def notebook_blocks(path: Path) -> tuple[Block, ...]:
    """The blocks of an executed notebook, as far as it got.

    Raises:
        UserError: the file is missing or no notebook.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise UserError(f"notebook {path} cannot be read: {type(error).__name__}") from None
    return tuple(block for cell in notebook.cells for block in _cell_blocks(cell) if block.body.strip())


def notebook_title(path: Path) -> str:
    """The first heading of a notebook."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return cell.source.splitlines()[0].removeprefix("# ").strip()
    return path.stem


def _cell_blocks(cell: Any) -> list[Block]:
    if cell.cell_type == "markdown":
        return [Block("prose", re.sub(r'<a class="anchor-link".*?</a>', "", markdown2html(cell.source)))]
    if cell.cell_type != "code" or "papermill-error-cell-tag" in cell.metadata.get("tags", []):
        return []
    code = highlight(cell.source, PythonLexer(), HtmlFormatter(nowrap=True))
    return [Block("code", code), *(_output_block(output) for output in cell.get("outputs", []))]


def _output_block(output: Any) -> Block:
    if output.output_type == "error":
        return Block("error", f"<pre>{_plain(chr(10).join([*output.traceback]))}</pre>")
    if output.output_type == "stream":
        text = _plain(output.text) if output.name == "stdout" else ""
        return Block("output", f"<pre>{text}</pre>" if text else "")
    data = output.get("data", {})
    if "text/html" in data:
        return Block("output", data["text/html"])
    if "image/png" in data:
        return Block("output", f'<img alt="figure" src="data:image/png;base64,{data["image/png"].strip()}">')
    return Block("output", f"<pre>{_plain(data['text/plain'])}</pre>" if "text/plain" in data else "")


def _plain(text: str) -> str:
    """Text without colours and without the lines that a progress line overwrote."""
    lines = [line.rsplit("\r", 1)[-1] for line in ANSI.sub("", text).rstrip().split("\n")]
    return html.escape("\n".join(lines))


def code_colours() -> str:
    """The style sheet of folded code, light and dark."""
    light = HtmlFormatter(style="xcode").get_style_defs(".code")
    dark = HtmlFormatter(style="zenburn").get_style_defs(".code")
    keep = [line for line in light.splitlines() if line.startswith(".code .")]
    keep_dark = [line for line in dark.splitlines() if line.startswith(".code .")]
    return "\n".join([*keep, "@media screen and (prefers-color-scheme: dark) {", *keep_dark, "}"])


Cell = str | Markup
"""Text, which is escaped, or HTML."""


def stacked_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], numbers: Sequence[str] = ()) -> str:
    """A table as HTML; `numbers` names the columns that are set flush right. The first column heads a row's card."""
    kinds = ["number" if name in numbers else "" for name in columns]
    head = "".join(f'<th class="{kind}">{html.escape(name)}</th>' for name, kind in zip(columns, kinds, strict=True))
    body = "".join(f"<tr>{_cells(columns, kinds, row)}</tr>" for row in rows)
    table = f'<table class="stacked"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def mark(good: bool, words: str) -> Markup:
    """A verdict: words in the colour of what is well, or of what is not."""
    return Markup('<span class="{}">{}</span>').format("good" if good else "bad", words)


def small(value: float) -> str:
    """A difference with two digits, as 2.4e-07; 0 where there is none."""
    return "0" if value == 0 else f"{value:.1e}"


def _cells(columns: Sequence[str], kinds: Sequence[str], row: Sequence[Cell]) -> str:
    named = zip(columns, kinds, row, strict=True)
    return "".join(
        f'<td class="{kind}" data-column="{html.escape(name)}"><div>{Markup.escape(cell) if cell else "—"}</div></td>'
        for name, kind, cell in named
    )
