"""Which of a profile's deviations still hold where a study, or a table, has changed settings of every row."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from poseur_lib.config import ExperimentConfig

PATHS: Mapping[str, tuple[str, ...]] = {
    "Input ": ("data.input_size",),
    "Backbone:": ("model.backbone",),
    "Backbone weights:": ("model.backbone", "pretext"),
    "Head:": ("model.head",),
    "Noisy reference points:": ("model.head.noise",),
    "Augmentation:": ("train.augment.half_body_probability", "train.augment.scale_factor"),
    "Rotation:": ("train.augment.rotation_degrees",),
    "Schedule:": ("train.schedule", "train.learning_rate", "train.warmup_steps", "train.global_batch"),
    "Training:": ("train.epochs", "train.people_per_epoch", "pretext"),
}
"""The settings that a deviation speaks of, by its first words; others speak of none."""


def still_true(deviations: Iterable[str], overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """The deviations that speak of nothing that was overridden."""
    return tuple(line for line in deviations if not any(_touches(path, line) for path in overrides))


def without_restored(deviations: Iterable[str], rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The deviations but those whose every setting all of a table's rows set to the default, which is the paper's."""
    default = ExperimentConfig().model_dump(mode="json")
    restored = {
        path
        for path, value in (rows[0].items() if rows else ())
        if all(path in row and _same(row[path], value) for row in rows) and _same(_at(default, path), value)
    }
    return tuple(line for line in deviations if not (spoken := set(_spoken_of(line))) or spoken - restored)


def override_lines(overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """What was overridden, in words."""
    return tuple(f"Changed for this study: {path} = {value}." for path, value in overrides.items())


def _touches(path: str, line: str) -> bool:
    return any(_one_within_other(path, own) for own in _spoken_of(line))


def _spoken_of(line: str) -> list[str]:
    return [path for words, paths in PATHS.items() if line.startswith(words) for path in paths]


def _at(tree: Any, path: str) -> Any:
    for name in path.split("."):
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _same(value: Any, other: Any) -> bool:
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


def _one_within_other(a: str, b: str) -> bool:
    return a == b or a.startswith(f"{b}.") or b.startswith(f"{a}.")
