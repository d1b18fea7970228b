"""The state of a long writing, on standard error where a person watches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textforge.cli.status_line import StatusLine

if TYPE_CHECKING:
    from textforge.generation.loop import WritingProgress


class WritingStatus:
    """A line that says how many texts are written; nothing where standard error is no terminal."""

    def __init__(self, max_tokens: int) -> None:
        self.finished = 0
        self._max_tokens = max_tokens
        self._line = StatusLine(unwatched=False)

    def __call__(self, progress: WritingProgress) -> None:
        """Say how far the writing is, where it is time to."""
        self.finished = progress.finished
        if self._line.is_due():
            texts = f"{progress.finished} of {progress.count} texts written"
            self._line.say(f"{texts}; the next are at token {progress.tokens} of {self._max_tokens}")

    def clear(self) -> None:
        """Leave the line to what is written next."""
        self._line.clear()
