"""Architectures: what a model is, in nobody's framework."""
