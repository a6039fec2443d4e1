"""What the README tells one to type is what the command line takes."""

import re
import shlex
from itertools import pairwise

import pytest
import typer
import yaml

from poseur_study.cli import main as cli
from poseur_study.execution.slurm import SlurmOptions
from poseur_study.experiments import tables
from poseur_study.experiments.profiles import profile
from tests.setup.project import ROOT

README = (ROOT / "README.md").read_text()
CLUSTERS = (ROOT / "docs" / "clusters.md").read_text()
DOCS = "".join(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
COMMANDS = [line.strip() for line in (README + DOCS).splitlines() if re.match(r"    (\.venv/bin/)?poseur (?!=)", line)]
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_one(line: str) -> None:
    _, *arguments = shlex.split(line, comments=True)
    command = typer.main.get_command(cli.app)
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    context = command.make_context(command.name, list(arguments))  # raises for what it does not know
    assert context.params and not context.args


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) >= 12


def test_profiles_and_tables_that_are_named_exist() -> None:
    words = [word for line in COMMANDS for word in shlex.split(line, comments=True)]
    after = {option: [b for a, b in pairwise(words) if a == option] for option in ("--profile", "--tables")}
    assert len(after["--profile"]) > 4 and len(after["--tables"]) > 2
    for name in after["--profile"]:
        profile(name)  # raises for one that there is not
    for numbers in after["--tables"]:
        tables(numbers.split(","))


def test_make_has_the_targets_that_are_named() -> None:
    targets = set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE))
    named = re.findall(r"(?:`|^    )make ([\w-]+)", README + CONTRIBUTING, re.MULTILINE)
    assert {"study", "test", "test-all", "study-all"} <= set(named) <= targets


def test_the_slurm_file_is_one() -> None:
    (block,) = re.findall(r"\n((?:    \w+: .+\n){3,})", CLUSTERS)
    options = SlurmOptions.model_validate(yaml.safe_load(block))
    assert (options.jobs, options.gpus, options.walltime) == (8, 1, "48:00:00")
