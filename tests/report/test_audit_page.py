"""The audit's page: executed without any run, first in the navigation, with every claim and every cell."""

import csv
import html
import re

import pytest

from poseur_lib.errors import UserError
from poseur_study.cli.main import main
from poseur_study.display.audit_tables import claims_list, counts_table, same_subject_table
from poseur_study.experiments.notebook_parameters import AuditSettings
from poseur_study.experiments.profiles import profile
from poseur_study.paper.audit import audit, claims_of, same_subject, summary
from poseur_study.paper.checks import Agreement
from poseur_study.paper.claims import paper_claims
from poseur_study.paper.tables import paper_tables
from poseur_study.report.site import write_report
from poseur_study.runs.store import RunStore


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report of a profile that has no run."""
    root = tmp_path_factory.mktemp("no runs")
    write_report(profile("smoke"), RunStore(root / "runs" / "smoke"), root / "report")
    return root / "report"


def test_the_index_counts_and_the_audit_comes_first(report):
    index = (report / "index.html").read_text()
    assert summary(audit()) in html.unescape(index)
    navigation = index[index.index("<nav") : index.index("</nav>")]
    assert re.findall(r'href="([^"]*)"', navigation)[:3] == ["index.html", "ledger.html", "audit.html"]


def test_the_page_has_every_claim_and_no_error(report):
    page = (report / "audit.html").read_text()
    for claim in paper_claims().values():
        assert claim.statement in html.unescape(page), claim.key
    assert 'class="error"' not in page and "is no evidence" not in page
    assert len(page.encode()) < 1_000_000
    assert all(re.search(r'alt="[^"]{10,}"', image) for image in re.findall(r"<img [^>]*>", page))
    for target in re.findall(r'href="([^"#]+)"', page):
        assert target == "data:," or (report / target).exists(), target


def test_the_csv_files_hold_everything(report):
    claims = list(csv.DictReader((report / "csv" / "paper_claims.csv").open()))
    assert [row["claim"] for row in claims] == [claim.key for claim in paper_claims().values()]
    cells = list(csv.DictReader((report / "csv" / "paper_cells.csv").open()))
    assert len(cells) == sum(len(row.cells) for table in paper_tables().values() for row in table.rows)
    assert {row["printed"] for row in cells if row["column"] == "AP_L" and row["table"] == "6"} == {"lost"}


def test_tables_show_what_the_audit_found():
    audited = audit(claims_of(["cost"]))
    contradictions = claims_list(audited, Agreement.CONTRADICTS).data
    assert "49 %" in contradictions and "14.6" not in contradictions
    assert "The rounding of the printed digits may explain it." in contradictions
    assert "26 pairs" not in claims_list(audited, Agreement.AGREES).data
    assert claims_list([], Agreement.AGREES).data == "<p>None.</p>"
    assert counts_table(audited).data.count("<tr>") == 1 + 4 + 1
    assert "70.4 (5); 71.0 (2b); 72.4 (2a)" in same_subject_table(same_subject("AP")).data


def test_a_misspelt_parameter_is_named():
    assert AuditSettings.from_notebook({"kinds": ["cost"], "columns": ["AP"]}).kinds == ["cost"]
    with pytest.raises(UserError, match="kinds"):
        AuditSettings.from_notebook({"kinds": ["costs"]})


def test_a_folder_of_runs_that_is_not_there_leaves_the_report_alone(tmp_path, monkeypatch, capsys):
    """Relative to the current folder, as in the other commands; nothing is made or removed."""
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "reports" / "mini" / "table_1b.html"
    page.parent.mkdir(parents=True)
    page.write_text("committed")
    assert main(["report", "--profile", "mini", "--runs", "rnus", "--out", "reports"]) == 1
    assert "--runs rnus: no runs of profile mini in it" in capsys.readouterr().err
    assert page.read_text() == "committed" and not (tmp_path / "rnus").exists()
