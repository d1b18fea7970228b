"""The defaults of a generation, stated once: for the library, the command line and the training's samples."""

from __future__ import annotations

DEFAULT_CHAIN = "temperature:0.7"
DEFAULT_MAX_TOKENS = 400
"""Tokens written at most."""
