"""How a check ends that isn't passed."""

from __future__ import annotations

from typing import NoReturn


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
    r"""An exception in a line.

    >>> described(ValueError("two\nlines"))
    'ValueError: two lines'
    """
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
