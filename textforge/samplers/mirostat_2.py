"""Mirostat 2: as `mirostat`, cutting by each token's own surprise.

Source: Basu, Ramachandran, Keskar and Varshney, "Mirostat: a neural text decoding algorithm that directly controls
perplexity", 2021, algorithm 2.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import rule_out
from textforge.samplers.surprise import follow_surprise, remember_surprises, surprise_in_bits
from textforge.samplers.thresholds import TOLERANCE

_ROUNDING = TOLERANCE / math.log(2)
"""In bits."""


class Mirostat2(Sampler):
    """Keep the tokens whose surprise, -log2 p, is at most mu, and the likeliest one always.

    mu begins at 2 `tau`, and after each token falls by `eta` times how much the token's surprise exceeded `tau`;
    `surprise` as for `mirostat`. A token exactly at mu is kept, as in llama.cpp, whatever float32 did to it (see
    `textforge.samplers.thresholds`); equals are kept or dropped together, but where even the likeliest is above mu, the
    one with the lowest id is kept alone. The defaults, `tau` 5.0 and `eta` 0.1, are llama.cpp's.

    >>> from textforge.generation.context import RowContext
    >>> from textforge.generation.history import History
    >>> context = RowContext(History(np.array([0]), rows=1), seed=1, texts=[0], position=0)
    >>> Mirostat2(tau=1.0)(np.log([[0.5, 0.25, 0.15, 0.1]]), context).round(3)
    array([[-0.693, -1.386,   -inf,   -inf]])
    """

    name: ClassVar[str] = "mirostat-2"

    tau: float = option(default=5.0, gt=0, lt=math.inf, help="The surprise to keep near, in bits.")
    eta: float = option(default=0.1, gt=0, lt=math.inf, help="How fast the cut follows.")
    surprise: str = option(default="model", choices=("model", "kept"), help="Whose probability a surprise is of.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        mu = follow_surprise(context, len(logits), self.tau, self.eta)
        outside = surprise_in_bits(logits) > mu[:, np.newaxis] + _ROUNDING
        outside[np.arange(len(logits)), logits.argmax(axis=-1)] = False
        kept = rule_out(logits, outside)
        remember_surprises(context, mu, logits if self.surprise == "model" else kept)
        return kept
