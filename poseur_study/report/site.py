"""`reports/<profile>/`: an overview, the ledger, a page per table and per run, and what they rest on."""

import html
import io
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import jinja2
from markupsafe import Markup
from matplotlib import pyplot

from poseur_lib.files import write_atomically
from poseur_study.analysis.claim_ledger import ledger_csv
from poseur_study.analysis.error_breakdown import BREAKDOWN_CSV
from poseur_study.display.learning import learning_figure, measured
from poseur_study.experiments import TABLES
from poseur_study.experiments.experiment import Table
from poseur_study.experiments.profiles import Profile
from poseur_study.report.blocks import Block, code_colours, notebook_blocks, notebook_title
from poseur_study.report.notebooks import (
    AUDIT_PAGE,
    CELLS_CSV,
    CLAIMS_CSV,
    EXPLORER_PAGE,
    execute_audit,
    executed_explorer,
    write_audit_csv,
)
from poseur_study.report.notebooks import NAME as EXPLORER
from poseur_study.report.pages import compute as compute_page
from poseur_study.report.pages import fixed as extend_page
from poseur_study.report.pages import ledger as ledger_page
from poseur_study.report.pages.fixed import FixedPage, fixed_pages
from poseur_study.report.pages.overview import overview_blocks
from poseur_study.report.pages.table import with_study
from poseur_study.report.view import Link, StudyView, failure_page, run_page, table_page
from poseur_study.runs.store import ERROR_FILE, FAILED_NOTEBOOK_FILE, NOTEBOOK_FILE, RunStore

SMOKE_STAMP = "smoke: proves the plumbing, is no evidence"
TEMPLATES = Path(__file__).with_name("templates")
INDEX = "index.html"
LEARNING_FIGURE = "learning_curves.png"
FIRST_CSV = ("rows.csv", "claims.csv", BREAKDOWN_CSV)
"""Of a table; what its notebook has measured beside them comes after."""
OURS = ("*.html", "runs/*.html", "csv/*.csv", LEARNING_FIGURE)
"""What a report writes, and removes where it is of an earlier one."""


def write_report(profile: Profile, store: RunStore, folder: Path) -> Path:
    """Render all pages of a profile and return the index; pages of an earlier report that are gone are removed.

    The audit of the paper needs no run, so that there is always something to report.

    Raises:
        UserError: the results of a table are of another version.
    """
    return Site(StudyView(profile, store), folder).write_pages(execute_audit(store.table_folder("audit")))


