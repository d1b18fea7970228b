from __future__ import annotations

import io
import re
import sys
from typing import Any

import pytest

from textforge.training.console import ConsoleReport, plain_console
from textforge.training.events import EpochResult, Progress, RunStart, Sample


def report_to(terminal: bool) -> tuple[ConsoleReport, io.StringIO]:
    stream = io.StringIO()
    return ConsoleReport(plain_console(file=stream, force_terminal=terminal, width=120)), stream


def start(**changes: Any) -> RunStart:
    values = {
        "parameters": 1234,
        "vocabulary_size": 57,
        "train_tokens": 10_000,
        "validation_tokens": 1_000,
        "unit": "characters",
        "epochs": 3,
        "minutes": None,
        "steps_per_epoch": 12,
        "batch_size": 16,
        "sequence_length": 64,
        "epoch": 0.0,
    }
    return RunStart(**{**values, **changes})


def result(**changes: Any) -> EpochResult:
    values = {
        "epoch": 1.0,
        "step": 12,
        "train_loss": 2.0,
        "validation_loss": 1.5,
        "learning_rate": 0.01,
        "tokens_per_second": 12345.6,
        "seconds": 75.0,
        "best": True,
    }
    return EpochResult(**{**values, **changes})


PROGRESS = Progress(
    step=6, total_steps=12, epoch=0.5, loss=1.75, learning_rate=0.1, tokens_per_second=5000, seconds=1, seconds_left=61
)


def test_says_what_is_trained_and_how_it_went() -> None:
    report, stream = report_to(terminal=False)
    report.start(start())
    report.step(PROGRESS)
    report.epoch(result(), None)  # type: ignore[arg-type]
    report.epoch(result(best=False, validation_loss=None), None)  # type: ignore[arg-type]
    report.finish()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "10,000 characters to learn from and 1,000 to validate on, 57 different; 1,234 parameters"
    assert lines[1] == "training for 3 epochs, 12 steps of 16 x 64 characters each"
    assert re.split(r"\s{2,}", lines[2]) == [
        "epoch 1",
        "training 2.0000",
        "validation 1.5000 (2.164 bits)",
        "1 min 15 s",
        "12,346 tokens/s",
        "best",
    ]
    assert re.split(r"\s{2,}", lines[3])[2:] == ["1 min 15 s", "12,346 tokens/s"]
    assert len(lines) == 4, "no bar where nobody watches"


def test_a_terminal_has_a_bar_with_loss_speed_and_time_left() -> None:
    report, stream = report_to(terminal=True)
    report.start(start(epochs=None, minutes=2.0, epoch=1.25))
    report.step(PROGRESS)
    report.finish()
    report.finish()
    assert "training for 2 minutes; an epoch is 12 steps" in stream.getvalue()
    assert "going on after epoch 1.25" in stream.getvalue()
    assert "epoch 0.50  loss 1.750  5,000 tokens/s  1 min 1 s left" in stream.getvalue()


def test_texts_are_shown_to_the_letter() -> None:
    report, stream = report_to(terminal=False)
    report.samples([Sample(1.0, "temperature:0.5", "a [bold]\n", "b[/bold] :smile: " * 20)])
    assert stream.getvalue() == "\nfrom 'a [bold]\\n':\n--- temperature:0.5 ---\n" + "b[/bold] :smile: " * 20 + "\n\n"


class Breaking(io.StringIO):
    """A stream that breaks once it has what a run begins with: two lines, of which one is two rows of a terminal."""

    def __init__(self, error: Exception, terminal: bool) -> None:
        super().__init__()
        self.error = error
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        if self.getvalue().count("\n") >= (3 if self.terminal else 2):
            raise self.error
        return super().write(text)


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    "error", [BrokenPipeError(), OSError(28, "No space left on device"), ValueError("closed")], ids=str
)
def test_goes_on_in_silence_where_the_stream_breaks(error: Exception, terminal: bool) -> None:
    stream = Breaking(error, terminal)
    report = ConsoleReport(plain_console(file=stream, force_terminal=terminal))
    report.start(start())
    report.step(PROGRESS)
    for _ in range(3):
        report.epoch(result(), None)  # type: ignore[arg-type]
    report.finish()
    assert "training for 3 epochs" in stream.getvalue()
    assert "validation" not in stream.getvalue()


def test_without_standard_error_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    report = ConsoleReport()
    report.start(start())
    report.epoch(result(), None)  # type: ignore[arg-type]
    report.finish()


def test_one_epoch_is_said_in_the_singular() -> None:
    report, stream = report_to(terminal=False)
    report.start(start(epochs=1))
    assert "training for 1 epoch, 12 steps" in stream.getvalue()


def test_without_a_bar_a_line_every_half_minute_says_how_far_an_epoch_is(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("textforge.training.console.time.perf_counter", lambda: now[0])
    report, stream = report_to(terminal=False)
    report.start(start())
    progress = Progress(6, 12, 0.5, 1.75, 0.01, 12_345.0, 8.0, 8.5)
    for seconds in (29.0, 0.9):
        now[0] += seconds
        report.step(progress)
    assert "epoch 0.50" not in stream.getvalue()
    now[0] += 0.2
    report.step(progress)
    now[0] += 29.0
    report.step(progress)
    assert stream.getvalue().endswith("epoch 0.50  loss 1.750  12,345 tokens/s  8.5 s left\n")
    assert stream.getvalue().count("epoch 0.50") == 1
    report.epoch(result(), None)  # type: ignore[arg-type]
    now[0] += 29.0
    report.step(progress)
    assert stream.getvalue().count("epoch 0.50") == 1, "an epoch's line tells it too"
