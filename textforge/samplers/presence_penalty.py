"""Presence penalty: what came already is less likely, however often it came.

Source: OpenAI's API reference, `presence_penalty`; as in llama.cpp (`--presence-penalty`).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.history import count_tokens
from textforge.samplers.rows import lower_logits


class PresencePenalty(Sampler):
    """Lower the logit of each token among the last `last_n` by `penalty`.

    The prompt counts too, as in llama.cpp; OpenAI counts only what was generated (`prompt` false, `last_n` none).
    `penalty` 0 changes nothing, below 0 repetition is welcome; it is 0.5 by default.

    >>> from textforge.generation.context import RowContext
    >>> from textforge.generation.history import History
    >>> context = RowContext(History(np.array([0, 1, 0]), rows=1), seed=1, texts=[0], position=0)
    >>> PresencePenalty(0.5)(np.array([[1.0, 1.0, 1.0]]), context)
    array([[0.5, 0.5, 1. ]])
    """

    name: ClassVar[str] = "presence-penalty"

    penalty: float = option(default=0.5, gt=-np.inf, lt=np.inf, help="What having come costs; 0 changes nothing.")
    last_n: int | None = option(
        default=64,
        ge=1,
        help="How many of the last tokens count; none: all.",
        remedy="for all of them write none; for no penalty leave presence-penalty out",
    )
    prompt: bool = option(default=True, help="Whether the prompt counts too.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if self.penalty == 0:
            return logits
        counts = count_tokens(context, logits.shape[1], self.last_n, self.prompt)
        return lower_logits(logits, np.where(counts > 0, self.penalty, 0.0))
