"""The loss of a model over token ids.

Shapes: B rows read at once, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import attrs
import numpy as np

from textforge.errors import CorpusError
from textforge.model import Array, Loss, Model, State

ROWS = 32
SEQUENCE_LENGTH = 64
STREAM_LENGTH = 1000
"""A stream has at least so many tokens, so that how it begins, without context, hardly counts."""
WINDOWS_A_ROW = 8
"""Windows cost a model less memory than streams: only their last token is predicted."""
LOGITS = 1 << 22
"""Logits held at once: 16 MiB in float32, and 32 more as float64."""
DEVICE_LOGITS = 1 << 26
"""Logits a model that computes its own loss may hold at once, where training holds as many."""
PENDING = 64
"""Losses left unread: reading one may wait for a device."""

LossWatcher = Callable[[int, int], None]
"""A function called with the number of tokens predicted so far, and of all."""


@runtime_checkable
class ScoringModel(Protocol):
    """A model that computes its own loss, as a `textforge.GradientModel` does; any other may."""

    def loss(self, inputs: Array, targets: Array, state: State) -> tuple[Loss, State]:
        """Return the mean loss of the targets, (B, T), or (B,) after the last input, and the state after."""


@attrs.frozen
class LossSum:
    """The negative log-likelihood of some tokens.

    >>> LossSum(total=30.0, tokens=20).mean
    1.5
    """

    total: float
    """The sum, in nats."""
    tokens: int
    """The number of tokens predicted."""

    @property
    def mean(self) -> float:
        """The mean, in nats a token."""
        return self.total / self.tokens


def token_loss(
    model: Model,
    tokens: Array,
    *,
    rows: int = ROWS,
    sequence_length: int = SEQUENCE_LENGTH,
    stride: int = 1,
    excluded: Sequence[int] = (),
    progress: LossWatcher | None = None,
) -> LossSum:
    """Return the loss of a model over token ids, (n,), each predicted from those before it.

    A model that carries its state on reads up to `rows` contiguous streams side by side, `sequence_length` tokens
    at a time, and predicts every token after the first just once. A model with a window predicts every `stride`-th
    token after the first window, each from the `window` tokens before it. Ids that are `excluded` are read, but their
    own losses are left out. `progress` is called with the number of tokens predicted so far, and of all.

    Raises `CorpusError` where there is nothing to predict.
    """
    first = 1 if model.window is None else model.window
    if len(tokens) <= first:
        raise CorpusError(
            f"the text is too short to evaluate: {first + 1} tokens are needed, got {len(tokens)}; give a longer one"
        )
    scorer = _make_scorer(model, excluded)
    most_rows = max(1, scorer.most_logits // model.vocabulary_size)
    if model.window is not None:
        batches = _windows(tokens, min(rows * WINDOWS_A_ROW, most_rows), model.window, stride)
        losses = (scorer.score(inputs, targets, model.start(len(inputs)))[:2] for inputs, targets in batches)
        return sum_losses(losses, -(-(len(tokens) - first) // stride), progress)
    streams = max(1, min(rows, most_rows, (len(tokens) - 1) // STREAM_LENGTH))
    length = max(1, min(sequence_length, scorer.most_logits // (model.vocabulary_size * streams)))
    return sum_losses(_stream_losses(model, scorer, tokens, streams, length), len(tokens) - 1, progress)


def _tell(losses: Iterator[tuple[Loss, int]], total: int, progress: LossWatcher | None) -> Iterator[tuple[Loss, int]]:
    """Yield the losses, and tell after each how many tokens are predicted."""
    done = 0
    for loss, count in losses:
        done += count
        if progress is not None:
            progress(done, total)
        yield loss, count


def sum_losses(losses: Iterator[tuple[Loss, int]], of: int, progress: LossWatcher | None) -> LossSum:
    """Return the sum of mean losses, each of so many tokens; `progress` is told how many `of` all they are.

    Raises `CorpusError` where there is none.
    """
    total, tokens = 0.0, 0
    pending: list[tuple[Loss, int]] = []
    for loss, count in _tell(losses, of, progress):
        pending.append((loss, count))
        tokens += count
        if len(pending) == PENDING:
            total += _read(pending)
            pending.clear()
    if not tokens:
        raise CorpusError("nothing of the text can be predicted: all of it is what the vocabulary lacks; give another")
    return LossSum(total + _read(pending), tokens)


def _read(losses: list[tuple[Loss, int]]) -> float:
    return math.fsum(float(loss) * count for loss, count in losses)


def _stream_losses(model: Model, scorer: Scorer, tokens: Array, rows: int, length: int) -> Iterator[tuple[Loss, int]]:
    """Yield the losses of B streams, then of the tokens left over, which go on from the last stream."""
    stream = (len(tokens) - 1) // rows
    starts = np.arange(rows)[:, None] * stream  # (B, 1)
    state = model.start(rows)
    for begin, end in spans(0, stream, length):
        block = _ids(tokens, starts + np.arange(begin, end + 1))  # (B, T + 1)
        value, count, state = scorer.score(block[:, :-1], block[:, 1:], state)
        yield value, count
    if rows * stream == len(tokens) - 1:
        return
    state = model.select(state, np.array([rows - 1]))  # the last stream ends where the tokens left over begin
    for begin, end in spans(rows * stream, len(tokens) - 1, length):
        block = _ids(tokens, np.arange(begin, end + 1)[None])  # (1, T + 1)
        value, count, state = scorer.score(block[:, :-1], block[:, 1:], state)
        yield value, count


def spans(start: int, stop: int, length: int) -> Iterator[tuple[int, int]]:
    """Yield the ends of spans of this length, the last perhaps shorter.

    >>> list(spans(0, 5, 2))
    [(0, 2), (2, 4), (4, 5)]
    """
    for begin in range(start, stop, length):
        yield begin, min(begin + length, stop)


def _windows(tokens: Array, rows: int, window: int, stride: int) -> Iterator[tuple[Array, Array]]:
    """Yield windows, (B, T), and the token after each, (B,)."""
    count = -(-(len(tokens) - window) // stride)  # rounded up: every window that has a next token
    for begin, end in spans(0, count, rows):
        block = _ids(tokens, np.arange(begin, end)[:, None] * stride + np.arange(window + 1))  # (B, T + 1)
        yield block[:, :-1], block[:, -1]


def _ids(tokens: Array, places: Array) -> Array:
    return tokens[places].astype(np.int64)  # tokens are stored in the smallest unsigned type


class Scorer(Protocol):
    """A way to compute losses."""

    most_logits: int
    """The number of logits that may be held at once."""

    def score(self, inputs: Array, targets: Array, state: State) -> tuple[Loss, int, State]:
        """Return the mean loss of the targets, (B, T), or (B,) after the last input; their number; the state after."""


def _make_scorer(model: Model, excluded: Sequence[int]) -> Scorer:
    # a model's own loss is a mean over all targets, of which none can be left out
    return OwnScorer(model) if isinstance(model, ScoringModel) and not excluded else LogitScorer(model, excluded)


class OwnScorer:
    """The loss that a model computes itself."""

    most_logits = DEVICE_LOGITS

    def __init__(self, model: ScoringModel) -> None:
        self._model = model

    def score(self, inputs: Array, targets: Array, state: State) -> tuple[Loss, int, State]:
        loss, state = self._model.loss(inputs, targets, state)
        return loss, targets.size, state


class LogitScorer:
    """The loss by a model's logits, in float64."""

    most_logits = LOGITS

    def __init__(self, model: Model, excluded: Sequence[int]) -> None:
        self._model = model
        self._is_counted = np.ones(model.vocabulary_size, dtype=bool)
        self._is_counted[list(excluded)] = False

    def score(self, inputs: Array, targets: Array, state: State) -> tuple[Loss, int, State]:
        logits = self._model.forward(inputs, state, last_only=targets.ndim == 1)
        losses = compute_losses(logits, targets)[self._is_counted[targets.ravel()]]  # (B T,), less the excluded
        return float(losses.mean()) if len(losses) else 0.0, len(losses), state


def compute_losses(logits: Array, targets: Array) -> Array:
    """Return -log softmax(logits) at the targets, (B T,), in float64; the logits are (B, T, V)."""
    flat = logits.reshape(-1, logits.shape[-1]).astype(np.float64)  # (B, T, V) -> (B T, V), a copy
    flat -= flat.max(axis=1, keepdims=True)  # so that no exponential overflows; the loss doesn't change
    chosen = np.take_along_axis(flat, targets.reshape(-1, 1), axis=1)[:, 0]  # (B T,)
    np.exp(flat, out=flat)  # in place: the logits are the most memory there is
    losses: Array = np.log(flat.sum(axis=1)) - chosen
    return losses
