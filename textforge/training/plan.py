"""How long a run goes on, and when it is validated: decided by steps alone, so that a resumed run decides alike."""

from __future__ import annotations

from textforge.training.batches import Batches
from textforge.training.checkpoint import Position
from textforge.training.schedule import MEASURED
from textforge.training.settings import TrainingSettings

EVALUATIONS_BY_TIME = 50
"""A run limited by time is validated at most so often, however short its epochs."""
FORWARD_COST = 1 / 3
"""What a token costs in validation, as a share of what it costs in training."""


class Plan:
    """When a run ends and when it is validated."""

    def __init__(self, settings: TrainingSettings, batches: Batches, validation_tokens: int) -> None:
        self._settings = settings
        self._batches = batches
        self._validation_tokens = validation_tokens

    def total_steps(self, position: Position) -> int | None:
        """The steps of the run: its epochs', or what was measured before it was interrupted, or not yet known."""
        if self._settings.epoch_limit is not None:
            return self._settings.epoch_limit * self._batches.steps_per_epoch
        return position.total_steps

    def measured(self, position: Position, seconds: float, steps_per_second: float) -> int | None:
        """The steps that fit into the time, once a twentieth of it has passed; None before that."""
        limit = (self._settings.minutes or 0.0) * 60
        if seconds < MEASURED * limit or not steps_per_second:
            return None
        steps = max(0.0, limit - seconds) * steps_per_second
        return position.step + max(1, round(steps / (1 + self._validation_share(steps))))

    def _validation_share(self, steps: float) -> float:
        """The time that validation will take, as a share of the time that training takes."""
        evaluations = min(steps / self._batches.steps_per_epoch + 1, EVALUATIONS_BY_TIME)
        training = max(1.0, steps * self._batches.tokens_per_step)
        return evaluations * self._validation_tokens * FORWARD_COST / training

    def evaluation_is_due(self, position: Position) -> bool:
        """Whether the run is to be validated before its next step."""
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
