"""Training: settings, data, the loop, checkpoints."""
