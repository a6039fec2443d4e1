"""Weights of the released implementation."""
