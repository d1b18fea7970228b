"""Reports of a training run: its events, and the interface of their receivers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from textforge.components.component import Component

if TYPE_CHECKING:
    from textforge.model import Model
    from textforge.training.checkpoint import Checkpoint


@attrs.frozen
class RunStart:
    """The description of a run that is about to begin."""

    parameters: int
    vocabulary_size: int
    train_tokens: int
    validation_tokens: int
    unit: str
    """The name of tokens, in the plural."""
    epochs: int | None
    """The limit of the run: epochs, or minutes; neither where the model is counted, not trained step by step."""
    minutes: float | None
    steps_per_epoch: int
    batch_size: int
    sequence_length: int
    """Tokens of a sequence, or of a window."""
    epoch: float
    """Epochs already done, when resuming."""
    sequences: int | None = None
    """Sequences, or windows, that the text is cut into; None where it isn't cut. An epoch has whole batches of them."""


@attrs.frozen
class Progress:
    """The progress of a run, reported at most ten times a second."""

    step: int
    """Steps done."""
    total_steps: int | None
    """Steps there will be, once that is known."""
    epoch: float
    """Epochs done, the present one by its share."""
    loss: float
    """Mean training loss of the steps since the last report, in nats a token."""
    learning_rate: float
    tokens_per_second: float
    seconds: float
    """Seconds trained, before interruptions too."""
    seconds_left: float | None


@attrs.frozen
class EpochResult:
    """The result of an epoch: a line of ``history.jsonl``."""

    epoch: float
    step: int
    train_loss: float
    """Mean loss over the epoch's steps, with dropout, in nats a token."""
    validation_loss: float | None
    """Mean loss over the validation tokens, in nats a token; None where there are none."""
    learning_rate: float
    tokens_per_second: float
    seconds: float
    best: bool
    """True where these weights are the best so far."""

    @property
    def judged_loss(self) -> float:
        """The loss that the weights are judged by: of validation, or of training where there is none."""
        return self.train_loss if self.validation_loss is None else self.validation_loss

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name."""
        return attrs.asdict(self)


@attrs.frozen
class Sample:
    """A text written after an epoch."""

    epoch: float
    chain: str
    """The chain's spec."""
    prompt: str
    text: str


class Report(Component, mutable=True):
    """A watcher of one training run; each method may be overridden, and does nothing by itself.

    A subclass that is registered sets `name` and declares its options; it makes what it holds in
    ``__attrs_post_init__``. One that is only passed to `textforge.train` needs neither, and may have an ``__init__``.
    Any method but `finish` may raise `textforge.StopTraining`: the run ends well, and keeps what was learnt.

    >>> class Losses(Report):
    ...     def __init__(self):
    ...         self.seen = []
    ...
    ...     def epoch(self, result, model):
    ...         self.seen.append(result.train_loss)
    """

    def message(self, text: str) -> None:
        """Receive something the user should know, on one line."""

    def start(self, run: RunStart) -> None:
        """Learn what is about to be trained."""

    def step(self, progress: Progress) -> None:
        """Learn how far training is; called at most ten times a second."""

    def epoch(self, result: EpochResult, model: Model) -> None:
        """Receive the result of an epoch; the model is as it stands then, and may be asked for text."""

    def samples(self, samples: Sequence[Sample]) -> None:
        """Receive texts that were written, one for each chain, all from the same prompt."""

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Receive what the run can be resumed from; called at every epoch's end, now and then, and at the end."""

    def finish(self) -> None:
        """Close what is open: training is over, well or not."""
