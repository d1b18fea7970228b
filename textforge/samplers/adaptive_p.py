"""Adaptive-p: tokens near a probability, so that those drawn have it on average.

Source: MrJackSpade's adaptive-p, llama.cpp, pull request 17927, 2026 (`--adaptive-target`, `--adaptive-decay`).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import softmax

_WIDTH = 0.3
_PEAK = 5.0
_SHARPNESS = 10.0


class AdaptiveP(Sampler):
    """Give each token the logit 5 - 10 d² / (1 + d), d its probability's distance from a target, over 0.3.

    The target is what brings the average of the tokens drawn back to `target`: twice `target` less that average,
    between 0 and 1. The average is of the probabilities as they came, those of earlier tokens weighing `decay` times
    less at each step, and begins at `target`. It replaces the logits but for what is ruled out: so it belongs at the
    chain's end, where llama.cpp puts it, behind what cuts the unlikely off (min-p, say), whose many tokens would all be
    as far from the target. `target` is 0.5 by default; `decay`, 0.9, is llama.cpp's: some ten tokens count.

    >>> from textforge.generation.context import RowContext
    >>> from textforge.generation.history import History
    >>> context = RowContext(History(np.array([0]), rows=1), seed=1, texts=[0], position=0)
    >>> AdaptiveP(0.3)(np.log([[0.6, 0.3, 0.1]]), context).round(3)
    array([[0.   , 5.   , 2.333]])
    """

    name: ClassVar[str] = "adaptive-p"

    target: float = option(default=0.5, ge=0, le=1, help="The probability that tokens drawn should have on average.")
    decay: float = option(default=0.9, ge=0, le=0.99, help="How much of the average stays from token to token.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        likely = softmax(logits)
        target = np.clip(2 * self.target - self._follow(context, len(logits)), 0.0, 1.0)  # (B,)
        context.state["likely"] = likely
        distance = np.abs(likely - target[:, np.newaxis]) / _WIDTH
        return np.where(logits > -np.inf, _PEAK - _SHARPNESS * distance * distance / (1 + distance), -np.inf)

    def _follow(self, context: Context, rows: int) -> npt.NDArray[np.float64]:
        """Return the average probability of what was drawn so far, (B,)."""
        state: dict[str, Any] = context.state
        if "likely" not in state:
            state["sum"] = np.full(rows, self.target / (1 - self.decay))
            state["weight"] = np.full(rows, 1 / (1 - self.decay))
        else:
            drawn = state["likely"][np.arange(rows), context.tokens[:, -1]]
            state["sum"] = drawn + self.decay * state["sum"]
            state["weight"] = 1 + self.decay * state["weight"]
        average: npt.NDArray[np.float64] = state["sum"] / state["weight"]
        return average
