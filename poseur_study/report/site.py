"""`reports/<profile>/`: an overview, the ledger, a page per table and per run, and what they rest on."""

import io
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

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
from poseur_study.report.notebooks import cells_csv, claims_csv, execute_audit, explorer_notebook
from poseur_study.report.pages import ledger as ledger_page
from poseur_study.report.pages.compute import compute_page, environment_page, record_page
from poseur_study.report.pages.fixed import fixed_pages
from poseur_study.report.pages.overview import overview_page
from poseur_study.report.pages.page import TEMPLATES, Page, render
from poseur_study.report.pages.table import with_study
from poseur_study.report.view import INDEX, Link, StudyView, failure_page, run_page, table_page
from poseur_study.runs.store import ERROR_FILE, FAILED_NOTEBOOK_FILE, NOTEBOOK_FILE, RunStore

SMOKE_STAMP = "smoke: proves the plumbing, is no evidence"
AUDIT, EXPLORER = Link("Audit", "audit.html"), Link("Attention", "explorer.html")
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
        self.written: set[Path] = set()

    @cached_property
    def fixed_pages(self) -> tuple[Page, ...]:
        """The ledger, compute and environment of the study, and what is the same in every profile."""
        of_study = (ledger_page.ledger_page(self.ledger), compute_page(self.view), environment_page(self.view))
        return (*of_study, *fixed_pages())

    @cached_property
    def links(self) -> list[Link]:
        """To every page but those of runs, in the order in which they are read."""
        ledger, *others = [page.link for page in self.fixed_pages]
        explorer = [EXPLORER] if explorer_notebook(self.view.store).exists() else []
        return [Link("Overview", INDEX), ledger, AUDIT, *self.table_links, *explorer, *others]

    @cached_property
    def table_links(self) -> list[Link]:
        """To the pages of tables."""
        return [Link(table.name, table_page(table)) for table in self.view.tables]

    def write_pages(self, audit: Path) -> Path:
        """Every page, given the executed notebook of the audit; the index is returned."""
        self.write_audit(audit)
        for table in self.view.tables:
            self.write_table(table)
        for run_id in self.view.run_ids:
            self.write_run(run_id)
        self.write_failed_tables()
        if EXPLORER in self.links:
            self._write_notebook(EXPLORER.target, explorer_notebook(self.view.store))
        self.write_fixed_pages()
        index = self.write_index()
        self.remove_others()
        return index

    def write_audit(self, notebook: Path) -> None:
        """The audit of the paper, from its executed notebook; it is evidence in every profile."""
        content = {"paper_claims.csv": claims_csv(), "paper_cells.csv": cells_csv()}
        self._write_notebook(AUDIT.target, notebook, [self._csv(name, text.encode()) for name, text in content.items()])

    def write_table(self, table: Table) -> None:
        """A table's page, from its executed notebook, and its CSV files."""
        source = self.view.store.table_folder(table.number)
        paths = sorted(source.glob("*.csv"), key=lambda path: (path.name not in FIRST_CSV, path.name))
        files = [self._csv(f"table_{table.number}_{path.name}", path.read_bytes()) for path in paths]
        blocks = with_study(notebook_blocks(source / NOTEBOOK_FILE), table, self.view)
        self._write(table_page(table), notebook_title(source / NOTEBOOK_FILE), blocks, files)

    def write_run(self, run_id: str) -> None:
        """A run's page, from its record; of a failed one, the notebook as far as it got, or its error."""
        path, page = self.view.store.path(run_id), run_page(run_id)
        if (path / ERROR_FILE).exists():
            self._write_failed(path, page, run_id)
        elif run_id in self.view.records:
            of_record = record_page(self.view.records[run_id])
            self._write(page, of_record.title, [Block("prose", of_record.body)])

    def write_failed_tables(self) -> None:
        """A page for each table whose last attempt failed, beside its own page of an earlier one."""
        for table in TABLES:
            if self.view.failure(table) is not None:
                self._write_failed(self.view.store.table_folder(table.number), failure_page(table), table.name)

    def write_fixed_pages(self) -> None:
        """The pages that no notebook is behind, and the ledger as CSV."""
        ledger = self._csv(ledger_page.CSV, ledger_csv(self.ledger).encode())
        for page in self.fixed_pages:
            files = [ledger] if page.link.target == ledger_page.FILE else []
            self._write(page.link.target, page.title, [Block("prose", page.body)], files)

    def write_index(self) -> Path:
        """The first page, and the learning curves of the first table as a picture beside it."""
        page = overview_page(self.view, self.ledger, self.links[1:])
        self._write(INDEX, page.title, [Block("prose", page.body)])
        runs = measured(self.view.labelled(self.view.tables[0].number)) if self.view.tables else ()
        if runs:
            figure, picture = learning_figure(runs), io.BytesIO()
            figure.savefig(picture, format="png", metadata={"Software": None}, dpi=144)
            pyplot.close(figure)
            self._write_file(LEARNING_FIGURE, picture.getvalue())
        return self.folder / INDEX

    def remove_others(self) -> None:
        """Remove what an earlier report has left; nothing but what a report writes is touched."""
        for pattern in OURS:
            for path in self.folder.glob(pattern):
                if path not in self.written:
                    path.unlink()

    def _write_notebook(self, page: str, notebook: Path, files: Sequence[Link] = ()) -> None:
        self._write(page, notebook_title(notebook), notebook_blocks(notebook), files)

    def _write_failed(self, folder: Path, page: str, name: str) -> None:
        """The last output of what failed, and its notebook as far as it got."""
        notebook = folder / FAILED_NOTEBOOK_FILE
        head = Block("error", render("failed.html", name=name, text=(folder / ERROR_FILE).read_text()))
        self._write(page, f"{name} failed", (head, *(notebook_blocks(notebook) if notebook.exists() else ())))

    def _csv(self, name: str, content: bytes) -> Link:
        self._write_file(f"csv/{name}", content)
        return Link(name, f"csv/{name}")

    def _write(self, page: str, title: str, blocks: Sequence[Block], files: Sequence[Link] = ()) -> None:
        places = [place for place, link in enumerate(self.links) if link.target == page]
        beside = [None, *self.links, None][places[0] : places[0] + 3 : 2] if places else [None, None]
        text = render(
            "page.html",
            title=title,
            page=page,
            root="../" * page.count("/"),
            navigation=[link for link in self.links if link not in self.table_links],
            tables=self.table_links,
            beside=beside,
            blocks=blocks,
            files=files,
            style=Markup((TEMPLATES / "style.css").read_text()),
            code_style=Markup(code_colours()),
            stamp="" if self.view.profile.evidential or page == AUDIT.target else SMOKE_STAMP,
            footer=f"poseur_lib {version('poseur_lib')}, profile {self.view.profile.name}.",
        )
        self._write_file(page, text.encode())

    def _write_file(self, name: str, content: bytes) -> None:
        write_atomically(self.folder / name, content)
        self.written.add(self.folder / name)
