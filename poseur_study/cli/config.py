"""`poseur config`: every knob that `--set` takes, with its default, its meaning and the tables that vary it."""

import inspect
import json
import re
import shutil
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from poseur_lib.errors import Knob, knobs, unknown_name

SECTION, ENTRY = "Attributes:\n", re.compile(r"^(?=[a-z0-9_, ]+: )", re.MULTILINE)
COLUMNS = 100
Setting = tuple[str, str | None]
"""A knob's path, and the kind of the node that it is in, where that has one."""


def config(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[WORD]...", help="Only knobs whose path or meaning has all of these.")
    ] = None,
) -> None:
    """List every knob of a configuration: what --set PATH=VALUE takes, its default, its meaning and its tables.

    Where a node is one of several kinds, each knob's kind is named. --set model.backbone.depth=101 changes a knob of
    the kind that is there, --set 'model.backbone={"kind": "hrnet", "width": 48}' the kind.
    """
    from poseur_lib.config import ExperimentConfig

    found = [knob for knob in knobs(ExperimentConfig) if knob.path.rpartition(".")[2] != "kind"]
    width = min(COLUMNS, shutil.get_terminal_size((COLUMNS, 24)).columns)
    entries = dict.fromkeys(entry(knob, width) for knob in found)
    shown = [one for one in entries if all(word.lower() in " ".join(one.lower().split()) for word in words or ())]
    if not shown:
        raise unknown_name("knob", " ".join(words or ()), {knob.path for knob in found})
    typer.echo("\n".join(shown))


def entry(knob: Knob, width: int) -> str:
    """`path = default`, and below it what it means, in lines of at most `width` columns."""
    kind = knob.owner.model_fields.get("kind")
    of_kind = f"   [kind {kind.default}]" if kind is not None and "." in knob.path else ""
    own_kind = kind.default if kind is not None else None
    varied = ", ".join(tables_by_setting().get((knob.path, own_kind), ()))
    words = " ".join(filter(None, (meaning(knob), varied and f"Varied in {varied}.")))
    indent = {"initial_indent": "    ", "subsequent_indent": "    "}
    head = textwrap.wrap(f"{knob.path} = {default(knob)}{of_kind}", width, subsequent_indent="    ")
    return "\n".join((*head, *textwrap.wrap(words, width, **indent)))


def default(knob: Knob) -> str:
    """As JSON has it; of a node its kind, or "..." where there is one alone."""
    if knob.field.is_required():
        return "to be given"
    value = knob.field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return f'{{"kind": "{value.kind}"}}' if "kind" in type(value).model_fields else "{...}"
    return json.dumps(to_jsonable_python(value))


def meaning(knob: Knob) -> str:
    """What the docstring of its class says of it; where that names no knobs, all that it says."""
    name = knob.path.rpartition(".")[2]
    documented = [inspect.cleandoc(owner.__doc__) for owner in knob.owner.__mro__ if issubclass(owner, BaseModel)]
    for text in documented:
        for one in ENTRY.split(textwrap.dedent(text.partition(SECTION)[2].partition("\n\n")[0])):
            names, _, words = one.partition(": ")
            if name in re.split(", *", names):
                return " ".join(words.split()).removesuffix(".") + "."
    return " ".join(documented[0].partition(SECTION)[0].split())


@cache
def tables_by_setting() -> dict[Setting, list[str]]:
    """By setting, the names of the tables of whose rows some have it at one value, some at another."""
    from poseur_lib.config import ExperimentConfig
    from poseur_study.experiments import TABLES

    found: dict[Setting, list[str]] = {}
    for table in TABLES:
        values: dict[Setting, set[str]] = {}
        for row in table.runnable:
            config = ExperimentConfig().with_changes(**table.changes(row))
            for setting, value in settings(config.model_dump(mode="json")):
                values.setdefault(setting, set()).add(value)
        for setting in (one for one, different in values.items() if len(different) > 1):
            found.setdefault(setting, []).append(table.name)
    return found


def settings(tree: dict[str, Any], above: str = "") -> Iterator[tuple[Setting, str]]:
    """Every setting of a configuration with its value; of a node that is its kind, and all that is in it follows."""
    for name, value in tree.items():
        node = isinstance(value, dict)
        yield (above + name, tree.get("kind")), str(value.get("kind", "{...}") if node else value)
        if node:
            yield from settings(value, f"{above}{name}.")
