"""Training of the architectures beside the LSTM: textforge's loop beside a bare one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.measure import in_process
from tests.benchmarks.row import Row

SIZES = (
    ("conv", "6 x 96", 16),
    ("conv:channels=192", "6 x 192", 32),
    ("gpt", "4 x 192", 16),
    ("gpt:hidden_size=384", "4 x 384", 16),
)
"""Specs, what they are, and rows of a batch."""
SHARE = 0.97


def rows(corpus: Path, length: int = 64, steps: int = 20, rounds: int = 7) -> Iterator[Row]:
    """Yield a row for each network that PyTorch trains: tokens a second beside a bare loop's."""
    for spec, size, batch in SIZES:
        figures = in_process("sides", "training_rates", "torch", str(corpus), spec, batch, length, steps, rounds)
        what = f"`{spec.partition(':')[0]}`, {size}, batches of {batch} x {length}"
        yield make_row("torch", what, figures, "a bare PyTorch loop", SHARE)


def make_row(backend: str, what: str, figures: dict[str, float], loop: str, least: float) -> Row:
    """Return the row of a speed of training, and its share of a bare loop's."""
    share = figures["textforge"] / figures["bare"]
    return Row(
        f"training with {backend}, {what}, tokens a second",
        f"{figures['textforge']:,.0f}",
        f"{loop}: {figures['bare']:,.0f}, so {share:.0%} of it",
        f"at least {least:.0%}",
        share >= least,
    )
