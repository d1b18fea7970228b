"""The events of a training run: its start, its progress, its epochs and its samples."""

from __future__ import annotations

from typing import Any

import attrs


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
    replay_loss: float | None = None
    """Mean loss over what was kept of the older text that is mixed in, in nats a token; None where none is."""

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
