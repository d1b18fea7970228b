"""One text token by token: textforge on NumPy beside PyTorch with its state, on the same weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import textforge
from tests.benchmarks.measure import in_process, in_turn
from tests.benchmarks.row import Row
from tests.benchmarks.sides import characters_per_second
from textforge.backends.choose import load_model
from textforge.encoders.char import CharEncoder

MODELS = {"`gpt`, 4 x 192": "gpt", "`lstm`, 2 x 512": "lstm:hidden_size=512,num_layers=2"}
TEMPERATURE = 0.7
CHECKED = 300
"""Tokens over which the sides are found to give the same logits: more than two of the Transformer's windows."""
TOLERANCE = 1e-3


def rows(corpus: Path, count: int = 1000, rounds: int = 9) -> Iterator[Row]:
    """Yield a row for each model: characters a second of `TextGenerator.stream`, and of the fastest way in PyTorch."""
    for name, spec in MODELS.items():
        figures = in_process("stepping", "rates", str(corpus), spec, count, rounds)
        ours = figures.pop("textforge")
        fastest = max(figures, key=lambda way: figures[way])
        times = ours / figures[fastest]
        ways = ", ".join(f"{way}: {figure:,.0f}" for way, figure in figures.items())
        yield Row(
            f"one text by {name} on NumPy, characters a second",
            f"{ours:,.0f}",
            f"PyTorch, {ways}; so {times:.1f} times the fastest",
            "faster than PyTorch",
            times > 1,
        )


def rates(path: str, spec: str, count: int, rounds: int) -> dict[str, float]:
    """Return characters a second of fresh weights: textforge by NumPy, and bare loops in PyTorch.

    These step a bare network, or textforge's own on PyTorch, on one thread and on as many as PyTorch takes by itself.
    """
    import torch

    encoder = CharEncoder().fit([Path(path).read_text(encoding="utf-8").lower()])
    plugins = textforge.Plugins()
    saved = plugins.architecture(spec).create(encoder.vocabulary_size, 0)
    ours, theirs = (load_model(plugins, plugins.backend(name), saved) for name in ("numpy", "torch:device=cpu"))
    steppers = {"bare": make_bare(saved).step, "textforge's model": make_step(theirs)}
    _check(make_step(ours), [make_bare(saved).step, make_step(theirs)], encoder.vocabulary_size)
    generator = textforge.TextGenerator(ours, encoder, plugins=plugins)
    sides: dict[str, Callable[[], float]] = {
        "textforge": partial(characters_per_second, generator, count, f"temperature:{TEMPERATURE}")
    }
    for threads in sorted({1, torch.get_num_threads()}):
        for way, step in steppers.items():
            name = f"{way} on {threads} thread{'s' if threads > 1 else ''}"
            sides[name] = partial(drawn_per_second, step, count, threads)
    return in_turn(sides, rounds)


def make_bare(saved: textforge.SavedModel) -> Any:
    """Return a stepper of bare PyTorch."""
    from tests.benchmarks import bare_gpt, bare_lstm

    return {"gpt": bare_gpt.Stepper, "lstm": bare_lstm.Stepper}[saved.architecture](saved)


def make_step(model: textforge.Model) -> Callable[[int], Any]:
    """Return the step of a model, from a token to the logits of the next, (V,)."""
    state = model.start(1)

    def step(token: int) -> Any:
        return model.step(np.array([token]), state)[0]

    return step


def drawn_per_second(step: Callable[[int], Any], count: int, threads: int) -> float:
    """Return the speed of stepping and drawing, PyTorch on so many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    uniform = np.random.default_rng(0).random(count).tolist()
    id = 0
    began = time.perf_counter()
    for number in uniform:
        logits = step(id) / TEMPERATURE
        sums = np.exp(logits - logits.max()).cumsum()
        id = int(sums.searchsorted(number * sums.item(-1), "right"))
    seconds = time.perf_counter() - began
    torch.set_num_threads(before)
    return count / seconds


def _check(ours: Callable[[int], Any], others: list[Callable[[int], Any]], vocabulary_size: int) -> None:
    """Raise `RuntimeError` unless all give the same logits for the same tokens."""
    for id in np.random.default_rng(0).integers(0, vocabulary_size, CHECKED).tolist():
        logits = np.array(ours(id))
        for other in others:
            if not np.allclose(other(id), logits, atol=TOLERANCE):
                raise RuntimeError("PyTorch and NumPy differ on the same weights")
