"""The measured sides that run in processes of their own."""

from __future__ import annotations

import math
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import textforge
from textforge.training.report import EpochResult, RunStart


class Stopwatch(textforge.Report):
    """The seconds and losses of a run's epochs, counted from when training was asked for."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.started = 0.0
        self.seconds: list[float] = []
        self.losses: list[float] = []

    def start(self, run: RunStart) -> None:
        self.started = time.perf_counter()

    def epoch(self, result: EpochResult, model: Any) -> None:
        self.seconds.append(time.perf_counter() - self.began)
        self.losses.append(result.validation_loss if result.validation_loss is not None else result.train_loss)


def seconds_to(path: str, loss: float) -> dict[str, Any]:
    """Train with default settings: the seconds to a validation loss of at most `loss`, reading the text included."""
    textforge.Plugins().backend("torch").create(2, 0)  # PyTorch's import is not training
    watch = Stopwatch()
    textforge.train(f"files:{path},lowercase=true", backend="torch", seed=1, report=watch)
    reached = [number for number, value in enumerate(watch.losses) if value <= loss]
    return {
        "seconds": watch.seconds[reached[0]] if reached else math.inf,
        "epochs": reached[0] + 1 if reached else None,
        "all_seconds": watch.seconds[-1],
        "losses": watch.losses,
    }


def notebook_seconds_to(path: str, loss: float) -> dict[str, Any]:
    """The same by the notebook's method."""
    from tests.benchmarks.notebook import Notebook

    return Notebook(Path(path)).seconds_to(loss)


def notebook_characters_per_second(path: str, count: int) -> float:
    """The notebook's speed of generating."""
    from tests.benchmarks.notebook import Notebook

    return Notebook(Path(path)).characters_per_second(count)


def peak_memory(characters: int) -> dict[str, int]:
    """The peak memory, in bytes, of training a small model on so many characters, read from a file."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        path = Path(folder) / "book.txt"
        _write_text(path, characters)
        textforge.train(
            path,
            backend="torch:hidden_size=16",
            seed=1,
            epochs=1,
            batch_size=64,
            sequence_length=256,
            output=Path(folder) / "model",
        )
    scale = 1 if sys.platform == "darwin" else 1024
    return {"bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale}


def _write_text(path: Path, characters: int) -> None:
    """Random letters, in pieces, so that making them takes no memory that would be measured."""
    random = np.random.default_rng(0)
    alphabet = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz .,\n", dtype=np.uint8)
    with path.open("wb") as file:
        while characters > 0:
            piece = min(characters, 1 << 20)
            file.write(alphabet[random.integers(0, len(alphabet), piece)].tobytes())
            characters -= piece


def training_rates(path: str, hidden_size: int, rows: int, length: int, steps: int, rounds: int) -> dict[str, float]:
    """Tokens a second of textforge's loop and of a bare PyTorch loop, in turn."""
    from tests.benchmarks import bare_torch
    from tests.benchmarks.measure import in_turn
    from textforge.encoders.char import CharEncoder

    text = Path(path).read_text(encoding="utf-8").lower()
    encoder = CharEncoder().fit([text])
    tokens = encoder.encode(text).astype(np.uint8)[: rows * length * steps + rows]

    def ours() -> float:
        from textforge.training import loop
        from textforge.training.data import TrainingData
        from textforge.training.settings import TrainingSettings

        watch = Stopwatch()
        model = textforge.Plugins().backend(f"torch:hidden_size={hidden_size}").create(encoder.vocabulary_size, 0)
        settings = TrainingSettings(seed=0, epochs=1, batch_size=rows, sequence_length=length, validation=0.0)
        loop.fit(model, TrainingData.split(tokens, encoder, 0.0), settings, watch)
        return steps * rows * length / (watch.began + watch.seconds[0] - watch.started)

    sides = {
        "textforge": ours,
        "bare": lambda: bare_torch.tokens_per_second(tokens, hidden_size, rows, length, steps),
    }
    for side in sides.values():
        side()
    return in_turn(sides, rounds)
