"""Poseur (ECCV 2022), its baselines and the study of its claims."""
