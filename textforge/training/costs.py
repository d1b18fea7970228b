"""The costs of a run limited by time, in seconds, as they were measured."""

from __future__ import annotations

import attrs

SLOWER, FASTER = 1.25, 0.5
"""A step counts for so many times the last at most, and at least: a machine that stalls doesn't look slow, and what is
slow at first is soon seen to be fast."""
OTHER = 2.0
"""Any other cost changes at once by no more than this factor, for the same reason."""


@attrs.frozen
class Costs:
    """The costs of a run's parts; what was never measured is None, or nothing.

    They are saved with the run, so that a resumed one decides alike.
    """

    step: float | None = None
    """Seconds of a training step."""
    validation: float | None = None
    """Steps that take as long as a validation: both are slow where the machine is."""
    telling: float = 0.0
    """Seconds of saving and telling the result of a validation."""
    saving: float = 0.0
    """Seconds of saving alone."""

    def measure_steps(self, steps: int, seconds: float) -> Costs:
        """Return the costs after so many steps in so many seconds."""
        if steps <= 0 or seconds <= 0:
            return self
        measured = seconds / steps
        if self.step is not None:
            measured = min(max(measured, FASTER * self.step), SLOWER * self.step)
        return attrs.evolve(self, step=measured)

    def measure_evaluation(self, validation: float, telling: float) -> Costs:
        """Return the costs after a validation, and telling of it, of so many seconds."""
        if self.step is None:
            return self
        if self.validation is None:
            return attrs.evolve(self, validation=validation / self.step, telling=telling)
        return attrs.evolve(
            self, validation=_bound(validation / self.step, self.validation), telling=_bound(telling, self.telling)
        )

    def measure_saving(self, seconds: float) -> Costs:
        """Return the costs after saving for so many seconds."""
        return attrs.evolve(self, saving=_bound(seconds, self.saving))

    @property
    def evaluation(self) -> float:
        """Seconds of a validation at the present speed, with saving and telling of it."""
        return (self.validation or 0.0) * (self.step or 0.0) + self.telling


def _bound(measured: float, before: float) -> float:
    return min(max(measured, before / OTHER), before * OTHER) if before else measured
