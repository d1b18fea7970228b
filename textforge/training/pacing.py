"""The pace of a run limited by time: its clock, and the plan that is corrected by it."""

from __future__ import annotations

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

    def is_to_be_timed_again(self, seconds: float, tokens: int, position: Position) -> bool:
        """Return whether a validation on so many tokens took longer than it should.

        Only the first one may: a framework compiles in it.
        """
        costs = position.costs
        if not self.plan.limit or costs.validation is not None or costs.step is None:
            return False
        return seconds > self.plan.validation_seconds(tokens, costs.step) / 3  # without gradients

    def seconds_left(self, position: Position) -> float | None:
        """Return the seconds until the run's end, as far as that is known."""
        by_time = position.total_steps is None or position.total_steps != self.plan.steps_of_epochs
        if self.plan.limit and by_time and not position.course.ends_early:
            return max(0.0, self.plan.limit - self.clock.seconds)
        total = self.plan.known_total(position)
        return None if total is None else (total - position.step) / max(self.clock.steps_per_second, 1e-9)
