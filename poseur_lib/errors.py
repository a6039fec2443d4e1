"""What ends a command and is no fault of the program.

Errors as a person reads them: one line that names what was given and the nearest thing that is known.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


class UserError(ValueError):
    """Something the user gave cannot be used; the message is one line that names it and its value."""


class Interrupted(Exception):
    """Ctrl-C; the message is one line that says what that leaves."""


Model = TypeVar("Model", bound=BaseModel)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` most likely was meant to be, or None."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    matches = get_close_matches(name.lower().replace("-", "_"), by_lower, n=1, cutoff=0.5)
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
        known = _fields(_descend(model, parents)) if model else ()
        message = str(unknown_name("parameter", str(name), known)) if known else f"unknown parameter {str(name)!r}"
        return message + (f" (in {'.'.join(map(str, parents))})" if parents else "")
    if detail["type"] == "missing":
        return f"{path}: missing"
    reason = detail["msg"].removeprefix("Value error, ")
    if isinstance(detail["input"], dict | list | BaseModel):
        return f"{path}: {reason}"
    return f"{path} = {detail['input']!r}: {reason[:1].lower()}{reason[1:]}"


def _descend(annotation: Any, path: Iterable[str | int]) -> Any:
    """The type that pydantic's error location `path` leads to from `annotation`; None where it cannot be followed."""
    for step in path:
        annotation = _step(annotation, step)
    return annotation


def _step(annotation: Any, step: str | int) -> Any:
    members = _members(annotation)
    for member in members:
        if isinstance(member, type) and issubclass(member, BaseModel):
            # A union's location has one more step, which names the member: its tag or its class.
            if step == member.__name__ or step in _tags(member):
                return member
            if step in _fields(member):
                return member.model_fields[str(step)].annotation
    for member in members:
        if get_origin(member) in (list, tuple, dict):
            items = [item for item in get_args(member) if item is not Ellipsis]
            return items[-1] if items else None
    return None


def _members(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a (possibly annotated) union, or the type alone."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if isinstance(annotation, type) or get_origin(annotation) in (list, tuple, dict, Literal):
        return (annotation,)
    return tuple(member for argument in get_args(annotation) for member in _members(argument))


def _tags(model: type[BaseModel]) -> set[Any]:
    """The values of the model's literal fields: what a discriminated union tells its members apart by."""
    literals = (field.annotation for field in model.model_fields.values() if get_origin(field.annotation) is Literal)
    return {value for literal in literals for value in get_args(literal)}


def _fields(annotation: Any) -> tuple[str, ...]:
    """Field names of a model, or of all the models of a union."""
    models = [member for member in _members(annotation) if isinstance(member, type) and issubclass(member, BaseModel)]
    return tuple(dict.fromkeys(name for model in models for name in model.model_fields))
