"""The interface of reports: watchers of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textforge.components.component import Component

if TYPE_CHECKING:
    from textforge.model import Model
    from textforge.training.checkpoint import Checkpoint
    from textforge.training.events import EpochResult, Progress, RunStart, Sample


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
