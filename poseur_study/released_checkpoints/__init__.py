"""Released checkpoints as rows of the study."""
