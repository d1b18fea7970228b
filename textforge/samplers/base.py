"""The sampler interface: how logits are reshaped before a token is drawn."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from textforge.components.component import Component

if TYPE_CHECKING:
    from textforge.encoders.base import Encoder

Logits = npt.NDArray[np.float64]
"""Unnormalised log-probabilities, (B, V)."""


class Context(Protocol):
    """The texts that a sampler works on, and its own state; one for each position of the chain.

    A row is a text being generated; rows leave when their text is finished.
    """

    prompt_length: int
    """Tokens of the prompt."""
    step: int
    """Tokens generated so far."""
    encoder: Encoder | None
    """The encoder, where there is one."""
    state: dict[str, Any]
    """This position's own, from one step to the next. Each value has one entry a row (an array whose
    first axis is the rows, or a list); the core drops the entries of rows that finish."""
    shared: dict[str, Any]
    """This position's own, but not by row: tables over the vocabulary, say."""

    @property
    def tokens(self) -> npt.NDArray[np.int64]:
        """The prompt and what was generated so far, (B, t), read-only."""

    def random(self, *shape: int) -> npt.NDArray[np.float64]:
        """Return uniform numbers in [0, 1), (B, *shape), from a stream that is not the draw's."""


class Sampler(Component):
    """Reshapes logits; the core draws a token from what the last sampler of the chain leaves.

    A sampler holds nothing between calls, so one object serves any number of runs and threads.

    >>> import textforge
    >>> class Floor(Sampler):
    ...     name = "floor"
    ...     floor: float = textforge.option(default=-5.0, help="Logits below are dropped.")
    ...     def __call__(self, logits, context):
    ...         return np.where(logits < self.floor, -np.inf, logits)
    >>> Floor(floor=0)(np.array([[-1.0, 2.0]]), None)
    array([[-inf,   2.]])
    """

    @abstractmethod
    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V) float64, from `logits`, (B, V) float64 and read-only.

        Minus infinity rules a token out; each row must keep one finite logit. Rows are independent.
        """

    def check(self, encoder: Encoder | None) -> None:
        """Refuse, with a `TextforgeError`, before the first token, what can't work with this encoder."""

    def expand(self) -> Sequence[Sampler]:
        """Return the samplers this one stands for: itself, or a preset's chain."""
        return (self,)
