"""Architectures: what a model is, in nobody's framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textforge.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from textforge.architectures.base import Architecture


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    """Register the architectures that come with textforge."""
    from textforge.architectures.conv import Conv
    from textforge.architectures.lstm import LSTM
    from textforge.architectures.ngram import Ngram

    for architecture in (LSTM, Conv, Ngram):
        register(architecture)
