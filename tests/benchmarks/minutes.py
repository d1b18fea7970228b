"""A run limited by time, on a machine that gets busy in the middle of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import textforge
from tests.benchmarks.measure import in_process, in_turn
from tests.benchmarks.row import Row


def rows(corpus: Path, minutes: float = 0.5, rounds: int = 3) -> Iterator[Row]:
    """Yield the seconds that a run takes, as a share of those it was asked to take."""
    seconds = in_turn({"textforge": lambda: in_process("minutes", "seconds_used", str(corpus), minutes)}, rounds)
    share = seconds["textforge"] / (60 * minutes)
    begin, end = Disturbed.times(minutes)
    yield Row(
        f"`--minutes {minutes:g}`, seconds used over seconds asked",
        f"{share:.3f}",
        f"{seconds['textforge']:.1f} s, all cores but one busy from {begin:.0f} s to {end:.0f} s",
        "0.95 to 1.05",
        0.95 <= share <= 1.05,
    )


def seconds_used(path: str, minutes: float) -> float:
    """Return the seconds of a run by default settings, from the beginning of training to its end."""
    textforge.Plugins().backend("torch").require()  # PyTorch's import is not training
    disturbed = Disturbed(minutes)
    textforge.train(f"files:{path},lowercase=true", backend="torch", minutes=minutes, seed=1, report=disturbed)
    return disturbed.seconds


class Disturbed(textforge.Report):
    """A clock of a run, and the processes that keep the other cores busy in its second third."""

    def __init__(self, minutes: float) -> None:
        self.seconds = 0.0
        self._began = 0.0
        self._processes: list[subprocess.Popen[bytes]] = []
        begin, end = self.times(minutes)
        self._timers = [Timer(begin, self._disturb), Timer(end, self._leave_alone)]

    @staticmethod
    def times(minutes: float) -> tuple[float, float]:
        """Return the seconds after which the other cores get busy, and are left alone again."""
        return 20 * minutes, 40 * minutes

    def start(self, run: object) -> None:
        self._began = time.perf_counter()
        for timer in self._timers:
            timer.start()

    def finish(self) -> None:
        self.seconds = time.perf_counter() - self._began
        for timer in self._timers:
            timer.cancel()
            if timer.ident is not None:
                timer.join()
        self._leave_alone()

    def _disturb(self) -> None:
        for _ in range(max(1, (os.cpu_count() or 1) - 1)):
            self._processes.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))

    def _leave_alone(self) -> None:
        while self._processes:
            process = self._processes.pop()
            process.kill()
            process.wait()
