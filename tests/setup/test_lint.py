"""`make lint`, the pre-commit hooks and .ci/run make the same four checks, with the tools of the environment."""

import re
import shlex

import yaml

from tests.setup.project import PYPROJECT, ROOT

HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
MAKEFILE = (ROOT / "Makefile").read_text()


def lint_commands() -> list[list[str]]:
    """What `make lint` starts, by module and arguments without files."""
    (recipe,) = re.findall(r"^lint: install\n((?:\t.+\n)+)", MAKEFILE, re.MULTILINE)
    lines = re.findall(r"-m (.+)", recipe)
    return [[word for word in shlex.split(line) if word != "." and not word.endswith(".ipynb")] for line in lines]


def test_hooks_are_those_of_make_lint() -> None:
    (local,) = HOOKS
    assert local["repo"] == "local" and {hook["language"] for hook in local["hooks"]} == {"system"}
    entries = [shlex.split(hook["entry"].replace(" --force-exclude", "")) for hook in local["hooks"]]
    assert entries == lint_commands()
    assert [entry[0] for entry in entries] == ["ruff", "ruff", "mypy", "nbstripout"]


def test_a_submission_is_linted_before_it_is_tested() -> None:
    steps = re.findall(r"^make (\w+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert steps == ["lint", "test"]


def test_types_of_the_whole_library_are_checked() -> None:
    assert PYPROJECT["tool"]["mypy"]["files"] == ["poseur_lib"]
    assert not any(override.get("ignore_errors") for override in PYPROJECT["tool"]["mypy"].get("overrides", ()))


def test_executed_notebooks_are_left_out() -> None:
    assert PYPROJECT["tool"]["ruff"]["extend-exclude"] == ["runs/*", "reports/*"]
