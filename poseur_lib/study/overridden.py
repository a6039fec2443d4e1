"""Which of a profile's deviations still hold where a study has changed settings of every row."""

from collections.abc import Iterable, Mapping
from typing import Any

PATHS: Mapping[str, tuple[str, ...]] = {
    "Input ": ("data.input_size",),
    "Backbone:": ("model.backbone",),
    "Backbone weights:": ("model.backbone", "pretext"),
    "Head:": ("model.head",),
    "Noisy reference points:": ("model.head.noise",),
    "Augmentation:": ("train.augment",),
    "Schedule:": ("train.schedule", "train.learning_rate", "train.warmup_steps", "train.global_batch"),
    "Training:": ("train.epochs", "train.people_per_epoch", "pretext"),
}
"""The settings that a deviation speaks of, by its first words; others speak of none."""


def still_true(deviations: Iterable[str], overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """The deviations that speak of nothing that was overridden."""
    return tuple(line for line in deviations if not any(_touches(path, line) for path in overrides))


def override_lines(overrides: Mapping[str, Any]) -> tuple[str, ...]:
    """What was overridden, in words."""
    return tuple(f"Changed for this study: {path} = {value}." for path, value in overrides.items())


def _touches(path: str, line: str) -> bool:
    spoken_of = [paths for words, paths in PATHS.items() if line.startswith(words)]
    return any(_one_within_other(path, own) for paths in spoken_of for own in paths)


def _one_within_other(a: str, b: str) -> bool:
    return a == b or a.startswith(f"{b}.") or b.startswith(f"{a}.")
