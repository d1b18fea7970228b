"""Backends: what makes, trains and runs models."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textforge.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from textforge.backends.base import Backend


@hookimpl
def register_backends(register: Callable[[type[Backend]], None]) -> None:
    """Register the backends that come with textforge."""
    from textforge.backends.ngram import NgramBackend
    from textforge.backends.numpy.backend import NumpyBackend

    register(NgramBackend)
    register(NumpyBackend)
