"""Recorded numbers of the released implementation."""

from poseur_study.parity.reference import RES50, Reference

__all__ = ["RES50", "Reference"]
