"""What the paper shows in pictures or only says, measured: calibration, noisy proposals, self-attention, truncation."""
