"""The errors of a bundle: one line each, whatever a stranger's file has in it."""

from __future__ import annotations

from pathlib import Path

from textforge.components import values
from textforge.errors import Advice, BundleError


def bundle_error(*message: str | Advice) -> BundleError:
    """Return an error whose message, given in parts, is one line that any terminal can show."""
    return BundleError(*(part if isinstance(part, Advice) else values.escape_unprintable(part) for part in message))


def damage_error(path: Path, error: ValueError) -> BundleError:
    """Return the error that a file isn't what was saved."""
    return bundle_error(f"{path} is damaged: {error}; copy the model again, or train it again")


def reading_error(path: Path, error: OSError) -> BundleError:
    """Return the error that the system refuses to read a file."""
    return bundle_error(f"can't read {path}: {state_reason(error)}; check its permissions and its disk")


def state_reason(error: OSError) -> str:
    """Return the reason that the system gives."""
    return error.strerror or str(error)
