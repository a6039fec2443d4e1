"""`reports/<profile>/`: an index, a page per table and a page per run, self-contained."""

import html
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import jinja2
from markupsafe import Markup

from poseur_lib.figures.learning import learning_figure
from poseur_lib.figures.style import as_html
from poseur_lib.figures.tables import claims_table, provenance_table, result_table, show_table
from poseur_lib.report.audit import CELLS_CSV, CLAIMS_CSV, audit_summary, execute_audit, write_audit_csv
from poseur_lib.report.audit import PAGE as AUDIT_PAGE
from poseur_lib.report.blocks import code_colours, notebook_blocks, notebook_title
from poseur_lib.report.fixed_pages import fixed_pages
from poseur_lib.study.atomic import write_atomically
from poseur_lib.study.declaration import Table
from poseur_lib.study.profiles import Profile
from poseur_lib.study.record import RECORD_FILE, Record
from poseur_lib.study.store import ERROR_FILE, FAILED_NOTEBOOK_FILE, NOTEBOOK_FILE, RESULT_FILE, RunStore
from poseur_lib.study.table_result import TableResult
from poseur_lib.study.tables import TABLES

SMOKE_STAMP = "smoke: proves the plumbing, is no evidence"
TEMPLATES = Path(__file__).with_name("templates")
INDEX = "index.html"
LEARNING_FIGURE = "learning_curves.png"


@dataclass(frozen=True)
class Link:
    """A link of a page."""

    text: str
    target: str


@dataclass(frozen=True)
class TableEntry:
    """A table's part of the index; rows and claims are HTML."""

    number: str
    title: str
    question: str
    page: str
    rows: str
    claims: str
    files: tuple[Link, ...]


def write_report(profile: Profile, store: RunStore, folder: Path) -> Path:
    """Render all pages of a profile and return the index; pages of an earlier report that are gone are removed.

    The audit of the paper needs no run, so that there is always something to report.
    """
    done = [table for table in TABLES if _missing(table, store) is None]
    site = Site(profile, store, folder, done)
    shutil.rmtree(folder / "runs", ignore_errors=True)
    site.write_audit(execute_audit(store.table_folder("audit")))
    for table in done:
        site.write_table(table)
    for run_id in site.run_ids:
        site.write_run(run_id)
    site.write_fixed_pages()
    return site.write_index()


