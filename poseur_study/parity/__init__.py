"""Ours against the numbers recorded from the released implementation."""
