"""Formats: kinds of file that a model is exported to."""
