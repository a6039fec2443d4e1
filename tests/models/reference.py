"""Recorded numbers of the released implementation."""

from poseur_lib.released.recorded import RES50, Reference

__all__ = ["RES50", "Reference"]
