"""Frequency penalty: each time a token came, it is less likely.

Source: OpenAI's API reference, `frequency_penalty`; as in llama.cpp (`--frequency-penalty`).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.history import count_tokens
from textforge.samplers.rows import lower_logits


class FrequencyPenalty(Sampler):
    """Lower each logit by `penalty` times how often its token is among the last `last_n`.

    The prompt counts too, as in llama.cpp; OpenAI counts only what was generated (`prompt` false, `last_n` none).
    `penalty` 0 changes nothing, below 0 repetition is welcome; it is 0.2 by default.

    >>> from textforge.generation.context import RowContext
    >>> from textforge.generation.history import History
    >>> context = RowContext(History(np.array([0, 1, 0]), rows=1), seed=1, texts=[0], position=0)
    >>> FrequencyPenalty(0.5)(np.array([[1.0, 1.0, 1.0]]), context)
    array([[0. , 0.5, 1. ]])
    """

    name: ClassVar[str] = "frequency-penalty"

    penalty: float = option(default=0.2, gt=-np.inf, lt=np.inf, help="What each time costs; 0 changes nothing.")
    last_n: int | None = option(
        default=64,
        ge=1,
        help="How many of the last tokens count; none: all.",
        remedy="for all of them write none; for no penalty leave frequency-penalty out",
    )
    prompt: bool = option(default=True, help="Whether the prompt counts too.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if self.penalty == 0:
            return logits
        counts = count_tokens(context, logits.shape[1], self.last_n, self.prompt)
        with np.errstate(over="ignore"):
            by: Logits = np.multiply(counts, self.penalty, dtype=np.float64)
        return lower_logits(logits, by)
