"""What the README tells one to type is what the command line takes."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from poseur_lib.cli import main as cli
from poseur_lib.study.slurm import SlurmOptions

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [line.strip() for line in README.splitlines() if re.match(r"    (\.venv/bin/)?poseur ", line)]
TARGETS = re.findall(r"^    make ([\w-]+)", README, re.MULTILINE)


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
    assert len(COMMANDS) > 12 and TARGETS == ["study", "test"]


def test_the_slurm_file_is_one() -> None:
    (block,) = re.findall(r"\n((?:    \w+: .+\n){3,})", README)
    options = SlurmOptions.model_validate(yaml.safe_load(block))
    assert (options.jobs, options.gpus, options.walltime) == (8, 1, "48:00:00")


def test_files_and_folders_that_are_named_exist() -> None:
    named = re.findall(r"`((?:poseur_lib|notebooks|runs|reports|benchmarks|tests)/[\w./]*)`", README)
    made = {"reports/smoke/index.html"}
    missing = [path for path in named if path not in made and not (ROOT / path).exists()]
    assert len(named) > 8 and missing == []
