"""The draw of a token from logits."""

from __future__ import annotations

import math

import numpy as np

from textforge.encoders.base import Ids
from textforge.errors import GenerationError
from textforge.generation.randomness import Uniform
from textforge.samplers.base import Logits


class UndrawableRow(GenerationError):
    """A row of logits has NaN or plus infinity, or rules every token out."""

    def __init__(self, row: int, best: float) -> None:
        self.row = row
        self.problem = "rule out every token" if best == -math.inf else f"hold {'NaN' if best != best else '+inf'}"
        super().__init__(f"the logits of row {row} {self.problem}")


def check_drawable(logits: Logits) -> None:
    """Raise `UndrawableRow` unless a token can be drawn from each row of logits, (B, V)."""
    _check_best(logits.max(axis=-1))


def _check_best(best: Logits) -> None:
    """Raise `UndrawableRow` unless each row's best logit, (B,), is finite; it is NaN where the row has one."""
    finite = np.isfinite(best)
    if not finite.all():
        row = int(finite.argmin())
        raise UndrawableRow(row, float(best[row]))


class Draw:
    """A draw of a token a row by the inverse of the cumulative distribution, tokens in the order of their ids.

    With c the running sum of exp(logit - best logit), it is the first token with c > u c[-1]. So a token of
    probability 0 is never drawn, and the same logits and number give the same token in a batch of any size.

    >>> Draw(rows=1, vocabulary_size=3)(np.log([[0.5, 0.25, 0.25]]), np.array([0.6])).tolist()
    [1]
    """

    def __init__(self, rows: int, vocabulary_size: int) -> None:
        self._ids = np.zeros(rows, dtype=np.int64)
        self._sums = np.empty((rows, vocabulary_size))
        self._only_sums = self._sums[0]
        self._draw = self._draw_rows if rows > 1 else self._draw_one

    def __call__(self, logits: Logits, uniform: Uniform) -> Ids:
        """Return token ids, (B,), valid until the next call, from logits, (B, V), and numbers in [0, 1), (B,).

        Raises `UndrawableRow`.
        """
        self._draw(logits, uniform)
        return self._ids

    def _draw_one(self, logits: Logits, uniform: Uniform) -> None:
        """Draw as `_draw_rows` does, with the calls that cost least for a single row."""
        logits = logits[0]
        place = logits.argmax()
        best = logits.item(place)
        if not -math.inf < best < math.inf:
            raise UndrawableRow(0, best)
        sums = self._only_sums
        np.subtract(logits, logits[place, ...], sums)  # an array of no axes: half the cost of a number
        np.exp(sums, sums)
        np.add.accumulate(sums, 0, None, sums)
        self._ids[0] = sums.searchsorted(uniform.item() * sums.item(-1), "right")

    def _draw_rows(self, logits: Logits, uniform: Uniform) -> None:
        best = logits.max(axis=-1, keepdims=True)  # (B, 1)
        _check_best(best[:, 0])
        sums = self._sums
        np.subtract(logits, best, sums)
        np.exp(sums, sums)
        np.add.accumulate(sums, 1, None, sums)
        passed = sums <= (uniform * sums[:, -1])[:, np.newaxis]
        passed.sum(axis=-1, out=self._ids)
