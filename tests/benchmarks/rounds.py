"""Epochs all at once, and by resuming a run that was asked for fewer."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import textforge
from tests.benchmarks.measure import in_process
from tests.benchmarks.row import Row
from tests.benchmarks.sides import Stopwatch

CHARACTERS = 300_000
WITHIN = 0.02
SEEDS = (1, 2, 3)


def rows(
    shakespeare: Path, characters: int = CHARACTERS, epochs: int = 6, seeds: Sequence[int] = SEEDS
) -> Iterator[Row]:
    """Yield the last validation losses of default runs of so many epochs, medians over seeds."""
    ways = {"one by one": list(range(1, epochs + 1)), f"1, then {epochs - 1}": [1, epochs]}
    asked = {"at once": [epochs], **ways}
    found: dict[str, list[float]] = {way: [] for way in asked}
    for seed in seeds:
        for way, totals in asked.items():
            found[way].append(in_process("rounds", "last_loss", str(shakespeare), characters, totals, seed))
    losses = {way: statistics.median(values) for way, values in found.items()}
    for way in ways:
        apart = losses[way] - losses["at once"]
        what = f"{epochs} epochs of {characters:,} characters by `--resume`, {way}: validation loss"
        beside = f"all at once: {losses['at once']:.3f}, so {apart:+.3f}"
        yield Row(what, f"{losses[way]:.3f}", beside, f"at most {WITHIN} worse", apart <= WITHIN)


def last_loss(path: str, characters: int, totals: Sequence[int], seed: int) -> float:
    """Return the last validation loss of a run by default settings that is asked for these epochs in total, in turn.

    It learns from a text's first characters; their last tenth is held out.
    """
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        text, model = Path(folder) / "text.txt", Path(folder) / "model"
        text.write_text(Path(path).read_text(encoding="utf-8")[:characters], encoding="utf-8")
        textforge.train(text, output=model, seed=seed, epochs=totals[0], report=watch)
        for epochs in totals[1:]:
            textforge.train(output=model, resume=True, epochs=epochs, report=watch)
    return watch.losses[-1]
