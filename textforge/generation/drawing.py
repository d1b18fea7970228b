"""The draw of a token from logits."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable

import numpy as np

from textforge.encoders.base import Ids
from textforge.errors import GenerationError
from textforge.generation.randomness import Uniform
from textforge.samplers.base import Logits


class UndrawableRow(GenerationError):
    """A row of logits that has NaN or plus infinity, or rules every token out."""

    def __init__(self, row: int, best: float) -> None:
        self.row = row
        self.problem = "rule out every token" if best == -math.inf else f"hold {'NaN' if best != best else '+inf'}"
        super().__init__(f"the logits of row {row} {self.problem}")


def check_drawable(logits: Logits) -> None:
    """Raise `UndrawableRow` unless a token can be drawn from each row of logits, (B, V)."""
    _check_best(logits.max(axis=-1))


def _check_best(best: Logits) -> None:
    """Raise `UndrawableRow` unless each row's best logit, (B,), is finite; a NaN in a row makes its best NaN."""
    finite = np.isfinite(best)
    if not finite.all():
        row = int(finite.argmin())
        raise UndrawableRow(row, float(best[row]))


class Draw:
    """A draw of one token a row, by the inverse of the cumulative distribution over ids.

    With c the running sum of exp(logit - best logit), it is the first token with c > u c[-1]. So a token of
    probability 0 is never drawn, and the same logits and number give the same token in a batch of any size.

    >>> Draw(rows=1, vocabulary_size=3).draw(np.log([[0.5, 0.25, 0.25]]), np.array([0.6])).tolist()
    [1]
    """

    def __init__(self, rows: int, vocabulary_size: int) -> None:
        self._ids = np.zeros(rows, dtype=np.int64)
        self._weights = np.empty((rows, vocabulary_size))
        self._sums = np.empty((rows, vocabulary_size))  # summed in place, the weights would be copied each time
        self._only_weights, self._only_sums = self._weights[0], self._sums[0]
        self._view_of_sums = memoryview(self._only_sums)  # searched in half the time of an array
        self._best = np.empty(())  # an array of no axes: to NumPy, half the cost of a number
        self.draw: Callable[[Logits, Uniform], Ids] = self._draw_rows if rows > 1 else self._draw_one
        """Draws token ids, (B,), valid until the next call, from logits, (B, V), and numbers in [0, 1), (B,).

        Raises `UndrawableRow` for a row that no token can be drawn from.
        """

    def _draw_one(self, logits: Logits, uniform: Uniform) -> Ids:
        """Draw as `_draw_rows` does, by the calls that cost least for a single row."""
        best = logits.item(logits.argmax())
        if not -math.inf < best < math.inf:
            raise UndrawableRow(0, best)
        self._best[...] = best
        weights, sums = self._only_weights, self._view_of_sums
        np.subtract(logits, self._best, self._weights)
        np.exp(weights, weights)
        np.add.accumulate(weights, 0, None, self._only_sums)
        self._ids[0] = bisect_right(sums, uniform.item() * sums[-1])
        return self._ids

    def _draw_rows(self, logits: Logits, uniform: Uniform) -> Ids:
        best = logits.max(axis=-1, keepdims=True)  # (B, 1)
        _check_best(best[:, 0])
        weights, sums = self._weights, self._sums
        np.subtract(logits, best, weights)
        np.exp(weights, weights)
        np.add.accumulate(weights, 1, None, sums)
        passed = sums <= (uniform * sums[:, -1])[:, np.newaxis]
        self._ids[:] = passed.argmin(axis=-1)  # the first that is not, as u < 1: faster than to count those that are
        return self._ids
