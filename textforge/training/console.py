"""How training goes, on standard error: a line an epoch, and a bar where somebody watches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from textforge.backends.base import Model
from textforge.training.checkpoint import Checkpoint
from textforge.training.report import EpochResult, Progress, Report, RunStart, Sample


def plain_console(**where: Any) -> Console:
    """A console that shows text to the letter: it comes from a model, and may look like anything."""
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=True, **where)


class ConsoleReport(Report):
    """Shows a run on standard error."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or plain_console(stderr=True)
        self._bar: Bar | None = None
        self.saved = False
        """Whether the run left a checkpoint."""

    def message(self, text: str) -> None:
        self._console.print(text)

    def start(self, run: RunStart) -> None:
        self.message(
            f"{run.train_tokens:,} {run.unit} to learn from and {run.validation_tokens:,} to validate on, "
            f"{run.vocabulary_size:,} different; {run.parameters:,} parameters"
        )
        steps = f"{run.steps_per_epoch:,} steps of {run.batch_size} x {run.sequence_length} {run.unit}"
        if run.minutes:
            self.message(f"training for {run.minutes:g} minutes; an epoch is {steps}")
        elif run.epochs:
            self.message(f"training for {run.epochs} epochs, {steps} each")
        if run.epoch:
            self.message(f"going on after epoch {run.epoch:.4g}")
        self._show_bar()

    def _show_bar(self) -> None:
        if not self._console.is_terminal:
            return
        columns = (BarColumn(bar_width=24), TextColumn("{task.description}", markup=False))
        self._bar = Bar(*columns, console=self._console, transient=True)
        self._bar.add_task("starting", total=None)
        self._bar.start()

    def step(self, progress: Progress) -> None:
        if self._bar is None:
            return
        left = "" if progress.seconds_left is None else f"  {duration(progress.seconds_left)} left"
        self._bar.update(
            self._bar.task_ids[0],
            total=progress.total_steps,
            completed=progress.step,
            description=f"epoch {progress.epoch:.2f}  loss {progress.loss:.3f}  "
            f"{progress.tokens_per_second:,.0f} tokens/s{left}",
        )

    def epoch(self, result: EpochResult, model: Model) -> None:
        parts = [f"epoch {result.epoch:<5.4g} training {result.train_loss:.4f}"]
        if result.validation_loss is not None:
            bits = result.validation_loss / math.log(2)
            parts.append(f"validation {result.validation_loss:.4f} ({bits:.3f} bits)")
        parts += [f"{duration(result.seconds)}", f"{result.tokens_per_second:,.0f} tokens/s"]
        if result.best and result.validation_loss is not None:
            parts.append("best")
        self.message("  ".join(parts))

    def samples(self, samples: Sequence[Sample]) -> None:
        self.message(f"\nfrom {samples[0].prompt!r}:")
        for sample in samples:
            self.message(f"--- {sample.chain} ---\n{sample.text}\n")

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        self.saved = True

    def finish(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(3.14159), duration(75), duration(7260)
    ('3.1 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
