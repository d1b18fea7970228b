"""A run's time and speed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Counts seconds of a run, over interruptions too, and steps a second of training alone."""

    FIRST_STEPS = 2
    """Steps at the start that are not counted for the speed: frameworks get ready in them."""

    def __init__(self, seconds_before: float) -> None:
        self._before = seconds_before
        self._began = time.perf_counter()
        self._last: dict[str, float] = {}
        self._steps = 0
        self._taken_steps = 0
        self._taken_seconds = 0.0
        self._counting_since: float | None = None

    def start(self) -> None:
        """Begin to count."""
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the run began, without the time between interruption and resumption."""
        return self._before + time.perf_counter() - self._began

    def count_step(self) -> None:
        """A step is done."""
        self._steps += 1
        if self._steps == self.FIRST_STEPS:
            self._counting_since = time.perf_counter()

    @property
    def _training_seconds(self) -> float:
        return 0.0 if self._counting_since is None else time.perf_counter() - self._counting_since

    @property
    def steps_per_second(self) -> float:
        """The speed since the start; 0 where nothing was measured yet."""
        counted = self._steps - self.FIRST_STEPS
        return counted / self._training_seconds if counted > 0 else 0.0

    def take_rate(self) -> float:
        """Steps a second since it was last asked."""
        counted = self._steps - max(self.FIRST_STEPS, self._taken_steps)
        seconds = self._training_seconds - self._taken_seconds
        self._taken_steps, self._taken_seconds = self._steps, self._training_seconds
        return counted / seconds if counted > 0 and seconds > 0 else self.steps_per_second

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While entered, the time counts for the run, but not for the speed."""
        began = time.perf_counter()
        yield
        if self._counting_since is not None:
            self._counting_since += time.perf_counter() - began

    def is_due(self, name: str, interval: float) -> bool:
        """Whether `interval` seconds have passed since this was last so; the first interval starts with the run."""
        now = time.perf_counter()
        if now - self._last.setdefault(name, self._began) < interval:
            return False
        self._last[name] = now
        return True