class Site:
    """The pages of one profile."""

    def __init__(self, profile: Profile, store: RunStore, folder: Path, tables: Sequence[Table]) -> None:
        self.profile, self.store, self.folder, self.tables = profile, store, folder, tables
        self.fixed_pages = fixed_pages()
        self.templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        marks = (RECORD_FILE, ERROR_FILE)
        folders = sorted(store.folder.iterdir()) if store.folder.is_dir() else []
        self.run_ids = [path.name for path in folders if any((path / mark).exists() for mark in marks)]

    def write_audit(self, notebook: Path) -> None:
        """The audit of the paper, from its executed notebook; it is evidence in every profile."""
        write_audit_csv(self.folder / "csv")
        files = [Link(name, f"csv/{name}") for name in (CLAIMS_CSV, CELLS_CSV)]
        self._write_notebook(notebook, AUDIT_PAGE, self._beside(AUDIT_PAGE), files)

    def write_table(self, table: Table) -> None:
        """A table's page, from its executed notebook, and its CSV files."""
        source = self.store.table_folder(table.number)
        for name in ("rows", "claims"):
            content = (source / f"{name}.csv").read_bytes()
            write_atomically(self.folder / "csv" / f"table_{table.number}_{name}.csv", content)
        navigation = self._beside(table_page(table))
        self._write_notebook(source / NOTEBOOK_FILE, table_page(table), navigation, csv_links(table))

    def write_run(self, run_id: str) -> None:
        """A run's page, from its executed notebook; of a failed one, the notebook as far as it got, or its error."""
        path = self.store.path(run_id)
        failed = (path / ERROR_FILE).exists()
        notebook = path / (FAILED_NOTEBOOK_FILE if failed else NOTEBOOK_FILE)
        navigation = (Link("Overview", f"../{INDEX}"),)
        if notebook.exists():
            self._write_notebook(notebook, f"runs/{run_id}.html", navigation, ())
        elif failed:
            text = html.escape((path / ERROR_FILE).read_text())
            block = {"kind": "error", "body": f"<h1>{run_id}</h1><pre>{text}</pre>"}
            self._write(f"runs/{run_id}.html", "notebook.html.j2", run_id, navigation, blocks=[block], files=())

    def write_fixed_pages(self) -> None:
        """Deviations, parity, costs and speed; the same in every profile."""
        for page in self.fixed_pages:
            self._write(page.file, "notebook.html.j2", page.title, self._navigation(), blocks=page.blocks, files=())

    def write_index(self) -> Path:
        """The first page."""
        records = {run_id: self.store.record(run_id) for run_id in self.run_ids if self._recorded(run_id)}
        missing = [_missing(table, self.store) for table in TABLES if table not in self.tables]
        used = max(records.values(), key=lambda record: record.provenance.n_images, default=None)
        self._write(
            INDEX,
            "index.html.j2",
            f"Overview, {self.profile.name}",
            self._navigation(),
            profile=self.profile.name,
            what=_what(used),
            audit=audit_summary(),
            audit_page=AUDIT_PAGE,
            learning=self._learning(records),
            tables=[self._entry(table) for table in self.tables],
            runs=self._runs(records),
            missing=missing,
            deviations=self.profile.deviations,
            fixed_pages=self.fixed_pages,
            provenance=provenance_table({run_id: record.provenance for run_id, record in records.items()}).data,
        )
        return self.folder / INDEX

    def _learning(self, records: dict[str, Record]) -> str:
        """The learning curves for the page; the picture also lies beside it."""
        learned = learning_figure(records)
        if learned is None:
            return ""
        learned.figure.savefig(self.folder / LEARNING_FIGURE, metadata={"Software": None}, dpi=144)
        alt = "Learning curves: AP and mean OKS over minutes of training."
        return as_html(learned.figure, alt, learned.caption).data

    def _entry(self, table: Table) -> TableEntry:
        content = (self.store.table_folder(table.number) / RESULT_FILE).read_text()
        result = TableResult.model_validate_json(content)
        return TableEntry(
            number=table.number,
            title=table.title,
            question=table.question,
            page=table_page(table),
            rows=result_table(table, result).data,
            claims=claims_table(result).data,
            files=csv_links(table),
        )

    def _runs(self, records: dict[str, Record]) -> str:
        rows = []
        if not self.run_ids:
            return ""
        for run_id in self.run_ids:
            record = records.get(run_id)
            metrics = record.metrics if record else ()
            cells = {"run": run_id, "state": self.store.state(run_id).value}
            cells |= {f"AP, {one.boxes.value.replace('_', ' ')} boxes": one.AP for one in metrics}
            similarity = [one.mean_oks for one in metrics if one.mean_oks is not None]
            cells |= {"mean OKS": f"{similarity[0]:.3f}"} if similarity else {}
            if record is None:
                cells["state"] += f": {self.store.error(run_id)}"
            rows.append(cells)
        names = list(dict.fromkeys(name for row in rows for name in row))
        full = [{name: row.get(name, "—") for name in names} for row in rows]
        table = show_table(full, "Each run's page has its learning curve, metrics and example predictions.").data
        for run_id in self.run_ids:
            if (self.folder / "runs" / f"{run_id}.html").exists():
                table = table.replace(f">{run_id}<", f'><a href="runs/{run_id}.html">{run_id}</a><')
        return table

    def _recorded(self, run_id: str) -> bool:
        return self.store.recorded_state(run_id).done

    def _navigation(self) -> tuple[Link, ...]:
        pages = [Link(f"Table {table.number}", table_page(table)) for table in self.tables]
        fixed = [Link(page.short, page.file) for page in self.fixed_pages]
        return (Link("Overview", INDEX), Link("Audit", AUDIT_PAGE), *pages, *fixed)

    def _beside(self, page: str) -> tuple[Link, ...]:
        pages = self._navigation()
        position = [link.target for link in pages].index(page)
        before, after = pages[max(1, position - 1) : position], pages[position + 1 : position + 2]
        return (
            pages[0],
            *(Link(f"← {one.text}", one.target) for one in before),
            *(Link(f"{one.text} →", one.target) for one in after),
        )

    def _write_notebook(self, notebook: Path, page: str, navigation: Sequence[Link], files: Sequence[Link]) -> None:
        title = notebook_title(notebook)
        self._write(page, "notebook.html.j2", title, navigation, blocks=notebook_blocks(notebook), files=files)

    def _write(self, page: str, template: str, title: str, navigation: Sequence[Link], **values: object) -> None:
        text = self.templates.get_template(template).render(
            title=title,
            navigation=navigation,
            style=Markup((TEMPLATES / "style.css").read_text()),
            code_style=Markup(code_colours()),
            stamp="" if self.profile.evidential or page == AUDIT_PAGE else SMOKE_STAMP,
            footer=f"poseur_lib {version('poseur_lib')}, profile {self.profile.name}.",
            **values,
        )
        write_atomically(self.folder / page, text.encode())


def table_page(table: Table) -> str:
    """File name of a table's page."""
    return f"table_{table.number}.html"


def _missing(table: Table, store: RunStore) -> str | None:
    """Why a table has no page; None where it can have one."""
    folder, name = store.table_folder(table.number), f"Table {table.number} ({table.title})"
    if (folder / ERROR_FILE).exists():
        return f"{name} failed: {(folder / ERROR_FILE).read_text().strip().splitlines()[-1]}"
    if not (folder / RESULT_FILE).exists():
        return f"{name} was not run."
    if not (folder / NOTEBOOK_FILE).exists():
        return f"{name} has results, but its notebook was executed elsewhere: poseur study run makes the page."
    return None


def csv_links(table: Table) -> tuple[Link, ...]:
    """The CSV files of a table."""
    names = [f"table_{table.number}_{name}.csv" for name in ("rows", "claims")]
    return tuple(Link(name, f"csv/{name}") for name in names)


def _what(record: Record | None) -> str:
    if record is None:
        return ""
    one = record.provenance
    data = "generated people" if one.generated_data else "a COCO folder"
    return f"Evaluated on {one.n_images:,} images of {data} ({one.data_name}, {one.data_fingerprint})."
