"""An executed notebook as a sequence of HTML blocks: prose and results plain, code folded."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nbformat
from markupsafe import Markup
from nbconvert.filters import markdown2html
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from poseur_lib.errors import UserError

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
PRE = Markup("<pre>{}</pre>")


@dataclass(frozen=True)
class Block:
    """A piece of a page."""

    kind: Literal["prose", "code", "output", "error"]
    body: Markup


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


def code_colours() -> str:
    """The style sheet of folded code, light and dark."""
    light, dark = (
        [line for line in HtmlFormatter(style=name).get_style_defs(".code").splitlines() if line.startswith(".code .")]
        for name in ("xcode", "zenburn")
    )
    return "\n".join([*light, "@media screen and (prefers-color-scheme: dark) {", *dark, "}"])


def _cell_blocks(cell: nbformat.NotebookNode) -> Iterator[Block]:
    if cell.cell_type == "markdown":
        yield Block("prose", Markup(re.sub(r'<a class="anchor-link".*?</a>', "", markdown2html(cell.source))))
    elif cell.cell_type == "code" and "papermill-error-cell-tag" not in cell.metadata.get("tags", []):
        yield Block("code", Markup(highlight(cell.source, PythonLexer(), HtmlFormatter(nowrap=True))))
        yield from map(_output_block, cell.get("outputs", []))


def _output_block(output: nbformat.NotebookNode) -> Block:
    if output.output_type == "error":
        return Block("error", PRE.format(_plain("\n".join(output.traceback))))
    data = output.get("data", {})
    if output.output_type == "stream" and output.name == "stdout":
        data = {"text/plain": output.text}
    if "text/html" in data:
        return Block("output", Markup(data["text/html"]))
    if "image/png" in data:
        image = Markup('<img alt="figure" src="data:image/png;base64,{}">')
        return Block("output", image.format(data["image/png"].strip()))
    text = _plain(data.get("text/plain", ""))
    return Block("output", PRE.format(text) if text else Markup())


def _plain(text: str) -> str:
    """Text without colours and without the lines that a progress line overwrote."""
    return "\n".join(line.rsplit("\r", 1)[-1] for line in ANSI.sub("", text).rstrip().split("\n"))
