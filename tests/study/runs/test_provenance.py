"""What a record says of the code that made it."""

import subprocess
from pathlib import Path

import pytest

from poseur_study.experiments.profiles import profile
from poseur_study.runs.provenance import git_state
from tests.study.fakes import make_record


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path) -> Path:
    root = tmp_path / "a checkout"
    for name in ("package/model.py", "runs/mini/record.json", "reports/index.html", "runs.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("as committed")
    git(root, "init")
    git(root, "add", "--all")
    git(root, "commit", "--message", "all")
    return root


@pytest.mark.parametrize(
    ("changed", "dirty"),
    [
        ("runs/mini/record.json", False),
        ("reports/index.html", False),
        ("package/model.py", True),
        ("runs.py", True),
    ],
)
def test_what_runs_and_reports_write_is_no_change_of_the_code(checkout, changed, dirty):
    commit, clean = git_state(checkout / "package")
    assert len(commit) == 40 and clean is False
    (checkout / changed).write_text("changed")
    assert git_state(checkout / "package") == (commit, dirty)


@pytest.mark.parametrize(
    ("computed", "words", "precision"),
    [
        ("", "", "32"),
        ("graph, data on the device; training runs step by step, not by graph: 16-mixed scales it", "", "32"),
        ("graph, bf16-mixed; graph, bf16-mixed, 2 devices, why not", ", bf16-mixed, 2 devices", "bf16-mixed"),
    ],
)
def test_results_of_another_precision_are_not_computed_alike(computed, words, precision):
    made = make_record(profile("smoke").experiment(0)).provenance.with_changes(computed=computed)
    assert made.computed_on == f"a processor with torch {made.versions['torch']}{words}"
    assert made.precision == precision


def test_outside_a_checkout_there_is_no_commit_but_the_one_that_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("POSEUR_COMMIT", raising=False)
    assert git_state(tmp_path) == ("", False)
    monkeypatch.setenv("POSEUR_COMMIT", "a1b2c3")
    assert git_state(tmp_path) == ("a1b2c3", False)
