"""Backends and an encoder with options that a user might type as options of a command."""

from __future__ import annotations

from typing import Any

import textforge
from textforge.backends.numpy.backend import NumpyBackend
from textforge.encoders.char import CharEncoder


class Slippery(NumpyBackend):
    name = "slippery"
    width: int = textforge.option(default=3, help="How wide.")
    speed: int = textforge.option(default=3, help="How fast.")


class Slippier(Slippery):
    name = "slippier"
    depth: int = textforge.option(default=3, help="How deep.")


class Scrabble(CharEncoder):
    name = "scrabble"
    vocab_size: int = textforge.option(default=3, help="How many.")


@textforge.hookimpl
def register_backends(register: Any) -> None:
    register(Slippery)
    register(Slippier)


@textforge.hookimpl
def register_encoders(register: Any) -> None:
    register(Scrabble)
