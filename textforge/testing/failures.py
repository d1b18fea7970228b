"""Ends of a check other than passing."""

from __future__ import annotations

from typing import NoReturn

from attrs.exceptions import FrozenInstanceError

HOLDS_NOTHING = (
    "keep nothing on the component, which many runs share: compute what follows from the options in a property, "
    "and let methods return what they make"
)


class CheckFailure(AssertionError):
    """A component breaks its contract: what was expected, what came, and how to mend it.

    >>> CheckFailure("5 rows", "4", "return every row")
    CheckFailure('expected 5 rows, got 4: return every row')
    """

    def __init__(self, expected: str, got: str, mend: str) -> None:
        super().__init__(f"expected {expected}, got {got}: {mend}")
        self.expected = expected
        self.got = got
        self.mend = mend


class NotApplicable(Exception):
    """A check says nothing of this component; the message gives the reason."""


def fail(expected: str, got: str, mend: str) -> NoReturn:
    """Raise a `CheckFailure`."""
    raise CheckFailure(expected, got, mend)


def described(error: BaseException) -> str:
    r"""Return an exception in a line.

    >>> described(ValueError("two\nlines"))
    'ValueError: two lines'
    """
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def choose_mend(error: BaseException, otherwise: str) -> str:
    """Return the remedy for an exception: its own where it has one that is always right, else the one given."""
    return HOLDS_NOTHING if isinstance(error, FrozenInstanceError) else otherwise
