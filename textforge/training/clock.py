"""A run's time and speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Clock:
    """A clock of a run: its seconds, over interruptions too, and steps a second of training alone."""

    FIRST_STEPS = 2
    """Steps at the start that are not counted for the speed: frameworks get ready in them."""

    def __init__(
        self, seconds_before: float, now: Callable[[], float] = time.perf_counter, trained_before: float = 0.0
    ) -> None:
        self._before = seconds_before
        self._trained_before = trained_before
        self._now = now
        self._began = now()
        self._last: dict[str, float] = {}
        self._steps = 0
        self._taken = (self.FIRST_STEPS, 0.0)
        self._ready: float | None = None
        self._paused = 0.0
        self._paused_since: float | None = None

    def start(self) -> None:
        """Begin to count."""
        self._began = self._now()

    @property
    def seconds(self) -> float:
        """Seconds since the run began, without the time between interruption and resumption."""
        return self._before + self._now() - self._began

    @property
    def training_seconds(self) -> float:
        """Seconds since the run began without pauses either."""
        now = self._now() if self._paused_since is None else self._paused_since
        return self._trained_before + now - self._began - self._paused

    def count_step(self) -> None:
        """Count a step that is done."""
        self._steps += 1
        if self._steps == self.FIRST_STEPS:
            self._ready = self.training_seconds

    @property
    def _counted_seconds(self) -> float:
        return 0.0 if self._ready is None else self.training_seconds - self._ready

    @property
    def steps_per_second(self) -> float:
        """The speed since the start; 0 where nothing was measured yet."""
        return _rate(self._steps - self.FIRST_STEPS, self._counted_seconds)

    def take_rate(self) -> float:
        """Return the steps a second since the last call."""
        steps, seconds = self._taken
        now = (max(self._steps, self.FIRST_STEPS), self._counted_seconds)
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
            self._paused += self._now() - began

    def is_due(self, name: str, interval: float) -> bool:
        """Return whether `interval` seconds have passed since it last was; the first interval starts with the run."""
        now = self._now()
        if now - self._last.setdefault(name, self._began) < interval:
            return False
        self._last[name] = now
        return True


def _rate(steps: int, seconds: float) -> float:
    return steps / seconds if steps > 0 and seconds > 0 else 0.0
