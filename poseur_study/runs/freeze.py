"""Append what is new in the configuration tree to the frozen defaults: `python -m poseur_study.runs.freeze`.

An entry that is there is never changed: it is what old run ids were computed with.
"""

import json
from typing import get_args

from poseur_lib.config import ExperimentConfig, PretextRunConfig
from poseur_lib.config.base import Frozen
from poseur_lib.files import write_atomically
from poseur_study.runs.run_id import DEFAULTS_FILE, Defaults, value_form


def configuration_classes() -> list[type[Frozen]]:
    """Every class of the tree, leaves first."""
    found: list[type[Frozen]] = []
    for root in (PretextRunConfig, ExperimentConfig):
        _collect(root, found)
    return found


def extended(defaults: Defaults) -> Defaults:
    """`defaults` with the classes and knobs that it lacks, at their defaults of today."""
    result = {name: dict(fields) for name, fields in defaults.items()}
    for cls in configuration_classes():
        entry = result.setdefault(cls.__name__, {})
        for name, field in cls.model_fields.items():
            if name not in entry and not field.is_required():
                entry[name] = value_form(field.get_default(call_default_factory=True), result)
    return result


def _collect(annotation: object, found: list[type[Frozen]]) -> None:
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        if annotation not in found:
            for field in annotation.model_fields.values():
                _collect(field.annotation, found)
                for extra in field.metadata:
                    _collect(extra, found)
            found.append(annotation)
        return
    for argument in get_args(annotation):
        _collect(argument, found)


if __name__ == "__main__":
    now = json.loads(DEFAULTS_FILE.read_text()) if DEFAULTS_FILE.exists() else {}
    write_atomically(DEFAULTS_FILE, (json.dumps(extended(now), indent=1, sort_keys=True) + "\n").encode())
