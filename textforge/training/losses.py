"""The losses of a run's steps, read from the device seldom and together."""

from __future__ import annotations

from textforge.model import Loss


class Losses:
    """Sums losses up in the order of the steps, so that their mean doesn't depend on when they are read."""

    def __init__(self, total: float = 0.0, count: int = 0) -> None:
        self.total = total
        self.count = count
        self._unread: list[Loss] = []
        self._last = 0.0

    def add(self, loss: Loss) -> None:
        """Note a step's loss without waiting for it."""
        self._unread.append(loss)

    def read(self) -> float:
        """Wait for what was noted; the mean of that, or of the last reading where nothing new was."""
        if self._unread:
            values = [float(loss) for loss in self._unread]
            self._unread.clear()
            for value in values:
                self.total += value
            self.count += len(values)
            self._last = sum(values) / len(values)
        return self._last

    @property
    def mean(self) -> float:
        """The mean of all that was read."""
        return self.total / max(1, self.count)
