"""Ctrl-C that waits for the step to end, so that what is saved is a whole step's."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interruption:
    """A block in which the first Ctrl-C is only noted, and the second interrupts at once.

    Signals reach the main thread alone; elsewhere nothing changes.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: object = None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
