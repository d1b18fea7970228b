"""The measured sides that run in processes of their own."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import textforge
from textforge.backends.choose import load_model
from textforge.corpora.text import TextCorpus
from textforge.training.events import EpochResult


class Stopwatch(textforge.Report):
    """The seconds and losses of a run's epochs, counted from when training was asked for."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.seconds: list[float] = []
        self.losses: list[float] = []
        self.rates: list[float] = []

    def epoch(self, result: EpochResult, model: Any) -> None:
        self.seconds.append(time.perf_counter() - self.began)
        self.rates.append(result.tokens_per_second)
        self.losses.append(result.validation_loss if result.validation_loss is not None else result.train_loss)


def loss_in(path: str, minutes: float | None) -> dict[str, float]:
    """Train for some minutes, or by default settings: the validation loss, and all seconds, reading the text included.

    The loss is that on all of the last tenth, which a run of few minutes reads in part alone.
    """
    textforge.Plugins().backend("torch").require()  # PyTorch's import is not training
    watch = Stopwatch()
    limit = {} if minutes is None else {"minutes": minutes}
    generator = textforge.train(f"files:{path},lowercase=true", backend="torch", seed=1, report=watch, **limit)
    text = Path(path).read_text(encoding="utf-8").lower()
    held_out = TextCorpus.of(text[len(text) - len(text) // 10 :])
    return {"seconds": watch.seconds[-1], "loss": generator.evaluate(held_out).loss}


def notebook_seconds_to(path: str, loss: float) -> dict[str, Any]:
    """Train by the notebook's method to a validation loss of at most `loss`."""
    from tests.benchmarks.notebook import Notebook

    return Notebook(Path(path)).seconds_to(loss)


def notebook_characters_per_second(path: str, count: int) -> float:
    """The notebook's speed of generating."""
    from tests.benchmarks.notebook import Notebook

    return Notebook(Path(path)).characters_per_second(count)


def characters_per_second(generator: textforge.TextGenerator, count: int, samplers: str = "temperature:0.7") -> float:
    """The speed of a stream of one text."""
    began = time.perf_counter()
    return sum(map(len, generator.stream("the ", samplers=samplers, max_tokens=count, seed=1))) / (
        time.perf_counter() - began
    )


def peak_memory(characters: int) -> dict[str, int]:
    """The peak memory, in bytes, of training a small model on so many characters, read from a file."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        path = Path(folder) / "book.txt"
        write_text(path, characters)
        textforge.train(
            path,
            architecture="lstm:hidden_size=16",
            backend="torch",
            seed=1,
            epochs=1,
            batch_size=64,
            sequence_length=256,
            output=Path(folder) / "model",
        )
    scale = 1 if sys.platform == "darwin" else 1024
    return {"bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale}


def write_text(path: Path, characters: int) -> None:
    """Random letters, in pieces, so that making them takes no memory that would be measured."""
    random = np.random.default_rng(0)
    alphabet = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz .,\n", dtype=np.uint8)
    with path.open("wb") as file:
        while characters > 0:
            piece = min(characters, 1 << 20)
            file.write(alphabet[random.integers(0, len(alphabet), piece)].tobytes())
            characters -= piece


def training_rates(
    framework: str, path: str, spec: str, rows: int, length: int, steps: int, rounds: int
) -> dict[str, float]:
    """Tokens a second of textforge's loop and of a framework's bare loop for the same architecture, in turn."""
    from tests.benchmarks.measure import in_turn
    from textforge.encoders.char import CharEncoder

    text = Path(path).read_text(encoding="utf-8").lower()
    encoder = CharEncoder().fit([text])
    tokens = encoder.encode(text).astype(np.uint8)[: rows * length * steps + rows]
    plugins = textforge.Plugins()
    architecture = plugins.architecture(spec)
    sides = {
        "textforge": _steps_of(plugins, framework, architecture, tokens, encoder, rows, length),
        **_bare(framework, architecture, encoder.vocabulary_size, tokens, rows, length, steps),
    }
    for side in sides.values():
        side()
    return in_turn(sides, rounds)


def _steps_of(
    plugins: textforge.Plugins, backend: str, architecture: Any, tokens: Any, encoder: Any, rows: int, length: int
) -> Callable[[], float]:
    """The speed of an epoch by textforge's loop, its first two steps, in which frameworks compile, not counted."""
    from textforge.training import loop
    from textforge.training.data import TrainingData
    from textforge.training.settings import TrainingSettings

    settings = TrainingSettings(
        seed=0, epochs=1, batch_size=rows, sequence_length=length, learning_rate=0.001, validation=0.0
    )
    data = TrainingData.split(tokens, encoder, 0.0)
    found, fresh = plugins.backend(backend), architecture.create(encoder.vocabulary_size, 0)

    def rate() -> float:
        watch = Stopwatch()
        model = load_model(plugins, found, fresh)
        loop.fit(model, data, settings, watch)  # type: ignore[arg-type]
        return watch.rates[-1]

    return rate


def _bare(
    framework: str, architecture: Any, vocabulary_size: int, tokens: Any, rows: int, length: int, steps: int
) -> dict[str, Callable[[], float]]:
    if framework == "torch":
        from tests.benchmarks import bare_torch

        shape = (rows, length, steps)
        return {"bare": partial(bare_torch.tokens_per_second, architecture, vocabulary_size, tokens, *shape)}
    from tests.benchmarks import bare_keras

    hidden_size = architecture.hidden_size
    made = {
        name: bare_keras.make_step(vocabulary_size, hidden_size, rows, length, jit_compile=name == "bare XLA")
        for name in ("bare", "bare XLA")
    }
    return {
        name: partial(bare_keras.tokens_per_second, step, tokens, hidden_size, rows, length, steps)
        for name, step in made.items()
    }
