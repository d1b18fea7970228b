"""The checkpoint of a run: all that is needed to go on as if it had never stopped."""

from __future__ import annotations

from typing import Any

import attrs

from textforge.model import Arrays, SavedModel
from textforge.training.costs import Costs
from textforge.training.events import EpochResult
from textforge.training.trend import Trend


@attrs.frozen
class Course:
    """The course of a schedule: how far it was when its pace was last set, from where it goes evenly to its end.

    The end is at the position's `total_steps`. Whatever corrects them begins a new course at the progress that there
    is, or, where the rate is at its highest, at another with the same rate: so the learning rate never jumps.
    """

    step: int = 0
    """The step at which the pace was set."""
    progress: float = 0.0
    """The share of the schedule that was done by then, from 0 to 1."""
    seconds: float = 0.0
    """Seconds of training, without pauses, by then."""
    hold: float = 0.0
    """The share of the schedule, after its warm-up, for which the rate stays the highest."""
    ends_early: bool = False
    """True where the steps were cut short because the run had stopped getting better."""


@attrs.frozen
class Position:
    """The numbers that say how far a run has come."""

    step: int = 0
    """Steps done."""
    epoch: int = 0
    """The epoch that the next step belongs to, from 0."""
    step_in_epoch: int = 0
    """Steps of that epoch done."""
    evaluated_step: int = 0
    """The step of the last validation."""
    loss_sum: float = 0.0
    """Sum of the training losses since then, and how many."""
    loss_count: int = 0
    best_loss: float | None = None
    best_epoch: float = 0.0
    stale_epochs: int = 0
    """Validations since the best."""
    total_steps: int | None = None
    """The plan: the step at which training ends, as far as that is known."""
    seconds: float = 0.0
    """Seconds of the run, and those of its training alone, without pauses."""
    training_seconds: float = 0.0
    rows: int = 0
    """The batches' shape, which the carried state and the count of steps are of."""
    length: int = 0
    finished: bool = False
    first_loss: float | None = None
    """The loss of the first step, which training must not make worse."""
    validation_tokens: int | None = None
    """The number of tokens that a validation reads, where the run's time bounds it; None: all."""
    course: Course = attrs.field(factory=Course)
    costs: Costs = attrs.field(factory=Costs)
    trend: Trend = attrs.field(factory=Trend)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers by name."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Position:
        """Return the position that `to_json` wrote."""
        nested = {"course": Course, "costs": Costs, "trend": Trend}
        return cls(**{**values, **{name: kind(**values.get(name, {})) for name, kind in nested.items()}})


@attrs.frozen(eq=False)
class Turn:
    """The moment at which the learning rate began to fall; a run that is asked for more goes on from there."""

    position: Position
    model: SavedModel
    arrays: Arrays
    """The model's training arrays: moments and carried state."""

    def is_of(self, position: Position) -> bool:
        """Return whether it is of the round of the schedule that a position is in."""
        return self.position.trend.began == position.trend.began


@attrs.frozen(eq=False)
class Checkpoint:
    """A moment of a run: its position, weights, training arrays and results."""

    position: Position
    model: SavedModel
    """The weights at this moment."""
    best: SavedModel
    """The best weights so far, which generate."""
    arrays: Arrays
    """The model's training arrays: moments and carried state."""
    history: tuple[EpochResult, ...] = ()
    """The results of all epochs so far, those of a fall that was taken back included."""
    turn: Turn | None = None
    """The moment at which the rate began to fall, if it has."""
    goes_back: bool = False
    """True where this is such a turn, taken up again; it isn't saved."""
