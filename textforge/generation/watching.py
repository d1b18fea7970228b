"""Watchers of tokens as they come about, which change nothing of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import attrs

from textforge.components.spec import write_chain
from textforge.encoders.base import Encoder
from textforge.generation.chain import Chain
from textforge.generation.distribution import Distribution, Row
from textforge.generation.history import History
from textforge.samplers.base import Logits, Sampler


@attrs.frozen(eq=False, slots=False)
class Stage:
    """A token's distribution as one sampler of a chain left it."""

    sampler: Sampler
    _logits: Row

    @functools.cached_property
    def left(self) -> Distribution:
        """The distribution it left."""
        return Distribution(self._logits)


@attrs.frozen(eq=False, slots=False)
class DrawnToken:
    """A token that was drawn, and how the chain came to it."""

    number: int
    """The text's number."""
    step: int
    """Tokens generated before it."""
    id: int
    uniform: float
    """The number in [0, 1) that it was drawn with."""
    _model_logits: Row
    stages: tuple[Stage, ...]
    """What each sampler of the chain left, presets expanded."""

    @functools.cached_property
    def before(self) -> Distribution:
        """The model's distribution."""
        return Distribution(self._model_logits)

    @property
    def after(self) -> Distribution:
        """The distribution it was drawn from."""
        return self.stages[-1].left if self.stages else self.before


Watcher = Callable[[DrawnToken], None]
"""Is told of each token as it is drawn, before it shows: also of the end-of-text token, and of those of a stop text."""


def broadcast(watchers: Sequence[Watcher]) -> Watcher | None:
    """Return one watcher that tells all of these, or None where there are none."""
    if len(watchers) < 2:
        return watchers[0] if watchers else None

    def tell(drawn: DrawnToken) -> None:
        for watcher in watchers:
            watcher(drawn)

    return tell


class WatchedChain:
    """A chain that computes the same, and keeps what each sampler left of the newest logits."""

    def __init__(
        self, samplers: Sequence[Sampler], history: History, *, seed: int, texts: Sequence[int], encoder: Encoder
    ) -> None:
        self._links = [
            Chain([sampler], history, seed=seed, texts=texts, encoder=encoder, position=position)
            for position, sampler in enumerate(samplers)
        ]
        self._samplers = tuple(samplers)
        self._left: list[Logits] = []

    def __call__(self, logits: Logits, step: int) -> Logits:
        """Return what the last sampler leaves of the logits, as `Chain` does."""
        self._left = []
        for link in self._links:
            logits = link(logits, step)
            self._left.append(logits.copy())  # a sampler may use its array again
        return logits

    def stages(self, row: int) -> tuple[Stage, ...]:
        """Return what each sampler left of a row."""
        return tuple(Stage(sampler, left[row]) for sampler, left in zip(self._samplers, self._left, strict=True))

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all texts but these, as `Chain` does."""
        for link in self._links:
            link.keep(rows)

    def __str__(self) -> str:
        return write_chain(self._samplers) or "no samplers"
