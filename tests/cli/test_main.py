"""The command `poseur`: help, one-line errors, exit codes, and a start that is quick."""

import inspect
import os
import subprocess
import sys
from typing import Any

import pytest
import typer
from pydantic import ValidationError
from typer.testing import CliRunner

from poseur_lib.errors import UserError
from poseur_study.cli import main as cli
from poseur_study.cli.data import generate, parse_images
from poseur_study.cli.options import parse_size
from synthetic_people.settings import PeopleSettings


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """Replaces the commands by one that raises the given error."""

    def install(error: BaseException) -> None:
        broken = typer.Typer()

        @broken.command()
        def fail() -> None:
            raise error

        monkeypatch.setattr(cli, "app", broken)

    return install


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120"}
    command = [sys.executable, "-m", "poseur_study", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(cli.app, ["--help"])
    assert result.exit_code == 0
    for name in ("data", "--debug", "--version"):
        assert name in result.output


def every_command() -> list[list[str]]:
    found: list[list[str]] = []

    def walk(command: Any, path: list[str]) -> None:
        found.append(path)
        for name, sub in getattr(command, "commands", {}).items():
            walk(sub, [*path, name])

    walk(typer.main.get_command(cli.app), [])
    return found


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_help_says_all_of_it_and_joins_the_lines_of_a_paragraph(path: list[str]) -> None:
    result = CliRunner().invoke(cli.app, [*path, "--help"], env={"COLUMNS": "2000", "NO_COLOR": "1"})
    assert result.exit_code == 0 and "Usage" in result.output
    command = typer.main.get_command(cli.app)
    for name in path:
        command = command.commands[name]
    options = [option.help for option in command.params if getattr(option, "help", None)]
    for paragraph in [*inspect.cleandoc(command.help).split("\n\n"), *options]:
        assert " ".join(paragraph.split()).replace("`", "") in result.output


def test_help_does_not_import_torch() -> None:
    code = (
        "import sys, poseur_study.cli.main; print(sorted({'torch', 'lightning', 'pandas', 'cv2'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.strip() == "[]", result.stderr


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (UserError("size '3': give\n  HxW"), "poseur: size '3': give HxW", 1),
        (FileNotFoundError(2, "No such file or directory", "/x/y.json"), "poseur: /x/y.json: No such file", 1),
        (KeyboardInterrupt(), "poseur: interrupted", 130),
        (KeyError("seed"), "poseur: KeyError: 'seed' (run again with --debug", 1),
        (
            ModuleNotFoundError("No module named 'dask'", name="dask.distributed"),
            "poseur: dask is not installed: pip install 'poseur_lib[study]'",
            1,
        ),
        (ModuleNotFoundError("No module named 'lost'", name="lost"), "poseur: ModuleNotFoundError: No module", 1),
    ],
)
def test_an_error_is_one_line(failing, capsys, error: BaseException, line: str, code: int) -> None:
    failing(error)
    assert cli.main([]) == code
    (printed,) = capsys.readouterr().err.splitlines()
    assert printed.startswith(line)


def test_a_validation_error_is_one_line(failing, capsys) -> None:
    with pytest.raises(ValidationError) as caught:
        PeopleSettings(seed=-1, sead=2)
    failing(caught.value)
    assert cli.main([]) == 1
    (printed,) = capsys.readouterr().err.splitlines()
    assert "seed = -1" in printed and "unknown parameter 'sead'" in printed


def test_debug_adds_the_traceback(failing, capsys) -> None:
    failing(UserError("bad"))
    cli.main([])
    assert "Traceback" not in capsys.readouterr().err
    cli.main(["--debug"])
    printed = capsys.readouterr().err
    assert "Traceback" in printed and printed.rstrip().endswith("poseur: bad")


def test_exit_codes_of_commands_are_passed_on(failing) -> None:
    failing(typer.Exit(3))
    assert cli.main([]) == 3


def test_a_real_process() -> None:
    misspelt = run("dta")
    assert (misspelt.returncode, misspelt.stdout) == (2, "")
    assert misspelt.stderr.splitlines() == [
        "poseur: No such command 'dta'. Did you mean 'data'? (see: poseur --help)",
    ]
    assert run("--version").stdout.startswith("poseur 0.")
    assert run("data", "generate", "x", "--train", "many").stderr.count("\n") == 1


def test_the_value_that_does_not_fit_is_named() -> None:
    line = run("data", "generate", "x", "--train", "many").stderr
    assert "--train" in line and "'many'" in line


@pytest.mark.parametrize("cluster", [("--scheduler", "tcp://127.0.0.1:1"), ("--slurm", "slurm.yaml")])
def test_runs_share_gpus_of_this_machine_alone(capsys, cluster: tuple[str, str]) -> None:
    assert cli.main(["study", "run", "--runs-per-gpu", "2", *cluster]) == 1
    assert capsys.readouterr().err.startswith("poseur: --runs-per-gpu is for this machine")


@pytest.mark.parametrize("given", ["-1", "many", ""])
def test_loader_workers_of_no_number(capsys, given: str) -> None:
    assert cli.main(["study", "run", "--loader-workers", given]) == 1
    assert capsys.readouterr().err.startswith(f"poseur: --loader-workers {given!r}: give a number from 0, or auto")


@pytest.mark.parametrize("more", [("--workers", "2"), ("--devices", "2")])
def test_auto_decides_how_many_runs_there_are(capsys, more: tuple[str, str]) -> None:
    assert cli.main(["study", "run", "--runs-per-gpu", "auto", *more]) == 1
    assert capsys.readouterr().err.startswith("poseur: --runs-per-gpu auto decides itself how many runs there are")


def test_generate_has_the_defaults_of_the_generator() -> None:
    default = {name: parameter.default for name, parameter in inspect.signature(generate).parameters.items()}
    settings = PeopleSettings()
    assert (default["train"], default["val"]) == (settings.train_images, settings.val_images)
    assert parse_size(default["size"]) == settings.image_size
    assert (default["seed"], default["hard"], default["parts"]) == (settings.seed, settings.hard, settings.parts)


def test_parse_size() -> None:
    assert parse_size("256x192") == parse_size(" 256X192 ") == (256, 192)
    for text in ("256", "256x", "axb", "-1x2", "1x2x3"):
        with pytest.raises(UserError, match="HEIGHTxWIDTH"):
            parse_size(text)


def test_parse_images() -> None:
    assert (parse_images("all"), parse_images("0"), parse_images("25")) == (None, 0, 25)
    with pytest.raises(UserError, match="images 'some'"):
        parse_images("some")


def test_data_check_of_a_missing_folder(capsys) -> None:
    assert cli.main(["data", "check", "/no/such/folder"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("poseur: /no/such/folder: ")


def test_data_check_of_an_empty_folder_fails_with_a_report(tmp_path, capsys) -> None:
    assert cli.main(["data", "check", str(tmp_path)]) == 1
    assert "person_keypoints_train2017.json: no such file" in capsys.readouterr().out


def test_data_check_of_real_people(shared, capsys) -> None:
    assert cli.main(["data", "check", str(shared / "data" / "coco_tiny"), "--images", "all"]) == 0
    assert "problems: none" in capsys.readouterr().out
