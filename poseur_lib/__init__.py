"""Poseur (ECCV 2022), its baselines and the study of its claims."""

from importlib import import_module
from typing import Any

LAZY = {"load_released": "poseur_lib.checkpoints.released_load", "Poseur": "poseur_lib.predict.predictor"}

__all__ = ["Poseur", "load_released"]


def __getattr__(name: str) -> Any:
    if name in LAZY:  # torch is imported when it is needed, not for `poseur --help`
        return getattr(import_module(LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
