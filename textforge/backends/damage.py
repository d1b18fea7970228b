"""Errors of a damaged or edited model that its readers didn't foresee, as errors of the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from textforge.architectures.base import Architecture
from textforge.errors import BundleError, TextforgeError, state_error
from textforge.plugins.blame import describe
from textforge.plugins.registry import Implementation

UNFORESEEN = (KeyError, IndexError, TypeError, ValueError, AttributeError)
"""Errors that a saved model may raise where it was edited or damaged."""


@contextmanager
def telling_damage(reader: Architecture | Implementation) -> Iterator[None]:
    """Raise a `BundleError` that names the reader of a saved model for an error that it didn't foresee."""
    try:
        yield
    except UNFORESEEN as error:
        if isinstance(error, TextforgeError):
            raise
        raise BundleError(
            f"{describe(reader)} can't load the model ({state_error(error)}): if it is damaged, copy it again, or "
            "train it again"
        ) from error
