"""Errors as a person reads them: one line that names what was given and the nearest thing that is known."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import SequenceMatcher, get_close_matches
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails


class UserError(ValueError):
    """Something the user gave cannot be used; the message is one line that names it and its value.

    One that a loader's process raised arrives here with that process' traceback before the line, which is left out.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(of_worker(message))


WORKER = re.compile(r"Caught .+ in .+ process \d+\.\n.*^(?:[A-Za-z_]\w*\.)*\w+: (.*)", re.DOTALL | re.MULTILINE)
"""torch's text of what one of its loader's processes raised: the last line that is not indented has the message."""


def of_worker(message: str) -> str:
    """The message alone, where it is one of a loader's process with its traceback."""
    found = WORKER.match(message)
    return found[1].strip() if found else message


@contextmanager
def naming(what: object) -> Iterator[None]:
    """Whatever goes wrong with something that was given becomes a `UserError` that names it.

    Checks say better what is wrong; this is for what they did not think of.
    """
    try:
        yield
    except (UserError, ValidationError):
        raise
    except MemoryError:
        raise UserError(f"{what}: too large for the memory") from None
    except RecursionError:
        raise UserError(f"{what}: nested too deeply") from None
    except OSError as error:
        raise UserError(f"{what}: cannot be read: {error.strerror or first_line(error)}") from None
    except Exception as error:
        raise UserError(f"{what}: cannot be used: {first_line(error)}") from error


class Interrupted(Exception):
    """Ctrl-C; the message is one line that says what that leaves."""


SHOWN = 80
"""Characters of a value in a message."""
Model = TypeVar("Model", bound=BaseModel)
ALIKE = 0.6
"""Two names that share so much may be one and a slip: 2 x common letters / all letters."""


def shown(value: Any) -> str:
    """A value that somebody wrote into a file, in so many characters that a message can hold it."""
    if isinstance(value, int) and abs(value) >= 10**SHOWN:
        return "an integer of very many digits"
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def listed(names: Collection[object], most: int) -> str:
    """At most so many names, and how many more there are: "a, b and 3 more"."""
    shown, rest = ", ".join(map(str, list(names)[:most])), len(names) - most
    return f"{shown} and {rest} more" if rest > 0 else shown


def first_line(error: Exception) -> str:
    """The first line of a message, or the error's type where it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` most likely was meant to be, or None."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    matches = get_close_matches(name.lower().replace("-", "_"), by_lower, n=1, cutoff=0.51)
    return by_lower[matches[0]] if matches else None


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a `kind` ("parameter", "profile") that does not exist: nearest known name, else all of them."""
    names = sorted(known)
    guess = nearest(name, names)
    hint = f"did you mean {guess!r}?" if guess else f"known: {', '.join(names) or 'none'}"
    return UserError(f"unknown {kind} {name!r}: {hint}")


def require_known(kind: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Check names.

    Raises:
        UserError: a name of `given` is not in `known`.
    """
    names = tuple(known)
    for name in given:
        if name not in names:
            raise unknown_name(kind, name, names)


def validated(model: type[Model], values: Mapping[str, Any]) -> Model:
    """`values` as a `model`.

    Raises:
        UserError: they do not fit; every misspelt or ill-typed field is named with its value.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise UserError(describe_validation(error, model)) from error


def describe_validation(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """One line for pydantic's error; with the `model` that was validated, unknown fields get a suggestion."""
    details = error.errors(include_url=False, include_context=True)
    return "; ".join(_describe(detail, error.title, model) for detail in details)


def _describe(detail: ErrorDetails, title: str, model: type[BaseModel] | None) -> str:
    path = ".".join(str(step) for step in detail["loc"]) or title
    if detail["type"] == "extra_forbidden":
        *parents, name = detail["loc"]
        if model is None:
            return f"unknown parameter {str(name)!r}"
        if elsewhere := _elsewhere(model, parents, str(name), detail["input"]):
            return elsewhere
        known = {field for one in _place(model, parents)[0] for field in one.model_fields}
        message = str(unknown_name("parameter", str(name), known))
        return message + (f" (in {'.'.join(map(str, parents))})" if parents else "")
    if detail["type"] == "missing":
        return f"{path}: missing"
    if detail["type"] == "union_tag_not_found" and detail["input"]:
        tag, knob = detail["ctx"]["discriminator"], next(iter(detail["input"]))
        return f"{path}: given as a whole, without {tag}; a dotted path changes one knob alone, such as {path}.{knob}"
    reason = detail["msg"].removeprefix("Value error, ")
    if isinstance(detail["input"], dict | list | BaseModel):
        return f"{path}: {reason}"
    return f"{path} = {shown(detail['input'])}: {reason[:1].lower()}{reason[1:]}"


def _elsewhere(model: type[BaseModel], parents: Sequence[str | int], name: str, value: Any) -> str:
    """The message for a name that fits another place of the tree better than any beside it; "" if none does."""
    at, place = _place(model, parents)
    beside = max((_alike(name, field) for one in at for field in one.model_fields), default=0.0)
    place = [*place, name]
    while isinstance(value, dict) and len(value) == 1:  # `head.layers=2` was given, and `head` is unknown already
        ((step, value),) = value.items()
        place.append(str(step))
    given = ".".join(place)
    paths = dict.fromkeys(knob.path for knob in knobs(model))
    likeness = {path: (_alike(place[-1], path.rpartition(".")[2]), _alike(given, path)) for path in paths}
    best = max(likeness, key=likeness.__getitem__, default="")
    if best in ("", given) or likeness[best][0] <= max(beside, ALIKE):  # `given` may be of another `kind`
        return ""
    return f"unknown parameter {given!r}: did you mean {best!r}?"


def _alike(name: str, known: str) -> float:
    return SequenceMatcher(None, name.lower().replace("-", "_"), known.lower()).ratio()


class Knob(NamedTuple):
    """A field of a tree of models: its dotted path, the model that has it, and the field."""

    path: str
    owner: type[BaseModel]
    field: FieldInfo


def knobs(model: type[BaseModel], above: str = "") -> Iterator[Knob]:
    """Every field of a tree of models, those of all members of a union among them, each before what is in it."""
    for name, field in model.model_fields.items():
        yield Knob(above + name, model, field)
        for inner in _models(field):
            yield from knobs(inner, f"{above}{name}.")


def _place(model: type[BaseModel], loc: Iterable[str | int]) -> tuple[list[type[BaseModel]], list[str]]:
    """The models at a place that pydantic's error location leads to, of a union all members, and the path to it."""
    at, path = [model], []
    for step in loc:
        # A union's location has one more step, which names the member: its tag or its class. Positions lead nowhere.
        named = [one for one in at if step == one.__name__ or step in _tags(one)]
        inner = [found for one in at if step in one.model_fields for found in _models(one.model_fields[str(step)])]
        path += [] if named else [str(step)]
        at = named or inner or at
    return at, path


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models in an annotation, such as those of a union or of a tuple's items."""
    if isinstance(annotation, FieldInfo):
        return _models(annotation.annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _models(argument)]


def _tags(model: type[BaseModel]) -> set[Any]:
    """The values of the model's literal fields: what a discriminated union tells its members apart by."""
    literals = (field.annotation for field in model.model_fields.values() if get_origin(field.annotation) is Literal)
    return {value for literal in literals for value in get_args(literal)}
