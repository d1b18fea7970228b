"""The losses of a run's steps, read from the device seldom and together."""

from __future__ import annotations

from textforge.model import Loss


class Losses:
    """A sum of losses in the order of the steps, so that their mean doesn't depend on when they are read.

    >>> losses = Losses()
    >>> losses.add(3.0)
    >>> losses.add(1.0)
    >>> losses.read(), losses.mean, losses.first, losses.latest
    (2.0, 2.0, 3.0, 1.0)
    """

    def __init__(self, total: float = 0.0, count: int = 0, first: float | None = None) -> None:
        self.total = total
        self.count = count
        self.first = first
        """The loss of the run's first step."""
        self._unread: list[Loss] = []
        self._last = 0.0
        self._latest: float | None = None

    def add(self, loss: Loss) -> None:
        """Note a step's loss without waiting for it."""
        self._unread.append(loss)

    def read(self) -> float:
        """Wait for what was noted and return its mean, or that of the last reading where nothing new was."""
        if self._unread:
            values = [float(loss) for loss in self._unread]
            self._unread.clear()
            for value in values:
                self.total += value
            self.count += len(values)
            self._last = sum(values) / len(values)
            self._latest = values[-1]
            if self.first is None:
                self.first = values[0]
        return self._last

    @property
    def mean(self) -> float:
        """The mean of all that was read."""
        return self.total / max(1, self.count)

    @property
    def latest(self) -> float:
        """The loss of the last step read; the mean where none was."""
        return self.mean if self._latest is None else self._latest
