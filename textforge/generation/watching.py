"""Watchers of tokens as they are drawn, which change nothing of them."""

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
        """The distribution that the sampler left."""
        return Distribution(self._logits)


@attrs.frozen(eq=False, slots=False)
class PartOpinion:
    """The opinion that one part of a model had of a token, before any sampler."""

    part: str
    """Its name, such as that of its architecture."""
    weight: float
    """Its weight in the model."""
    _logits: Row

    @functools.cached_property
    def said(self) -> Distribution:
        """The part's distribution."""
        return Distribution(self._logits)


@attrs.frozen(eq=False, slots=False)
class DrawnToken:
    """A token that was drawn, with the distributions before, within and after the chain."""

    number: int
    """The text's number."""
    step: int
    """Tokens generated before it."""
    id: int
    uniform: float
    """The number in [0, 1) that it was drawn with."""
    _model_logits: Row
    stages: tuple[Stage, ...]
    """The distributions that the samplers of the chain left, in order, presets expanded."""
    opinions: tuple[PartOpinion, ...] = ()
    """The opinions of the parts, where the model is made of others."""

    @functools.cached_property
    def before(self) -> Distribution:
        """The model's distribution."""
        return Distribution(self._model_logits)

    @property
    def after(self) -> Distribution:
        """The distribution that the token was drawn from."""
        return self.stages[-1].left if self.stages else self.before


Watcher = Callable[[DrawnToken], None]
"""A function called with each token as it is drawn, before it shows; with the end of text and a stop text's too."""


def broadcast(watchers: Sequence[Watcher]) -> Watcher | None:
    """Return one watcher that calls all of these, or None where there are none."""
    if len(watchers) < 2:
        return watchers[0] if watchers else None

    def tell(drawn: DrawnToken) -> None:
        for watcher in watchers:
            watcher(drawn)

    return tell


class WatchedChain:
    """A chain that computes the same, and keeps the logits of the newest step as each sampler left them."""

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
        """Return the logits as the last sampler leaves them, (B, V), as `Chain` does."""
        self._left = []
        for link in self._links:
            logits = link(logits, step)
            self._left.append(logits.copy())  # a sampler may use its array again
        return logits

    def collect_stages(self, row: int) -> tuple[Stage, ...]:
        """Return the distributions of a row that the samplers left, in order."""
        return tuple(Stage(sampler, left[row]) for sampler, left in zip(self._samplers, self._left, strict=True))

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all texts but those of these rows, as `Chain` does."""
        for link in self._links:
            link.keep(rows)

    def __str__(self) -> str:
        return write_chain(self._samplers) or "no samplers"
