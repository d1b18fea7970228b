"""XTC, "exclude top choices": now and then, none of the obvious tokens but the least likely of them.

Source: p-e-w, text-generation-webui, pull request 6335, 2024; as in llama.cpp (`--xtc-probability`).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from textforge.components.component import option
from textforge.samplers.base import Context, Logits, Sampler
from textforge.samplers.rows import softmax
from textforge.samplers.thresholds import loosen_probability


class XTC(Sampler):
    """With a chance of `probability`, drop all tokens of at least `threshold` but the least likely of them.

    Each row takes its own chance at each step, from the sampler's numbers, not the draw's. Where fewer than two tokens
    reach the threshold nothing happens: so never above 0.5. A token exactly at the threshold reaches it, as in
    llama.cpp, whatever float32 did to it (see `textforge.samplers.thresholds`). Of equals, the one with the highest id
    counts as the least likely. The defaults, 0.5 and 0.1, are its author's.

    >>> import numpy as np
    >>> from textforge.generation.context import RowContext
    >>> from textforge.generation.history import History
    >>> context = RowContext(History(np.array([0]), rows=1), seed=1, texts=[0], position=0)
    >>> XTC(1.0, threshold=0.19)(np.log([[0.4, 0.3, 0.2, 0.1]]), context).round(3)
    array([[  -inf,   -inf, -1.609, -2.303]])
    """

    name: ClassVar[str] = "xtc"

    probability: float = option(default=0.5, ge=0, le=1, help="The chance of a step to be changed.")
    threshold: float = option(default=0.1, ge=0, le=1, help="The probability that makes a token an obvious one.")

    def __call__(self, logits: Logits, context: Context) -> Logits:
        """Return the reshaped logits, (B, V)."""
        if self.probability == 0 or self.threshold > 0.5:
            return logits
        changed = context.random() < self.probability  # (B,)
        if not changed.any():
            return logits
        obvious = softmax(logits) >= loosen_probability(self.threshold)  # (B, V)
        obvious &= logits > -np.inf
        kept: Logits = logits.copy()
        for row in np.flatnonzero(changed):
            ids = np.flatnonzero(obvious[row])[::-1]  # backwards, for of equals the last counts as least likely
            if len(ids) > 1:
                least = ids[logits[row, ids].argmin()]
                kept[row, ids] = -np.inf
                kept[row, least] = logits[row, least]
        return kept
