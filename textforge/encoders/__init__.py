"""Encoders, which turn text into token ids, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textforge.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from textforge.encoders.base import Encoder


@hookimpl
def register_encoders(register: Callable[[type[Encoder]], None]) -> None:
    """Register the encoders that come with textforge."""
    from textforge.encoders.char import CharEncoder

    register(CharEncoder)
