"""`reports/<profile>/`: the first page, the ledger, a page a table, and what they rest on; they need no network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from poseur_lib.errors import UserError
from poseur_lib.files import write_atomically
from poseur_study.analysis.claim_ledger import ledger_csv
from poseur_study.experiments.profiles import Profile
from poseur_study.profile_study import Failure, ProfileStudy, table_page
from poseur_study.report.execute import WarmKernel, executed_page, problem
from poseur_study.report.explorer import explorer_notebook
from poseur_study.report.render import Files, Link, page, read_notebook
from poseur_study.runs.origin import NotebookOrigin, imported_words, notebook_origin
from poseur_study.runs.project import as_noted, notebook_path
from poseur_study.runs.store import (
    ERROR_FILE,
    EXPLORER_TABLE,
    FAILED_NOTEBOOK_FILE,
    NOTEBOOK_FILE,
    RunStore,
    failure_text,
)

SMOKE_STAMP = "smoke: proves the plumbing, is no evidence"
INDEX, EXPLORER = "index.html", "explorer.html"
OURS = ("*.html", "csv/*.csv", "figures/*.pdf", "runs/*.html", "learning_curves.png")
"""What a report writes, or an earlier version of it did, and removes where it is of an earlier one."""


@dataclass(frozen=True)
class PageNotebook:
    """A page that is no table: its notebook below `notebooks/report/`, and its place in the menu."""

    file: str
    name: str
    group: str
    of_profile: bool = True

    @property
    def source(self) -> str:
        """Of its notebook, below `notebooks/`."""
        return f"report/{self.file.removesuffix('.html')}.ipynb"


PAGES = (
    PageNotebook(INDEX, "Overview", "Start"),
    PageNotebook("ledger.html", "Ledger of claims", "Start"),
    PageNotebook("audit.html", "The paper against itself", "Start", of_profile=False),
    PageNotebook("runs.html", "Runs and compute", "What it rests on"),
    PageNotebook("deviations.html", "Deviations", "What it rests on"),
    PageNotebook("parity.html", "Parity with the released code", "What it rests on", of_profile=False),
    PageNotebook("costs.html", "Parameters and GFLOPs", "What it rests on", of_profile=False),
    PageNotebook("methods.html", "Methods on one pipeline", "What it rests on", of_profile=False),
    PageNotebook("speed.html", "Speed", "What it rests on", of_profile=False),
)


def write_report(profile: Profile, store: RunStore, folder: Path) -> Path:
    """Write all pages of a profile and return the index; pages of an earlier report that are gone are removed.

    The audit of the paper needs no run, so that there is always something to report.

    Raises:
        UserError: the results of a table are of another version; or, all else written, a page's notebook failed.
    """
    return Site(ProfileStudy(profile.name, as_noted(store.folder.parent)), folder).write()


class Site:
    """The pages of one profile."""

    def __init__(self, study: ProfileStudy, folder: Path) -> None:
        self.study, self.folder = study, folder
        self.written: set[Path] = set()
        self.problems: list[str] = []

    @cached_property
    def menu(self) -> dict[str, list[Link]]:
        """Every page but those of failures, by group, in the order in which they are read."""
        groups: dict[str, list[Link]] = {"Start": [], "Tables and figures": [], "What it rests on": []}
        for one in PAGES:
            groups[one.group].append(Link(one.name, one.file))
        for table in self.study.tables:
            groups["Tables and figures"].append(Link(f"{table.name}: {table.title}", table_page(table)))
        if explorer_notebook(self.study.store).exists():
            groups["Tables and figures"].append(Link("Attention of one person", EXPLORER))
        return groups

    def write(self) -> Path:
        """Every page; the index is returned."""
        parameters = {"profile": self.study.profile.name, "runs": as_noted(self.study.store.folder.parent)}
        if self.study.records:
            self.study.store.verified.save()  # the kernel need not unpack what was verified here
        with WarmKernel() as kernel:
            for one in PAGES:
                given: Mapping[str, Any] = parameters if one.of_profile else {}
                notebook = executed_page(kernel, notebook_path(one.source), given, self.study)
                if (why := problem(notebook)) is not None:
                    self.problems.append(f"{one.name}: {why}")
                self._write(one.file, notebook, stamp=one.of_profile)
        for table in self.study.tables:
            source = self.study.store.table_folder(table.number)
            files = sorted(source.glob("*.csv"))
            self._write(table_page(table), self._notebook(source / NOTEBOOK_FILE), files, of=source)
        if (explorer := explorer_notebook(self.study.store)).exists():
            self._write(EXPLORER, self._notebook(explorer), of=explorer.parent)
        for failure in self.study.failures():
            self._write_failure(failure)
        self._write_file("csv/ledger.csv", ledger_csv(self.study.entries).encode())
        self._remove_others()
        if self.problems:
            raise UserError(f"{self.folder / INDEX} is written, but pages failed: {'; '.join(self.problems)}")
        return self.folder / INDEX

    def _notebook(self, path: Path) -> NotebookNode:
        """An executed notebook, or one that says why it cannot be read, which does not keep the others back."""
        try:
            return read_notebook(path)
        except UserError as error:
            self.problems.append(str(error))
            return new_notebook(cells=[new_markdown_cell(f"# {path.name} cannot be read\n\n{error}")])

    def _write_failure(self, failure: Failure) -> None:
        """The last output of what failed, and its notebook as far as it got."""
        error = failure_text(failure.folder / ERROR_FILE)
        head = new_markdown_cell(f"# {failure.name} failed\n\n```\n{error}\n```")
        notebook = failure.folder / FAILED_NOTEBOOK_FILE
        cells = self._notebook(notebook).cells if notebook.exists() else []
        self._write(failure.page, new_notebook(cells=[head, *cells]))

    def _stamps(self, of: Path | None) -> list[str]:
        """What whoever reads a page of the profile is to know first; `of`: the folder of its executed notebook."""
        study, result = self.study, None if of is None else self.study.results.get(of.name)
        ids = set(study.run_ids if result is None else (one for row in result.rows for one in row.run_ids))
        ids |= {parent for one in ids & study.records.keys() for parent in study.records[one].parents}
        stamps = [SMOKE_STAMP] * (not study.profile.evidential)
        stamps += [] if of is None else [imported_words([of], "table")]
        if of is not None and of.name == EXPLORER_TABLE:
            ended = self._notebook(of / NOTEBOOK_FILE).metadata.get("papermill", {}).get("end_time") or "a day unknown"
            stamps.append(f"Executed on {ended[:10]}: its list of runs is of then.")
        if of is not None and (of / ERROR_FILE).exists():
            stamps.append("The last execution of this page failed: what it shows is of an earlier one.")
        stamps += [imported_words(map(study.store.path, sorted(ids)), "run")]
        if of is not None and notebook_origin(of) == NotebookOrigin.ALTERED:
            stamps.append(f"The notebook of this page was {NotebookOrigin.ALTERED}: it has not the SHA-256 of its run.")
        return [stamp for stamp in stamps if stamp]

    def _write(
        self, name: str, notebook: NotebookNode, csv: Sequence[Path] = (), stamp: bool = True, of: Path | None = None
    ) -> None:
        links = [link for of_group in self.menu.values() for link in of_group]
        places = [place for place, link in enumerate(links) if link.target == name]
        before, after = [None, *links, None][places[0] : places[0] + 3 : 2] if places else (None, None)
        files, stem = Files(), name.removesuffix(".html")
        for path in csv:
            files.of[f"csv/{stem}_{path.name}"] = path.read_bytes()
        origin = "" if of is None else f" Executed notebook: {notebook_origin(of)}."
        beside = [Link(path.name, f"csv/{stem}_{path.name}") for path in csv]
        text = page(
            notebook, name, files, menu=self.menu, before=before, after=after, beside=beside,
            stamps=self._stamps(of) if stamp else [],
            footer=f"poseur_lib {version('poseur_lib')}, profile {self.study.profile.name}.{origin}",
        )  # fmt: skip
        for file, content in (*files.of.items(), (name, text.encode())):
            self._write_file(file, content)

    def _write_file(self, name: str, content: bytes) -> None:
        write_atomically(self.folder / name, content)
        self.written.add(self.folder / name)

    def _remove_others(self) -> None:
        """Remove what an earlier report has left; nothing but what a report writes is touched."""
        for pattern in OURS:
            for path in self.folder.glob(pattern):
                if path not in self.written:
                    path.unlink()
