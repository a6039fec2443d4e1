"""Poseur (ECCV 2022), its baselines and the study of its claims."""

from typing import Any

__all__ = ["load_released"]


def __getattr__(name: str) -> Any:
    if name == "load_released":  # torch is imported when it is needed, not for `poseur --help`
        from poseur_lib.released.load import load_released

        return load_released
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
