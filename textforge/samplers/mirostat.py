"""Mirostat: a text whose surprise stays near a target, by a cut that follows what was drawn.

Source: Basu, Ramachandran, Keskar and Varshney, "Mirostat: a neural text decoding algorithm that directly controls
perplexity", 2021, algorithm 1. `mirostat` is version 1, `mirostat-2` version 2.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import keep_likeliest
from textforge.samplers.surprise import follow_surprise, remember_surprises
from textforge.samplers.thresholds import TOLERANCE


class Mirostat(Sampler):
    """Keep the k likeliest tokens, k from the Zipf exponent of the `m` likeliest and a greatest surprise, mu.

    mu begins at 2 `tau`, and after each token falls by `eta` times how much the token's surprise, -log2 p, exceeded
    `tau`. `surprise` says which p: `model`, as the logits came, is the paper's; `kept`, among the tokens kept, is
    llama.cpp's. k is cut to a whole number, 1 at least, as in llama.cpp; the authors' code rounds and adds 1. Tokens
    ruled out have no part in the exponent; among equals at the edge the lowest ids are kept. The defaults, `tau` 5.0,
    `eta` 0.1 and `m` 100, are llama.cpp's.

    >>> from textforge.generation.context import RowContext
    >>> from textforge.generation.history import History
    >>> context = RowContext(History(np.array([0]), rows=1), seed=1, texts=[0], position=0)
    >>> Mirostat(tau=1.0)(np.log([[0.5, 0.25, 0.15, 0.1]]), context).round(3)
    array([[-0.693, -1.386,   -inf,   -inf]])
    """

    name: ClassVar[str] = "mirostat"

    tau: float = option(default=5.0, gt=0, lt=math.inf, help="The surprise to keep near, in bits.")
    eta: float = option(default=0.1, gt=0, lt=math.inf, help="How fast the cut follows.")
    m: int = option(default=100, ge=2, help="How many tokens the exponent is estimated from.")
    surprise: str = option(default="model", choices=("model", "kept"), help="Whose probability a surprise is of.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        mu = follow_surprise(context, len(logits), self.tau, self.eta)
        ordered = -np.sort(-logits, axis=-1)
        counts = np.array([[_count_kept(row, self.m, bound)] for row, bound in zip(ordered, mu.tolist(), strict=True)])
        kept = keep_likeliest(logits, np.take_along_axis(ordered, counts - 1, axis=-1), counts)
        remember_surprises(context, mu, logits if self.surprise == "model" else kept)
        return kept


def _count_kept(ordered: Logits, m: int, mu: float) -> int:
    """Return how many tokens of a row, (V,), the likeliest first, to keep."""
    size, possible = len(ordered), int(np.count_nonzero(ordered > -np.inf))
    likeliest = ordered[: min(m, possible)]
    if len(likeliest) < 2:
        return 1
    places = np.arange(1, len(likeliest))
    steps = np.log((places + 1) / places)
    with np.errstate(over="ignore"):
        exponent = float(-(steps * np.diff(likeliest)).sum() / (steps * steps).sum())
    logarithm = _log_scale(exponent - 1, size) + mu * math.log(2)
    if exponent > 0:
        logarithm /= exponent
    elif logarithm:
        logarithm = math.copysign(math.inf, logarithm)
    logarithm += TOLERANCE  # a whole number, but for rounding, is that many
    return max(1, min(possible, int(math.exp(max(0.0, min(logarithm, math.log(size) + 1))))))


def _log_scale(excess: float, size: int) -> float:
    """Return log(excess / (1 - size ** -excess)), or its limit at 0."""
    if abs(excess) < 1e-9:
        return -math.log(math.log(size))
    power = -excess * math.log(size)
    return math.log(excess / -math.expm1(power))
