"""What samplers that look back share: how often each token came, in a window that moves with the text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from textforge.samplers._rows import finite
from textforge.samplers.base import Context, Logits

Counts = npt.NDArray[np.int64]
"""How often each token came, (B, V)."""


def counts_in_window(context: Context, size: int, last: int | None, prompt: bool) -> Counts:
    """How often each of `size` tokens is among the last ones, all of them where `last` is None, (B, V).

    Without `prompt`, only what was generated counts. Counted anew only where the text did not just grow by a token.
    """
    tokens = context.tokens
    length = tokens.shape[1]
    first = 0 if prompt else context.prompt_length
    counts: Counts | None = context.state.get("counts")
    if counts is None or context.shared.get("length") != length - 1:
        counts = _counted(tokens[:, _start(length, first, last) :], size)
        context.state["counts"] = counts
    else:
        if length > first:
            _add(counts, tokens[:, -1], 1)
        start = _start(length, first, last)
        if start > _start(length - 1, first, last):
            _add(counts, tokens[:, start - 1], -1)
    context.shared["length"] = length
    return counts


def _start(length: int, first: int, last: int | None) -> int:
    return min(length, first if last is None else max(first, length - last))


def _add(counts: Counts, ids: npt.NDArray[np.int64], number: int) -> None:
    """Count a token a row, (B,), once more or less."""
    if len(ids) == 1:  # a tenth of the cost
        counts[0, ids.item()] += number
    else:
        counts[np.arange(len(ids)), ids] += number


def _counted(tokens: npt.NDArray[np.int64], size: int) -> Counts:
    counts = np.zeros((len(tokens), size), dtype=np.int64)
    np.add.at(counts, (np.arange(len(tokens))[:, np.newaxis], tokens), 1)
    return counts


def lowered(logits: Logits, by: Logits) -> Logits:
    """The logits less something, (B, V), which may have overflowed, kept finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        changed = logits - by
    return finite(changed, logits)
