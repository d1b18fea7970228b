"""Keeping what a plugin prints while it is loaded out of standard output, which has results alone."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_lock = threading.Lock()


class _Aside:
    """Standard output, but for the threads that print aside: what those write goes to standard error."""

    def __init__(self, output: TextIO) -> None:
        self.output = output
        self.threads: list[int] = []
        """The threads that print aside, each once for each time that it does."""

    def __getattr__(self, name: str) -> Any:
        aside = sys.stderr is not None and threading.get_ident() in self.threads
        return getattr(sys.stderr if aside else self.output, name)


_kept: deque[_Aside] = deque(maxlen=64)
"""The last ones, which stay: `print` holds no reference to what it writes to, and one freed meanwhile is a crash."""


def _find_aside(output: TextIO) -> _Aside:
    for kept in _kept:
        if kept.output is output:
            return kept
    _kept.append(_Aside(output))
    return _kept[-1]


@contextmanager
def print_aside() -> Iterator[None]:
    """Send what this thread prints to standard error; other threads keep their standard output.

    ``contextlib.redirect_stdout`` would take it from all of them, and from two threads at once for good.
    """
    if sys.stdout is None:  # as under pythonw
        yield
        return
    thread = threading.get_ident()
    with _lock:
        aside = sys.stdout if isinstance(sys.stdout, _Aside) else _find_aside(sys.stdout)
        sys.stdout = aside
        aside.threads.append(thread)
    try:
        yield
    finally:
        with _lock:
            aside.threads.remove(thread)
            if not aside.threads and sys.stdout is aside:
                sys.stdout = aside.output
