"""How often each token came, counted in a window that moves with the text, for samplers that look back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from textforge.samplers.base import Context

Counts = npt.NDArray[np.int64]
"""How often each token came, (B, V)."""


def count_tokens(context: Context, size: int, last_n: int | None = None, prompt: bool = True) -> Counts:
    """Return how often each of `size` tokens is among the `last_n` of each text, (B, V); none: among all.

    Without `prompt`, only what was generated counts. The counts are kept in the context, under ``counts`` in its
    `state` and ``length`` in its `shared`, and belong to it: read them, and don't change them. So they are brought up
    to date where the text grew by a token, and counted anew otherwise. A sampler calls this once a step, with the
    same arguments each time.

    >>> from textforge.generation.context import RowContext
    >>> from textforge.generation.history import History
    >>> context = RowContext(History(np.array([0, 2, 2]), rows=1), seed=1, texts=[0], position=0)
    >>> count_tokens(context, 4)
    array([[1, 0, 2, 0]])
    """
    tokens = context.tokens
    length = tokens.shape[1]
    first = 0 if prompt else context.prompt_length
    counts: Counts | None = context.state.get("counts")
    if counts is None or context.shared.get("length") != length - 1:
        counts = _count(tokens[:, _start(length, first, last_n) :], size)
        context.state["counts"] = counts
    else:
        if length > first:
            _add(counts, tokens[:, -1], 1)
        start = _start(length, first, last_n)
        if start > _start(length - 1, first, last_n):
            _add(counts, tokens[:, start - 1], -1)
    context.shared["length"] = length
    return counts


def _start(length: int, first: int, last_n: int | None) -> int:
    """Return the place of the first token that counts."""
    return min(length, first if last_n is None else max(first, length - last_n))


def _add(counts: Counts, ids: npt.NDArray[np.int64], number: int) -> None:
    """Count a token a row, (B,), once more or less."""
    if len(ids) == 1:  # a tenth of the cost
        counts[0, ids.item()] += number
    else:
        counts[np.arange(len(ids)), ids] += number


def _count(tokens: npt.NDArray[np.int64], size: int) -> Counts:
    counts = np.zeros((len(tokens), size), dtype=np.int64)
    np.add.at(counts, (np.arange(len(tokens))[:, np.newaxis], tokens), 1)
    return counts
