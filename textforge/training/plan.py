"""The plan of a run: its number of steps, its validations, and how both are corrected as time goes by.

What is measured is recorded in the position, and all else depends on that alone, so that a resumed run decides alike.
"""

from __future__ import annotations

import bisect
import math
from typing import Any

import attrs

from textforge.training.batches import Batches
from textforge.training.checkpoint import Position
from textforge.training.schedule import SUPPOSED_STEP, find_fall, find_progress
from textforge.training.settings import TrainingSettings

EVALUATIONS_BY_TIME = 50
"""A run limited by time is validated at most so often, however short its epochs."""
VALIDATION_SHARE = 0.1
"""The share of a run limited by time that its validations may take, if a token cost what it costs in training; without
gradients it costs about a third of that."""
LEAST_VALIDATION = 1000
"""The least number of tokens that a bounded validation reads."""
MEASURED = 0.05
"""Share of a run limited by time after which it is first validated, so that the cost of that is known."""
FIRST_STEPS = 2
"""Steps at the start that are not counted for the speed: frameworks get ready in them."""
CORRECTIONS = 100
"""A run limited by time is corrected at least so often, if its steps are short enough."""
SECONDS_BETWEEN_CORRECTIONS = 0.1
"""And at most every so many seconds, unless that is too seldom."""
SECONDS_BETWEEN_CHECKPOINTS = 60.0
MOST_STEPS = 1e12
EARLY_END = 0.1
"""The steps in which a run that has stopped getting better comes to its end, as a share of those it has done."""