class Site:
    """The pages of one profile."""

    def __init__(self, view: StudyView, folder: Path) -> None:
        self.view, self.folder = view, folder
        self.ledger = ledger_page.ledger(view)
        self.fixed_pages = (*self._study_pages(), *fixed_pages(), _extend_page())
        self.written: set[Path] = set()
        self.templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )

    def write_pages(self, audit: Path) -> Path:
        """Every page, given the executed notebook of the audit; the index is returned."""
        self.write_audit(audit)
        for table in self.view.tables:
            self.write_table(table)
        for run_id in self.view.run_ids:
            self.write_run(run_id)
        self.write_failed_tables()
        self.write_explorer()
        self.write_fixed_pages()
        index = self.write_index()
        self.remove_others()
        return index

    def write_audit(self, notebook: Path) -> None:
        """The audit of the paper, from its executed notebook; it is evidence in every profile."""
        write_audit_csv(self.folder / "csv")
        self.written |= {self.folder / "csv" / name for name in (CLAIMS_CSV, CELLS_CSV)}
        files = [Link(name, f"csv/{name}") for name in (CLAIMS_CSV, CELLS_CSV)]
        self._write(AUDIT_PAGE, notebook_title(notebook), notebook_blocks(notebook), files)

    def write_table(self, table: Table) -> None:
        """A table's page, from its executed notebook, and its CSV files."""
        source, files = self.view.store.table_folder(table.number), []
        for path in sorted(source.glob("*.csv"), key=lambda path: (path.name not in FIRST_CSV, path.name)):
            files.append(self._csv(f"table_{table.number}_{path.name}", path.read_bytes()))
        notebook = source / NOTEBOOK_FILE
        blocks = with_study(notebook_blocks(notebook), table, self.view)
        self._write(table_page(table), notebook_title(notebook), blocks, files)

    def write_run(self, run_id: str) -> None:
        """A run's page, from its executed notebook; of a failed one, the notebook as far as it got, or its error."""
        path, page = self.view.store.path(run_id), run_page(run_id)
        notebook = path / NOTEBOOK_FILE
        if (path / ERROR_FILE).exists():
            self._write_failed(path, page, run_id)
        elif notebook.exists():
            self._write(page, notebook_title(notebook), notebook_blocks(notebook))

    def write_explorer(self) -> None:
        """The attention explorer's page, where its notebook was executed."""
        notebook = executed_explorer(self.view.store)
        if notebook is not None:
            self._write(EXPLORER_PAGE, notebook_title(notebook), notebook_blocks(notebook))

    def write_failed_tables(self) -> None:
        """A page for each table whose last attempt failed, beside its own page of an earlier one."""
        for table in TABLES:
            if self.view.failure(table) is not None:
                self._write_failed(self.view.store.table_folder(table.number), failure_page(table), table.name)

    def _write_failed(self, folder: Path, page: str, name: str) -> None:
        """The last output of what failed, and its notebook as far as it got."""
        text, notebook = html.escape((folder / ERROR_FILE).read_text()), folder / FAILED_NOTEBOOK_FILE
        head = Block("error", f"<h1>{html.escape(name)} failed</h1><p>The end of its output:</p><pre>{text}</pre>")
        self._write(page, f"{name} failed", (head, *(notebook_blocks(notebook) if notebook.exists() else ())))

    def write_fixed_pages(self) -> None:
        """The ledger, compute and environment of the study, and what is the same in every profile."""
        ledger = self._csv(ledger_page.CSV, ledger_csv(self.ledger).encode())
        for page in self.fixed_pages:
            self._write(page.file, page.title, page.blocks, [ledger] if page.file == ledger_page.PAGE else ())

    def write_index(self) -> Path:
        """The first page, and the learning curves of the first table as a picture beside it."""
        blocks = overview_blocks(self.view, self.ledger, self._pages()[1:])
        self._write(INDEX, f"Overview, {self.view.profile.name}", blocks)
        runs = measured(self.view.labelled(self.view.tables[0].number)) if self.view.tables else ()
        if runs:
            figure, picture = learning_figure(runs), io.BytesIO()
            figure.savefig(picture, format="png", metadata={"Software": None}, dpi=144)
            pyplot.close(figure)
            write_atomically(self.folder / LEARNING_FIGURE, picture.getvalue())
            self.written.add(self.folder / LEARNING_FIGURE)
        return self.folder / INDEX

    def remove_others(self) -> None:
        """Remove what an earlier report has left; nothing but what a report writes is touched."""
        for pattern in OURS:
            for path in self.folder.glob(pattern):
                if path not in self.written:
                    path.unlink()

    def _study_pages(self) -> tuple[FixedPage, ...]:
        compute, environment = compute_page.compute_blocks(self.view), compute_page.environment_blocks(self.view)
        return (
            FixedPage(ledger_page.PAGE, "Ledger", ledger_page.TITLE, ledger_page.ledger_blocks(self.ledger)),
            FixedPage(compute_page.COMPUTE_PAGE, "Compute", compute_page.COMPUTE_TITLE, compute),
            FixedPage(compute_page.ENVIRONMENT_PAGE, "Environment", compute_page.ENVIRONMENT_TITLE, environment),
        )

    def _pages(self) -> list[Link]:
        """Every page but those of runs, in the order in which they are read."""
        ledger, *others = [Link(page.short, page.file) for page in self.fixed_pages]
        explorer = [Link(EXPLORER, EXPLORER_PAGE)] if executed_explorer(self.view.store) else []
        return [Link("Overview", INDEX), ledger, Link("Audit", AUDIT_PAGE), *self._table_links(), *explorer, *others]

    def _table_links(self) -> list[Link]:
        return [Link(table.name, table_page(table)) for table in self.view.tables]

    def _beside(self, page: str) -> tuple[Link | None, Link | None]:
        pages = self._pages()
        targets = [link.target for link in pages]
        if page not in targets:
            return None, None
        position = targets.index(page)
        return (
            pages[position - 1] if position else None,
            pages[position + 1] if position + 1 < len(pages) else None,
        )

    def _csv(self, name: str, content: bytes) -> Link:
        write_atomically(self.folder / "csv" / name, content)
        self.written.add(self.folder / "csv" / name)
        return Link(name, f"csv/{name}")

    def _write(self, page: str, title: str, blocks: Sequence[Block], files: Sequence[Link] = ()) -> None:
        before, after = self._beside(page)
        tables = self._table_links()
        text = self.templates.get_template("page.html.j2").render(
            title=title,
            page=page,
            root="../" * page.count("/"),
            navigation=[link for link in self._pages() if link not in tables],
            tables=tables,
            before=before,
            after=after,
            blocks=blocks,
            files=files,
            style=Markup((TEMPLATES / "style.css").read_text()),
            code_style=Markup(code_colours()),
            stamp="" if self.view.profile.evidential or page == AUDIT_PAGE else SMOKE_STAMP,
            footer=f"poseur_lib {version('poseur_lib')}, profile {self.view.profile.name}.",
        )
        write_atomically(self.folder / page, text.encode())
        self.written.add(self.folder / page)


def _extend_page() -> FixedPage:
    return FixedPage(extend_page.PAGE, "Adding to it", extend_page.TITLE, extend_page.extend_blocks())
