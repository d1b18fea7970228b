"""Recipes: the sizes and training settings that suit a corpus and what limits a run.

A recipe follows from what it is given alone, never from a measurement: the same command gives the same model wherever
training has the same declared speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import attrs

FEWEST_ROWS = 1
"""The streams of the shortest corpus."""
FEWEST_STEPS = 56
"""Steps of a pass, at least."""
SHORTEST = 16
"""Tokens of a sequence, at least, if the corpus has so many."""
A = TypeVar("A")
"""The architecture."""


@attrs.frozen
class CorpusSize:
    """The size of a corpus."""

    tokens: int
    """Tokens to learn from."""
    vocabulary_size: int


@attrs.frozen
class Budget:
    """The limits of a run, and what its user has settled already."""

    epochs: int | None = None
    minutes: float | None = None
    """The limit of the run; of both, the one that ends it first."""
    speed: float = 1.0
    """The speed of training as a multiple of PyTorch's on two cores of a processor, as the backend declares it."""
    settings: Mapping[str, Any] = MappingProxyType({})
    """The training settings that were given, by name: they win over those of the recipe."""
    mixed: bool = False
    """True where the model becomes a part of a mixture, and is judged by what it adds to the others."""

    @property
    def seconds(self) -> float | None:
        """The seconds that two cores would need for what fits into the minutes; None where epochs limit the run."""
        return None if self.minutes is None else 60.0 * self.minutes * self.speed


@attrs.frozen
class Recipe(Generic[A]):
    """An architecture with all its options chosen, and the training settings that go with it."""

    architecture: A
    settings: Mapping[str, Any] = MappingProxyType({})
    """Training settings, of `textforge.training.settings.TrainingSettings`; what the user gives wins. Epochs that are
    chosen beside given minutes end a run whose corpus needs no more; the minutes stay its limit."""
    reason: str | None = None
    """Half a sentence on what the choice follows from; None where nothing was chosen."""
    mixed_precision: bool = False
    """True where training was seen to lose nothing in mixed precision: a backend may use it where that is faster."""


def fit_streams(tokens: int, rows: int = 16, length: int = 64) -> tuple[int, int]:
    """Return the streams of a corpus, and the tokens of each in a step: fewer and shorter where the corpus is short.

    >>> fit_streams(1_000_000), fit_streams(18_000), fit_streams(1_800)
    ((16, 64), (5, 64), (1, 32))
    """
    rows = max(FEWEST_ROWS, min(rows, tokens // (FEWEST_STEPS * length)))
    shortest = min(SHORTEST, length, max(1, tokens - 1))  # each is learnt from the one before
    return rows, max(shortest, min(length, tokens // (FEWEST_STEPS * rows)))


def write_reason(passes: float, corpus: CorpusSize, budget: Budget, to_spare: bool = False) -> str:
    """Return what a recipe followed from, as the line that tells of it has it.

    `to_spare` says that the minutes are more than it makes use of.

    >>> write_reason(6.24, CorpusSize(900_000, 65), Budget(minutes=1.5))
    '900,000 tokens of 65 kinds in 1.5 minutes, about 6.2 passes'
    >>> write_reason(12, CorpusSize(1_800, 46), Budget(minutes=5), to_spare=True)
    '1,800 tokens of 46 kinds, which need less than 5 minutes'
    """
    text = f"{corpus.tokens:,} tokens of {corpus.vocabulary_size:,} kinds"
    if budget.minutes is None:
        return text
    unit = "minute" if budget.minutes == 1 else "minutes"
    if to_spare:
        return f"{text}, which need less than {budget.minutes:g} {unit}"
    times = f"{passes:.2g}" if passes < 10 else f"{passes:.0f}"
    return f"{text} in {budget.minutes:g} {unit}, about {times} passes"
