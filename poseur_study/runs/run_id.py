"""The identity of a run: what was trained on what, whatever it was trained with and wherever it lies.

A configuration's canonical form holds, beside the schema version, only what differs from that version's frozen
defaults (`defaults_v1.json`). So an id keeps resolving when a class's default is changed later (the file still has
the old one) and when a knob is added (it is not in the file, and at its default it is left out).

`python -m poseur_study.runs.run_id` appends what is new in the configuration tree to the frozen defaults. An entry that
is there is never changed: it is what old run ids were computed with.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any, get_args

from poseur_lib.config import ExperimentConfig, PretextRunConfig
from poseur_lib.config.base import Frozen
from poseur_lib.files import write_atomically

SCHEMA_VERSION = 1
HASH_DIGITS = 10
DEFAULTS_FILE = Path(__file__).with_name(f"defaults_v{SCHEMA_VERSION}.json")

RunConfig = ExperimentConfig | PretextRunConfig
Defaults = dict[str, dict[str, Any]]

_hashes: dict[tuple[int, str, str, str, tuple[str, ...]], str] = {}


def run_id(config: RunConfig, data_fingerprint: str, parents: tuple[str, ...] = ()) -> str:
    """`<readable name>_<hash>` of a run; see `canonical_form`."""
    return f"{config.name}_{run_hash(config, data_fingerprint, parents)}"


def run_hash(config: RunConfig, data_fingerprint: str, parents: tuple[str, ...] = ()) -> str:
    """The first ten hexadecimal digits of the SHA-256 of the canonical form.

    It is computed once a process for the same configuration, told by its JSON: a plan of a thousand runs asks for it
    six times a run.
    """
    key = (SCHEMA_VERSION, type(config).__name__, config.model_dump_json(), data_fingerprint, tuple(sorted(parents)))
    if key not in _hashes:
        form = canonical_form(config, data_fingerprint, parents)
        text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
        _hashes[key] = hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]
    return _hashes[key]


def canonical_form(config: RunConfig, data_fingerprint: str, parents: tuple[str, ...]) -> dict[str, Any]:
    """All that makes a run the run it is; device, workers, paths and precision are not in it.

    Args:
        data_fingerprint: identity of the data set, independent of its path.
        parents: ids of the runs this one starts from (the shared pretraining is one).
    """
    return {
        "schema": SCHEMA_VERSION,
        "config": node_form(config, frozen_defaults()),
        "data": data_fingerprint,
        "parents": sorted(parents),
    }


def node_form(node: Frozen, defaults: Defaults) -> dict[str, Any]:
    """A configuration node as its class's name and the fields that differ from the frozen defaults."""
    frozen = defaults.get(type(node).__name__, {})
    form: dict[str, Any] = {"class": type(node).__name__}
    for name, field in type(node).model_fields.items():
        value = value_form(getattr(node, name), defaults)
        if name in frozen:
            default = frozen[name]
        elif field.is_required():
            default = ...
        else:
            default = value_form(field.get_default(call_default_factory=True), defaults)
        if value != default:
            form[name] = value
    return form


def value_form(value: Any, defaults: Defaults) -> Any:
    """A field's value as JSON has it; nested nodes in their own canonical form."""
    if isinstance(value, Frozen):
        return node_form(value, defaults)
    if isinstance(value, tuple | list):
        return [value_form(item, defaults) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a configuration value of type {type(value).__name__} has no canonical form: {value!r}")


@cache
def frozen_defaults() -> Defaults:
    """The defaults of schema version 1: class name -> field -> canonical form of its default then."""
    return json.loads(DEFAULTS_FILE.read_text(encoding="utf-8"))


def configuration_classes() -> list[type[Frozen]]:
    """Every class of the tree, leaves first."""
    return list(dict.fromkeys(one for root in (PretextRunConfig, ExperimentConfig) for one in _classes_in(root)))


def extended(defaults: Defaults) -> Defaults:
    """`defaults` with the classes and knobs that it lacks, at their defaults of today."""
    result = {name: dict(fields) for name, fields in defaults.items()}
    for cls in configuration_classes():
        entry = result.setdefault(cls.__name__, {})
        for name, field in cls.model_fields.items():
            if name not in entry and not field.is_required():
                entry[name] = value_form(field.get_default(call_default_factory=True), result)
    return result


def _classes_in(annotation: Any) -> list[type[Frozen]]:
    if not (isinstance(annotation, type) and issubclass(annotation, Frozen)):
        return [one for argument in get_args(annotation) for one in _classes_in(argument)]
    parts = [part for field in annotation.model_fields.values() for part in (field.annotation, *field.metadata)]
    return [*(one for part in parts for one in _classes_in(part)), annotation]


if __name__ == "__main__":
    now = json.loads(DEFAULTS_FILE.read_text(encoding="utf-8")) if DEFAULTS_FILE.exists() else {}
    write_atomically(DEFAULTS_FILE, (json.dumps(extended(now), indent=1, sort_keys=True) + "\n").encode())
