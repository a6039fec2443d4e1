"""The command `poseur`: its sub-commands, and errors as one line.

Modules imported here must not import torch: they do so inside their commands, so that `poseur --help` is quick.
"""

import io
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from pydantic import ValidationError

from poseur_lib.errors import Interrupted, UserError, describe_validation, of_worker
from poseur_lib.faults import advised
from poseur_study.cli import config, convert, cost, data, evaluate, predict, report, runs, study, train
from poseur_study.runs.signals import ends_in_order, received

SIGNALLED = 128  # the shell's exit status for a process that a signal ended is so much more than the signal
INTERRUPTED = SIGNALLED + signal.SIGINT
USAGE = 2
STUDY_MODULES = frozenset(
    (
        "IPython",
        "anywidget",
        "bleach",
        "dask",
        "distributed",
        "ipywidgets",
        "jupyter_client",
        "markupsafe",
        "matplotlib",
    )
) | {"nbclient", "nbconvert", "nbformat", "papermill", "pygments", "seaborn", "traitlets", "yaml"}
"""What the extra [study] installs: the commands of tables and pages import it, those of the library do not."""

app = typer.Typer(
    name="poseur",
    help="Train and evaluate Poseur (ECCV 2022) and its baselines, and set the paper's tables beside our runs.",
    epilog="First steps: poseur data generate data/people, then poseur study run --profile smoke.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # joins the lines of a paragraph
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data.app, name="data")
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(predict.predict)
app.command()(convert.convert)
app.command()(convert.export)
app.command()(cost.cost)
app.command()(config.config)
app.command()(evaluate.ceiling)
app.add_typer(study.app, name="study")
app.add_typer(runs.app, name="runs")
app.command("report")(report.report)


def _print_version(value: bool) -> bool:
    if value:
        typer.echo(f"poseur {version('poseur_lib')}")
        raise typer.Exit
    return value


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback on errors; may stand anywhere.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return the process's exit code.

    An error is one line on standard error; `--debug` anywhere among the arguments adds the traceback.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names in files may hold what no terminal can print
    try:
        arguments = [argument for argument in given if argument != "--debug"]
        with ends_in_order(dies=False):
            result = app(args=arguments, prog_name="poseur", standalone_mode=False)
        if result == INTERRUPTED:  # typer turns Ctrl-C into this code
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except (Exception, KeyboardInterrupt) as error:
        if "--debug" in given:
            traceback.print_exc()
        line, code = explain(error, given)
        print(line, file=sys.stderr)
        return code


def explain(error: BaseException, arguments: Sequence[str] = ()) -> tuple[str, int]:
    """What to print for an error that these command-line arguments led to, and the exit code."""
    if isinstance(error, KeyboardInterrupt | typer.Abort | Interrupted):
        ended_by, text = received(), str(error) if isinstance(error, Interrupted) else "interrupted"
        if ended_by != signal.SIGINT:
            text = text.replace("interrupted", f"ended by {ended_by.name}", 1)
        return f"poseur: {text}", SIGNALLED + ended_by
    if hasattr(error, "format_message"):
        return _explain_usage(error, arguments)
    if isinstance(error, ValidationError):
        from poseur_lib import config

        return f"poseur: {_one_line(describe_validation(error, getattr(config, error.title, None)))}", 1
    if isinstance(error, UserError):
        return f"poseur: {_one_line(str(error))}", 1
    if isinstance(error, ModuleNotFoundError) and (missing := str(error.name).partition(".")[0]) in STUDY_MODULES:
        return f"poseur: {missing} is not installed: pip install 'poseur_lib[study]'", 1
    name = type(error).__name__
    said = advised(text := f"{name}: {_one_line(of_worker(str(error)))}")
    if said != text:
        return f"poseur: {said}", 1
    if isinstance(error, OSError) and error.filename is not None:
        return f"poseur: {error.filename}: {error.strerror}", 1
    return f"poseur: {text} (run again with --debug for the traceback)", 1


def _explain_usage(error: BaseException, arguments: Sequence[str]) -> tuple[str, int]:
    """A wrong command line; typer carries its own copy of click from 0.2x on, so the class has no one address."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "poseur"
    if type(error).__name__ == "NoArgsIsHelpError":
        return context.get_help(), USAGE
    message = _one_line(error.format_message()).rstrip(".")
    for option in getattr(getattr(error, "param", None), "opts", ()):
        if option in arguments[:-1]:
            message += f", given {arguments[list(arguments).index(option) + 1]!r}"
    return f"poseur: {message} (see: {command} --help)", getattr(error, "exit_code", USAGE)


def _one_line(text: str) -> str:
    """Without line breaks, and without the rest of a word that is longer than any path."""
    return re.sub(r"(\S{200})\S{800,}", r"\1...", " ".join(text.split()))


if __name__ == "__main__":
    sys.exit(main())
