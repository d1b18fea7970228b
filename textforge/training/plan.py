"""The plan of a run: its number of steps and its validations.

What is measured is recorded in the position, and all else depends on the step alone, so that a resumed run decides
alike.
"""

from __future__ import annotations

import bisect

from textforge.training.batches import Batches
from textforge.training.checkpoint import Position
from textforge.training.schedule import MEASURED
from textforge.training.settings import TrainingSettings

EVALUATIONS_BY_TIME = 50
"""A run limited by time is validated at most so often, however short its epochs."""
VALIDATION_SHARE = 0.1
"""The share of a run limited by time that its validations may take, if a token cost what it costs in training; without
gradients it costs about a third of that."""
LEAST_VALIDATION = 1000
"""The least number of tokens that a bounded validation reads."""


class Plan:
    """The plan of a run: the step at which it ends, and those at which it is validated."""

    def __init__(self, settings: TrainingSettings, batches: Batches) -> None:
        self._settings = settings
        self._batches = batches

    @property
    def limit(self) -> float:
        """The seconds that the run may take; 0 where it is limited by epochs."""
        return (self._settings.minutes or 0.0) * 60

    def total_steps(self, position: Position) -> int | None:
        """Return the steps of the run: its epochs', or what was measured before an interruption, or None yet."""
        if self._settings.epoch_limit is not None:
            return self._settings.epoch_limit * self._batches.steps_per_epoch
        return position.total_steps

    def can_measure(self, seconds: float, measured_seconds: float) -> bool:
        """Return whether a run limited by time, after so many seconds, knows its speed well enough to fix its steps.

        That is so after a twentieth of its time, half of it without the getting ready that a framework begins with.
        """
        wanted = MEASURED * self.limit
        return seconds >= self.limit or (seconds >= wanted and measured_seconds >= wanted / 2)

    def validation_tokens(self, position: Position, seconds: float, steps_per_second: float) -> int:
        """Return the number of tokens of validation text that fit into their share of the time."""
        left = max(0.0, self.limit - seconds)
        evaluations = 1 + self._evaluations(position.step, round(left * steps_per_second))
        least = LEAST_VALIDATION + (0 if self._batches.carries_state else self._settings.window)
        return max(least, int(VALIDATION_SHARE * left * self._validation_speed(steps_per_second) / evaluations))

    def validation_seconds(self, tokens: int, steps_per_second: float) -> float:
        """Return the seconds of a validation on so many tokens if predicting one costs what it costs in training."""
        speed = self._validation_speed(steps_per_second)
        return tokens / speed if speed else 0.0

    def _validation_speed(self, steps_per_second: float) -> float:
        # a validation of windows predicts every `stride`-th token alone
        stride = 1 if self._batches.carries_state else self._settings.stride
        return steps_per_second * self._batches.tokens_per_step * stride

    def steps_that_fit(
        self, position: Position, seconds: float, steps_per_second: float, evaluation_seconds: float
    ) -> int:
        """Return the total of steps that ends, validations included, when the time is up."""
        left = self.limit - seconds

        def duration(steps: int) -> float:
            return steps / steps_per_second + evaluation_seconds * self._evaluations(position.step, steps)

        if left <= 0 or not steps_per_second:
            return position.step
        most = round(left * steps_per_second) + 1
        fitting = bisect.bisect_right(range(most), left, key=duration) - 1
        return position.step + max(0, fitting)

    def _evaluations(self, step: int, steps: int) -> int:
        """Return the number of validations of a run limited by time in its last `steps`, after `step` before them."""
        if not steps:
            return 0
        epoch, end = self._batches.steps_per_epoch, step + steps
        apart = end / EVALUATIONS_BY_TIME
        first = -(-max(step + apart, step + 1) // epoch) * epoch  # the first end of an epoch that is far enough
        between = max(1, -(-apart // epoch)) * epoch
        return 1 + (0 if first >= end else 1 + int((end - 1 - first) // between))

    def evaluation_is_due(self, position: Position) -> bool:
        """Return whether the run is to be validated before its next step."""
        if position.step == position.evaluated_step:
            return False
        if position.total_steps is not None and position.step >= position.total_steps:
            return True
        if position.step_in_epoch < self._batches.steps_per_epoch:
            return False
        if self._settings.epoch_limit is not None:
            return True
        planned = position.total_steps
        return planned is not None and position.step - position.evaluated_step >= planned / EVALUATIONS_BY_TIME