class Plan:
    """The plan of a run: the step at which it ends, and those at which it is validated."""

    def __init__(self, settings: TrainingSettings, batches: Batches) -> None:
        self._settings = settings
        self._batches = batches
        self._apart = min(SECONDS_BETWEEN_CORRECTIONS, self.limit / CORRECTIONS)

    @property
    def limit(self) -> float:
        """The seconds that the run may take; 0 where it is limited by epochs."""
        return (self._settings.minutes or 0.0) * 60

    @property
    def steps_of_epochs(self) -> int | None:
        """The steps of all epochs; None where time alone limits the run."""
        epochs = self._settings.epoch_limit
        return None if epochs is None else epochs * self._batches.steps_per_epoch

    def bound(self, total: int | None) -> int | None:
        """Return the steps of a run limited by time, no more than those of its epochs where these limit it too."""
        known = [steps for steps in (total, self.steps_of_epochs) if steps is not None]
        return min(known, default=None)

    def find_total(self, position: Position) -> int:
        """Return the steps of a run that goes on from a position."""
        if not self.limit and self.steps_of_epochs is not None:
            return self.steps_of_epochs
        fitting = position.step + self.count_fitting(position, position.seconds)
        return fitting if self.steps_of_epochs is None else min(fitting, self.steps_of_epochs)

    def known_total(self, position: Position) -> int | None:
        """Return the steps there will be; None for a run limited by time until it knows what its parts cost."""
        return None if self.limit and position.costs.validation is None else position.total_steps

    def first_evaluation_is_due(self, position: Position, seconds: float) -> bool:
        """Return whether a run limited by time, after so many seconds, is to be validated to know what that costs."""
        costs = position.costs
        if not self.limit or costs.validation is not None or costs.step is None:
            return False
        measured = (position.step - FIRST_STEPS) * costs.step >= MEASURED / 2 * self.limit
        return seconds >= self.limit or (seconds >= MEASURED * self.limit and measured)

    def correction_is_due(self, position: Position, training_seconds: float) -> bool:
        """Return whether the steps of a run limited by time are to be counted again: once they take their time."""
        if not self.limit:
            return False
        return position.step <= FIRST_STEPS + 1 or training_seconds - position.course.seconds >= self._apart

    def correct(self, position: Position, seconds: float, training_seconds: float) -> Position:
        """Return the position with the steps that fit into the time left, at the speed since the last correction."""
        course, costs = position.course, position.costs
        if position.step > FIRST_STEPS:
            costs = costs.measure_steps(position.step - course.step, training_seconds - course.seconds)
        now = self.begin_course(attrs.evolve(position, costs=costs), training_seconds)
        total = None if costs.step is None else position.step + self.count_fitting(now, seconds)
        if course.ends_early and total is not None and position.total_steps is not None:
            total = min(total, position.total_steps)
        total = self.bound(total)
        return attrs.evolve(now, total_steps=position.step if seconds >= self.limit else total)

    def begin_course(self, position: Position, training_seconds: float, **changes: Any) -> Position:
        """Return the position with a course from here on, so that its pace can change without its progress."""
        here = {"progress": find_progress(self._settings, position), "seconds": training_seconds}
        course = attrs.evolve(position.course, step=position.step, **{**here, **changes})
        return attrs.evolve(position, course=course)

    def end_early(self, position: Position, training_seconds: float) -> Position:
        """Return the position with a schedule that comes to its end within a few steps from here."""
        progress = find_progress(self._settings, position)
        if progress >= self._settings.warm_up:  # else the rate would jump up
            progress = max(progress, find_fall(self._settings, position.course))
        now = self.begin_course(position, training_seconds, ends_early=True, progress=progress)
        falls = self._settings.schedule != "constant"
        end = position.step + (max(1, round(EARLY_END * position.step)) if falls else 0)
        return attrs.evolve(now, total_steps=min(end, position.total_steps or end))

    def validation_tokens(self, position: Position, seconds: float) -> int:
        """Return the number of tokens of validation text that fit into their share of the time."""
        left, speed = max(0.0, self.limit - seconds), 1 / (position.costs.step or SUPPOSED_STEP)
        evaluations = 1 + self.count_evaluations(position, round(left * speed))
        least = LEAST_VALIDATION + (0 if self._batches.carries_state else self._settings.window)
        return max(least, int(VALIDATION_SHARE * left * self._validation_speed(speed) / evaluations))

    def validation_seconds(self, tokens: int, step_seconds: float) -> float:
        """Return the seconds of a validation on so many tokens if predicting one costs what it costs in training."""
        return tokens / self._validation_speed(1 / step_seconds)

    def _validation_speed(self, steps_per_second: float) -> float:
        # a validation of windows predicts every `stride`-th token alone
        stride = 1 if self._batches.carries_state else self._settings.stride
        return steps_per_second * self._batches.tokens_per_step * stride

    def count_fitting(self, position: Position, seconds: float) -> int:
        """Return the number of steps, with their validations and checkpoints, that the time left is nearest to."""
        costs, left = position.costs, self.limit - seconds
        step = costs.step or SUPPOSED_STEP
        saves = 1 + left // SECONDS_BETWEEN_CHECKPOINTS  # the last one says that the run is done

        def duration(steps: int) -> float:
            return (steps - 0.5) * step + costs.evaluation * self.count_evaluations(position, steps)

        most = 1 + int(min(max(0.0, left / step), MOST_STEPS))
        return max(0, bisect.bisect_right(range(most), left - saves * costs.saving, key=duration) - 1)

    def count_evaluations(self, position: Position, steps: int) -> int:
        """Return the number of validations of a run limited by time in the next `steps`, which are its last."""
        end, evaluated = position.step + steps, position.evaluated_step
        if end == evaluated:
            return 0
        epoch, apart = self._batches.steps_per_epoch, max(1.0, end / EVALUATIONS_BY_TIME)
        first = math.ceil(max(evaluated + apart, position.step) / epoch) * epoch  # the first far enough
        between = math.ceil(apart / epoch) * epoch
        return 1 + (0 if first >= end else 1 + (end - 1 - first) // between)

    def evaluation_is_due(self, position: Position) -> bool:
        """Return whether the run is to be validated before its next step."""
        if position.step == position.evaluated_step:
            return False
        if position.total_steps is not None and position.step >= position.total_steps:
            return True
        if position.step_in_epoch < self._batches.steps_per_epoch:
            return False
        if not self.limit:
            return True
        planned = position.total_steps
        return planned is not None and position.step - position.evaluated_step >= planned / EVALUATIONS_BY_TIME
