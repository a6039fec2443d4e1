"""Figures of what a model attends to; each is drawn by the explorer and shown in a static notebook alike."""
