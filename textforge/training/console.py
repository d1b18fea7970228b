"""The report of a run on standard error: a line an epoch, and a bar where somebody watches."""

from __future__ import annotations

import io
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO, cast

from rich.console import Console

from textforge.model import Model
from textforge.terminal import is_plain, make_visible, unwrap
from textforge.training.checkpoint import Checkpoint
from textforge.training.events import EpochResult, Progress, RunStart, Sample
from textforge.training.plan import MEASURED
from textforge.training.progress_bar import ProgressBar, fit
from textforge.training.report import Report

SECONDS_BETWEEN_LINES = 30.0
"""The interval of lines where there is no bar: standard error is a log, or is to have no line rewritten."""


class Lasting:
    """A text stream that may be closed at any time: from then on, what is written is lost, and nothing is raised.

    >>> import io
    >>> stream = io.StringIO()
    >>> stream.close()
    >>> Lasting(stream).write("text")
    4
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._open = True

    def write(self, text: str) -> int:
        """Write, while that is possible."""
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        """Flush, while that is possible."""
        self._try(self._stream.flush)

    def _try(self, action: Callable[..., object], *arguments: str) -> None:
        if self._open:
            try:
                action(*arguments)
            except (OSError, ValueError):  # a pipe nobody reads, a full disk, a terminal that is gone, a closed file
                self._open = False

    def isatty(self) -> bool:
        """Return whether somebody watches."""
        return self._open and not self._stream.closed and self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def plain_console(file: TextIO | None = None, **where: Any) -> Console:
    """Return a console that shows text to the letter: it comes from a model, and may look like anything.

    `file` is standard error unless given. Where it can't be written to, the console is silent.
    """
    stream = sys.stderr if file is None else file
    lasting = io.StringIO() if stream is None else cast("TextIO", Lasting(unwrap(stream)))
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=True, file=lasting, **where)


class ConsoleReport(Report):
    """A report on standard error: a line an epoch, and a bar where somebody watches who wants more than text.

    Without a bar, a line every half minute says how far an epoch is.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or plain_console()
        self._watched = self._console.is_terminal or self._console.file.isatty()
        self._bar: ProgressBar | None = None
        self._minutes: float | None = None
        self._measuring = False
        self._said = time.perf_counter()
        self.saved = False
        """True where the run left a checkpoint."""

    def message(self, text: str) -> None:
        self._print(text, wrap=True)

    def _print(self, text: str, wrap: bool) -> None:
        """Print a text: on a terminal made visible, and broken between words if `wrap`; else to the letter."""
        self._said = time.perf_counter()
        self._console.print(make_visible(text) if self._watched else text, soft_wrap=not (wrap and self._watched))

    def start(self, run: RunStart) -> None:
        self.message(
            f"{run.train_tokens:,} {run.unit} to learn from and {run.validation_tokens:,} to validate on, "
            f"{run.vocabulary_size:,} different; {run.parameters:,} parameters"
        )
        self._say_limits(run)
        if run.epoch:
            self.message(f"going on after epoch {count_epochs(run.epoch)}")
        self._minutes = None if run.epochs else run.minutes
        if self._console.is_terminal and not is_plain():
            self._bar = ProgressBar(self._console, "starting")

    def _say_limits(self, run: RunStart) -> None:
        steps = f"{run.steps_per_epoch:,} steps of {run.batch_size} x {run.sequence_length} {run.unit}"
        minutes = f"{run.minutes or 0:g} {'minute' if run.minutes == 1 else 'minutes'}"
        if run.epochs:
            epochs = "1 epoch" if run.epochs == 1 else f"{run.epochs} epochs"
            self.message(
                f"training for {epochs}, {steps} each{f', or {minutes} if they end first' * bool(run.minutes)}"
            )
        elif run.minutes:
            self.message(f"training for {minutes}; an epoch is {steps}")

    def step(self, progress: Progress) -> None:
        if self._minutes is not None:
            self._say_plan(self._minutes, progress)
        if self._bar is None and time.perf_counter() - self._said < SECONDS_BETWEEN_LINES:
            return
        speed = f"{progress.tokens_per_second:,.0f} tokens/s"
        parts = [f"epoch {progress.epoch:.2f}", f"loss {progress.loss:.3f}", speed]
        if progress.seconds_left is not None:
            parts.append(f"{duration(progress.seconds_left)} left")
        if self._bar is None:
            self.message(fit(parts, self._console.width if self._watched else sys.maxsize, speed))
        else:
            self._bar.update(parts, speed, completed=progress.step, total=progress.total_steps)

    def _say_plan(self, minutes: float, progress: Progress) -> None:
        """Say of a run limited by time that its speed is measured, which takes a while, and then what fits into it."""
        if progress.total_steps is None and not self._measuring:
            self._measuring = True
            self.message(f"measuring the speed first, for {duration(minutes * 60 * MEASURED)}")
        elif progress.total_steps is not None:
            self._minutes = None
            if self._measuring:
                epochs = progress.total_steps * progress.epoch / max(1, progress.step)
                fitting = f"{progress.total_steps:,} steps fit, {count_epochs(round(epochs, 1) or epochs)} epochs"
                self.message(f"at this speed {fitting}")

    def epoch(self, result: EpochResult, model: Model) -> None:
        parts = [f"epoch {count_epochs(result.epoch):<5} training {result.train_loss:.4f}"]
        if result.validation_loss is not None:
            bits = result.validation_loss / math.log(2)
            parts.append(f"validation {result.validation_loss:.4f} ({bits:.3f} bits)")
        if result.replay_loss is not None:
            parts.append(f"older text {result.replay_loss:.4f}")
        speed = f"{result.tokens_per_second:,.0f} tokens/s"
        parts += [duration(result.seconds), speed]
        if result.best and result.validation_loss is not None:
            parts.append("best")
        self.message(fit(parts, self._console.width if self._watched else sys.maxsize, speed))

    def samples(self, samples: Sequence[Sample]) -> None:
        self._print(f"\nfrom {samples[0].prompt!r}:", wrap=False)
        for sample in samples:
            self._print(f"--- {sample.chain} ---\n{sample.text}\n", wrap=False)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        self.saved = True

    def finish(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def count_epochs(epochs: float) -> str:
    """Return a number of epochs, or of a part of one, as a person writes it.

    >>> count_epochs(3.0), count_epochs(18.9512), count_epochs(6.915e-05)
    ('3', '18.95', '0.00007')
    """
    return f"{epochs:.4g}" if epochs == 0 or epochs >= 1e-3 else f"{epochs:.5f}"


def duration(seconds: float) -> str:
    """Return seconds as a person says them.

    >>> duration(3.14159), duration(75), duration(7260)
    ('3.1 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
