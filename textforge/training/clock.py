"""A run's time and speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Clock:
    """A clock of a run: its seconds, over interruptions too, and steps a second of training alone."""

    FIRST_STEPS = 2
    """Steps at the start that are not counted for the speed: frameworks get ready in them."""

    def __init__(self, seconds_before: float, now: Callable[[], float] = time.perf_counter) -> None:
        self._before = seconds_before
        self._now = now
        self._began = now()
        self._last: dict[str, float] = {}
        self._steps = 0
        self._taken = (self.FIRST_STEPS, 0.0)
        self._counting_since: float | None = None
        self._paused_since: float | None = None
        self._marks: list[tuple[int, float]] = []

    def start(self) -> None:
        """Begin to count."""
        self._began = self._now()

    @property
    def seconds(self) -> float:
        """Seconds since the run began, without the time between interruption and resumption."""
        return self._before + self._now() - self._began

    def count_step(self) -> None:
        """Count a step that is done."""
        self._steps += 1
        if self._steps == self.FIRST_STEPS:
            self._counting_since = self._now()

    @property
    def training_seconds(self) -> float:
        """Seconds of the steps that count for the speed, without pauses."""
        if self._counting_since is None:
            return 0.0
        return (self._now() if self._paused_since is None else self._paused_since) - self._counting_since

    def mark(self) -> None:
        """Note the steps and the seconds by now; best when a device has just been waited for."""
        self._marks.append((self._steps, self.training_seconds))

    @property
    def late_rate(self) -> float:
        """Steps a second in the later half of the marked time, when a framework has got up to speed."""
        if not self._marks:
            return self.steps_per_second
        steps, seconds = self._marks[-1]
        middle = next(mark for mark in reversed([(self.FIRST_STEPS, 0.0), *self._marks]) if mark[1] <= seconds / 2)
        return _rate(steps - max(middle[0], self.FIRST_STEPS), seconds - middle[1]) or self.steps_per_second

    @property
    def steps_per_second(self) -> float:
        """The speed since the start; 0 where nothing was measured yet."""
        return _rate(self._steps - self.FIRST_STEPS, self.training_seconds)

    def take_rate(self) -> float:
        """Return the steps a second since the last call."""
        steps, seconds = self._taken
        now = (max(self._steps, self.FIRST_STEPS), self.training_seconds)
        self._taken = now
        return _rate(now[0] - steps, now[1] - seconds) or self.steps_per_second

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Count the time of the block for the run, but not for the speed; it may be entered within itself."""
        if self._paused_since is not None:
            yield
            return
        self._paused_since = began = self._now()
        try:
            yield
        finally:
            self._paused_since = None
            if self._counting_since is not None:
                self._counting_since += self._now() - began

    def is_due(self, name: str, interval: float) -> bool:
        """Return whether `interval` seconds have passed since it last was; the first interval starts with the run."""
        now = self._now()
        if now - self._last.setdefault(name, self._began) < interval:
            return False
        self._last[name] = now
        return True


def _rate(steps: int, seconds: float) -> float:
    return steps / seconds if steps > 0 and seconds > 0 else 0.0
