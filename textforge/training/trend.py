"""The trend of a run's validation loss: whether it still gets better."""

from __future__ import annotations

import attrs

STALE_VALIDATIONS = 4
"""A run has stopped getting better after so many validations without a better one, at least,"""
STALE_SHARE = 0.2
"""and after this share of its steps without one."""


@attrs.frozen
class Trend:
    """The best validation loss since the present round of the schedule began.

    >>> trend = Trend()
    >>> for step, loss in enumerate([2.0, 1.5, 1.6, 1.6, 1.7, 1.7], start=1):
    ...     trend = trend.judge(loss, step)
    >>> trend.best_step, trend.has_stopped(step=6)
    (2, True)
    """

    best_loss: float | None = None
    best_step: int = 0
    stale: int = 0
    """Validations since the best."""
    began: int = 0
    """The step at which the round began."""

    def judge(self, loss: float, step: int) -> Trend:
        """Return the trend after another validation."""
        if self.best_loss is None or loss < self.best_loss:
            return attrs.evolve(self, best_loss=loss, best_step=step, stale=0)
        return attrs.evolve(self, stale=self.stale + 1)

    def has_stopped(self, step: int) -> bool:
        """Return whether the loss has stopped getting better by this step."""
        long_ago = step - self.best_step >= STALE_SHARE * (step - self.began)
        return self.stale >= STALE_VALIDATIONS and long_ago
