"""The pace of a run limited by time: its clock, and the plan that is corrected by it."""

from __future__ import annotations

from collections.abc import Callable

from textforge.errors import TrainingError, advise
from textforge.training.batches import Batches
from textforge.training.checkpoint import Position
from textforge.training.clock import Clock
from textforge.training.plan import Plan
from textforge.training.settings import TrainingSettings


class Pacer:
    """The plan of a run and the clock that it is corrected by."""

    def __init__(self, settings: TrainingSettings, batches: Batches, clock: Clock) -> None:
        self.plan = Plan(settings, batches)
        self.clock = clock
        self._minutes = settings.minutes or 0.0

    def correction_is_due(self, position: Position) -> bool:
        """Return whether the steps of the run are to be counted again."""
        return self.plan.correction_is_due(position, self.clock.training_seconds)

    def correct(self, position: Position) -> Position:
        """Return the position with the steps that fit by now.

        Raises `TrainingError` where the time of a new run is over with its first step.
        """
        seconds = self.clock.seconds
        if position.step == 1 and seconds >= self.plan.limit:
            raise TrainingError(
                f"{self._minutes:.3g} minutes are too few: "
                f"the first step was done after {seconds / 60:.2g}; give more ",
                advise("minutes"),
                ", or ",
                advise("epochs", 1),
            )
        return self.plan.correct(position, seconds, self.clock.training_seconds)

    def first_evaluation_is_due(self, position: Position) -> bool:
        """Return whether the run is to be validated to know what that costs."""
        return self.plan.first_evaluation_is_due(position, self.clock.seconds)

    def validation_tokens(self, position: Position) -> int:
        """Return the number of tokens that a validation has the time for."""
        return self.plan.validation_tokens(position, self.clock.seconds)

    def end_early(self, position: Position) -> Position:
        """Return the position with a schedule that comes to its end soon."""
        return self.plan.end_early(position, self.clock.training_seconds)

    def time(self, measure: Callable[[], float | None], tokens: int, position: Position) -> tuple[float | None, float]:
        """Return a validation's loss on so many tokens, and its seconds.

        The first one is timed again where it took longer than it should: a framework may have compiled in it.
        """
        began = self.clock.seconds
        loss = measure()
        seconds = self.clock.seconds - began
        costs = position.costs
        if self.plan.limit and costs.validation is None and costs.step is not None:
            expected = self.plan.validation_seconds(tokens, costs.step) / 3  # without gradients
            if seconds > expected:
                began = self.clock.seconds
                measure()
                seconds = self.clock.seconds - began
        return loss, seconds

    def seconds_left(self, position: Position) -> float | None:
        """Return the seconds until the run's end, as far as that is known."""
        by_time = position.total_steps is None or position.total_steps != self.plan.steps_of_epochs
        if self.plan.limit and by_time and not position.course.ends_early:
            return max(0.0, self.plan.limit - self.clock.seconds)
        total = self.plan.known_total(position)
        return None if total is None else (total - position.step) / max(self.clock.steps_per_second, 1e-9)
