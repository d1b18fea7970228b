"""nanoGPT's example for a CPU, as `bare_gpt` has it, beside textforge's `gpt` of the same sizes, on as many tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import textforge
from tests.benchmarks.measure import in_process, in_turn
from tests.benchmarks.row import Row
from tests.benchmarks.sides import Stopwatch
from textforge.backends.choose import load_model
from textforge.encoders.char import CharEncoder

ROWS, LENGTH, STEPS = 12, 64, 2000
SPEC = f"gpt:num_layers=4,hidden_size=128,num_heads=4,window={LENGTH},dropout=0"
BACKEND = "torch:device=cpu"
TARGET_LOSS = 1.88
SEED = 1


def rows(shakespeare: Path, steps: int = STEPS, timed_steps: int = 100, rounds: int = 7) -> Iterator[Row]:
    """Yield the validation losses of both after `steps` steps, and their speeds."""
    losses = in_process("nanogpt", "losses", str(shakespeare), steps)
    beside = f"a bare nanoGPT on blocks that begin anew: {losses['bare']:.3f}"
    what = f"nanoGPT's example for a CPU, {steps:,} steps of {ROWS} x {LENGTH}"
    for where, loss in (("the text as it goes on", losses["stream"]), ("blocks that begin anew", losses["blocks"])):
        aim = f"{TARGET_LOSS} or lower"
        yield Row(f"{what}, validation loss on {where}", f"{loss:.3f}", beside, aim, loss <= TARGET_LOSS)
    figures = in_process("nanogpt", "rates", str(shakespeare), timed_steps, rounds)
    share = figures["textforge"] / figures["bare"]
    beside = f"a bare nanoGPT: {figures['bare']:,.0f}, so {share:.0%} of it"
    yield Row("the same, tokens a second", f"{figures['textforge']:,.0f}", beside, "faster", share > 1)


def losses(path: str, steps: int) -> dict[str, float]:
    """Return the validation losses of whole runs on Tiny Shakespeare, whose last tenth is held out.

    textforge's `stream` is the one that it tells itself, the state carried on; `blocks` is measured as nanoGPT's is.
    """
    import torch

    from tests.benchmarks.bare_gpt import Run, draw_blocks

    encoder, tokens, held_out = _read(path)
    saved, watch = train(encoder, tokens, held_out, steps)
    bare = Run(tokens, ROWS, LENGTH, SEED)
    bare.steps(steps, total=steps)
    plugins = textforge.Plugins()
    model: Any = load_model(plugins, plugins.backend(BACKEND), saved)
    torch.manual_seed(SEED)
    ids, found = torch.tensor(held_out.astype(np.int64)), []
    for _ in range(200):
        inputs, targets = (part.numpy() for part in draw_blocks(ids, ROWS, LENGTH))
        found.append(float(model.loss(inputs, targets, model.start(ROWS))[0]))
    torch.manual_seed(SEED)
    return {"stream": watch.losses[-1], "blocks": float(np.mean(found)), "bare": bare.loss(held_out, batches=200)}


def rates(path: str, steps: int, rounds: int) -> dict[str, float]:
    """Return tokens a second of training, in turn."""
    from tests.benchmarks.bare_gpt import Run

    encoder, tokens, held_out = _read(path)
    bare = Run(tokens, ROWS, LENGTH, SEED)

    def ours() -> float:
        return train(encoder, tokens, held_out[: LENGTH + 1], steps)[1].rates[-1]

    sides: dict[str, Callable[[], float]] = {"textforge": ours, "bare": lambda: bare.steps(steps, total=STEPS)}
    for side in sides.values():
        side()
    return in_turn(sides, rounds)


def train(encoder: Any, tokens: Any, held_out: Any, steps: int) -> tuple[textforge.SavedModel, Stopwatch]:
    """Train for so many steps; a text too short for them begins again, which makes them one epoch."""
    from textforge.training import loop
    from textforge.training.data import TrainingData
    from textforge.training.settings import TrainingSettings

    settings = TrainingSettings(
        seed=SEED,
        epochs=1,
        batch_size=ROWS,
        sequence_length=LENGTH,
        learning_rate=0.003,
        warm_up=0.05,
        weight_decay=0.1,
    )
    plugins, watch = textforge.Plugins(), Stopwatch()
    fresh = plugins.architecture(SPEC).create(encoder.vocabulary_size, SEED)
    model: Any = load_model(plugins, plugins.backend(BACKEND), fresh)
    data = TrainingData(np.resize(tokens, ROWS * LENGTH * steps + 1), held_out, encoder)
    return loop.fit(model, data, settings, watch), watch


def _read(path: str) -> tuple[Any, Any, Any]:
    """Return an encoder, the tokens to train on, and the last tenth."""
    text = Path(path).read_text(encoding="utf-8")
    encoder = CharEncoder().fit([text])
    tokens = encoder.encode(text).astype(np.uint8)
    kept = len(tokens) - len(tokens) // 10
    return encoder, tokens[:kept], tokens[kept:]
