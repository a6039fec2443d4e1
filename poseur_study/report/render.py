"""An executed notebook as a page, by nbconvert and one template: the answer first, then the way there, code folded.

Cells say by their tags where they stand: `answer` (prose and outputs come right after the title), `fold` (a section
that is closed until it is opened, from a heading with that tag on). Code is folded, but for cells of parameters.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import nbformat
from markupsafe import Markup
from nbconvert.exporters import TemplateExporter
from nbconvert.filters import markdown2html
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from poseur_lib.errors import naming
from poseur_lib.files import read_regular
from poseur_study.plotting.captioned import POLICY
from poseur_study.plotting.frames import LAB
from poseur_study.report.sanitise import PDF, PNG, clean, decoded

TEMPLATES = Path(__file__).parent / "templates"
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
HEADING = re.compile(r"^(#{1,3}) (.+)$", re.MULTILINE)
FAILED = "papermill-error-cell-tag"
MAX_BYTES = 2**28
"""Of a notebook with its figures."""


@dataclass(frozen=True)
class Link:
    """A link of a page."""

    text: str
    target: str


@dataclass
class Files:
    """What a page's tables and figures are beside it: CSV and PDF files, by their names below the report's folder."""

    of: dict[str, bytes] = field(default_factory=dict)

    def add(self, folder: str, stem: str, kind: str, content: bytes) -> str:
        """Keep a file and return its name."""
        name = f"{folder}/{stem}_{1 + sum(known.startswith(f'{folder}/{stem}_') for known in self.of)}.{kind}"
        self.of[name] = content
        return name


@dataclass(frozen=True)
class Section:
    """A part of a page: its heading, and the cells below it."""

    title: str
    anchor: str
    fold: bool
    cells: list[NotebookNode] = field(default_factory=list)


def read_notebook(path: Path) -> NotebookNode:
    """An executed notebook. Raises UserError where it cannot be read."""
    with naming(path):
        notebook = nbformat.reads(read_regular(path, MAX_BYTES).decode(), as_version=4)
        nbformat.validate(notebook)
        return notebook


def title_of(notebook: NotebookNode) -> str:
    """The first heading of a notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := HEADING.search(cell.source)):
            return found[2].strip()
    return "Notebook"


def page(notebook: NotebookNode, name: str, files: Files, **context: object) -> str:
    """The page of a notebook; its CSV and PDF files are added to `files`.

    Args:
        name: of the page's file.
        context: for the template: the menu, what comes before and after, footer.
    """
    stem = name.removesuffix(".html")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [found for one in cell.outputs if (found := _shown(one, stem, files)) is not None]
        else:
            cell.pop("outputs", None)  # of a format that nbformat does not know yet, and then does not refuse
    head, answer, sections = arranged(notebook)
    resources = {
        "title": title_of(notebook), "head": head, "answer": answer, "sections": sections, "page": name,
        "policy": POLICY, "style": Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        "code_style": Markup(code_colours()), **context,
    }  # fmt: skip
    text, _ = _exporter().from_notebook_node(notebook, resources=resources)
    return text


def arranged(notebook: NotebookNode) -> tuple[list[NotebookNode], list[NotebookNode], list[Section]]:
    """The cells up to the second heading, those that answer, and the others by section, folded ones last."""
    head, answer, sections = [], [], []
    for cell in _split(notebook.cells):
        tags = cell.metadata.get("tags", [])
        heading = HEADING.match(cell.source) if cell.cell_type == "markdown" else None
        if "answer" in tags:
            answer.append(cell)
        elif heading and len(heading[1]) == 2:
            anchor = re.sub(r"[^a-z0-9]+", "-", heading[2].lower()).strip("-")
            sections.append(Section(heading[2], anchor, "fold" in tags))
            cell.source = cell.source[heading.end() :].strip()
            sections[-1].cells.append(cell)
        else:
            (sections[-1].cells if sections else head).append(cell)
    there = [one for one in sections if any(cell.source.strip() for cell in one.cells)]
    return head, answer, sorted(there, key=lambda one: one.fold)


def _split(cells: Sequence[NotebookNode]) -> Iterator[NotebookNode]:
    """Markdown cells with several headings, a cell each; what papermill added for an error is left out."""
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        if FAILED in tags:
            continue
        if cell.cell_type != "markdown":
            yield cell
            continue
        for part in re.split(r"^(?=## )", cell.source, flags=re.MULTILINE):
            if part.strip():
                yield nbformat.v4.new_markdown_cell(part, metadata={"tags": tags})


def _shown(output: NotebookNode, stem: str, files: Files) -> NotebookNode | None:
    """An output as the page has it: HTML, or text; None for what says nothing."""
    if output.output_type == "stream":
        text = plain(output.text)
        return _html(Markup("<pre>{}</pre>").format(text)) if output.name == "stdout" and text.strip() else None
    if output.output_type == "error":
        return _html(Markup('<pre class="error">{}</pre>').format(plain("\n".join(output.traceback))))
    data = output.data
    links = [Link(kind.upper(), files.add(folder, stem, kind, content)) for folder, kind, content in _beside(data)]
    below = Markup('<p class="files">{}</p>').format(
        Markup(" · ").join(Markup('<a href="{}">{}</a>').format(one.target, one.text) for one in links)
    )
    body = _body(data)
    return None if body is None else _html(body + (below if links else Markup()))


def _beside(data: NotebookNode) -> Iterator[tuple[str, str, bytes]]:
    if "text/csv" in data:
        yield "csv", "csv", data["text/csv"].encode()
    if (content := decoded(data.get("application/pdf", ""), PDF)) is not None:
        yield "figures", "pdf", content


def _body(data: NotebookNode) -> Markup | None:
    if "text/html" in data:
        return clean(data["text/html"].removeprefix(LAB))
    if "text/markdown" in data:
        return clean(markdown2html(data["text/markdown"]))
    if (content := decoded(data.get("image/png", ""), PNG)) is not None:
        return Markup('<img alt="figure" src="data:image/png;base64,{}">').format(base64.b64encode(content).decode())
    text = plain(data.get("text/plain", ""))
    return Markup("<pre>{}</pre>").format(text) if text.strip() else None


def _html(body: Markup) -> NotebookNode:
    return nbformat.v4.new_output("display_data", {"text/html": str(body)})


def plain(text: str) -> str:
    """Text without colours and without the lines that a progress line overwrote."""
    return "\n".join(line.rsplit("\r", 1)[-1] for line in ANSI.sub("", text).rstrip().split("\n"))


def prose(source: str) -> Markup:
    """Markdown as HTML."""
    return clean(re.sub(r'<a class="anchor-link".*?</a>', "", markdown2html(source)))


def coloured(source: str) -> Markup:
    """Python code, coloured."""
    return Markup(highlight(source, PythonLexer(), HtmlFormatter(nobackground=True)))


@cache
def code_colours() -> str:
    """The style sheet of code, light and dark."""
    light, dark = (
        [line for line in HtmlFormatter(style=name).get_style_defs(".code").splitlines() if line.startswith(".code .")]
        for name in ("xcode", "zenburn")
    )
    return "\n".join([*light, "@media screen and (prefers-color-scheme: dark) {", *dark, "}"])


@cache
def _exporter() -> TemplateExporter:
    exporter = TemplateExporter(template_file=str(TEMPLATES / "page.html.j2"))
    exporter.environment.filters |= {"prose": prose, "code": coloured}
    return exporter
