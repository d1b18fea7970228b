"""The log-probability of each token of many sequences, read side by side.

Shapes: B rows read at once, T tokens, N the tokens of all sequences behind one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from textforge.encoders.base import Ids
from textforge.evaluation.loss import LOGITS, compute_losses, spans
from textforge.model import Array, Model, State
from textforge.plugins.blame import blame_model

ROWS = 128
"""Sequences read side by side."""
PIECE = 512
"""Tokens of each that are read at once, at most."""
SHORTEST_PIECE = 16
"""Tokens of each that are read at once, at least, even where a row ends before: it is read on in vain."""

Floats = npt.NDArray[np.float64]


def compute_log_probabilities(model: Model, sequences: Sequence[Ids]) -> list[Floats]:
    """Return the log-probability of each token but the first, in nats, for every sequence of ids, (n,), n at least 1.

    Each is predicted from those before it, or from the last `window` of them where the model has a window. Memory
    is bounded, whatever the sequences' number and lengths, but for the result.
    """
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")  # neighbours end together, so that few tokens are read in vain
    order = order[lengths[order] > 1]
    flat = _Flat.join(sequences)
    begun = lengths if model.window is None else np.minimum(lengths, model.window + 1)
    rows = max(1, min(ROWS, LOGITS // (model.vocabulary_size * SHORTEST_PIECE)))
    for begin, end in spans(0, len(order), rows):
        batch = order[begin:end]
        _read_rows(model, flat, flat.starts[batch], begun[batch])
    if model.window is not None:
        _read_windows(model, flat, model.window, lengths)
    ends = flat.starts + lengths
    return [flat.found[start + 1 : end] for start, end in zip(flat.starts.tolist(), ends.tolist(), strict=True)]


@attrs.frozen(eq=False)
class _Flat:
    """All sequences behind one another, so that their tokens are gathered by place, without a loop over rows."""

    ids: Ids
    """(N,)."""
    found: Floats
    """(N,): the log-probability of each token, where it is known already."""
    starts: npt.NDArray[np.int64]
    """The place of each sequence's first token."""

    @classmethod
    def join(cls, sequences: Sequence[Ids]) -> _Flat:
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        ids = np.concatenate([np.zeros(0, dtype=np.int64), *sequences])
        return cls(ids, np.full(len(ids), np.nan), np.cumsum(lengths) - lengths)


def _read_rows(model: Model, flat: _Flat, starts: Array, lengths: Array) -> None:
    """Read sequences side by side, (B,) starts and lengths, the longest first; a row leaves once it has ended."""
    state = model.start(len(starts))
    read = 0
    while True:
        left = lengths - 1 - read  # (B,): tokens to predict
        most = max(1, LOGITS // (model.vocabulary_size * len(left)))
        piece = int(min(left[0], max(left[-1], SHORTEST_PIECE), PIECE, most))
        columns = np.arange(read, read + piece + 1)
        # A row that ends before the piece does is read on with its last token: what follows is never looked at.
        places = starts[:, None] + np.minimum(columns, lengths[:, None] - 1)  # (B, T + 1)
        _note(model, flat, places, state, columns[1:] < lengths[:, None])
        read += piece
        rows = int(np.count_nonzero(lengths - 1 > read))
        if not rows:
            return
        if rows < len(lengths):
            starts, lengths = starts[:rows], lengths[:rows]
            state = model.select(state, np.arange(rows))


def _read_windows(model: Model, flat: _Flat, window: int, lengths: Array) -> None:
    """Predict each token behind a whole window that isn't its sequence's first, from a fresh state."""
    rows = max(1, min(ROWS, LOGITS // model.vocabulary_size))
    for places in _list_windows(flat.starts, lengths, window, rows):
        block = places[:, None] + np.arange(window + 1)  # (B, window + 1)
        _note(model, flat, block, model.start(len(places)), None)


def _list_windows(starts: Array, lengths: Array, window: int, rows: int) -> Iterator[Array]:
    """Yield the places at which windows begin, up to `rows` of them, (B,)."""
    counts = np.maximum(lengths - 1 - window, 0)  # of each sequence
    ends = np.cumsum(counts)
    for begin, end in spans(0, int(ends[-1]) if len(ends) else 0, rows):
        numbers = np.arange(begin, end)
        owners = np.searchsorted(ends, numbers, side="right")
        yield starts[owners] + 1 + numbers - (ends - counts)[owners]


def _note(model: Model, flat: _Flat, places: Array, state: State, counted: Array | None) -> None:
    """Read the tokens at these places, (B, T + 1), and note those that are `counted`, (B, T); by default the last."""
    block = flat.ids[places]
    targets = places[:, 1:] if counted is not None else places[:, -1:]
    try:
        logits = model.forward(block[:, :-1], state, last_only=counted is None)
    except Exception as error:
        raise blame_model(model, error, "to read a text") from error
    with np.errstate(invalid="ignore"):  # infinite logits are no numbers once subtracted, and told as such later
        found = 0.0 - compute_losses(logits, flat.ids[targets]).reshape(targets.shape)  # never -0.0
    if counted is None:
        flat.found[targets] = found
    else:
        flat.found[targets[counted]] = found[counted]
