"""How well a model predicts a text: loss, perplexity, bits a character and a byte.

Shapes: B rows read at once, T tokens, V the vocabulary's size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import attrs
import numpy as np

from textforge.components.component import learned
from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.corpora.tokens import token_file
from textforge.encoders.base import Encoder, Unknown
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
PIECE = 1 << 16


@runtime_checkable
class ScoringModel(Protocol):
    """A model that computes its own loss, as a `textforge.GradientModel` does; any other may."""

    def loss(self, inputs: Array, targets: Array, state: State) -> tuple[Loss, State]:
        """The mean loss of the targets, (B, T), or (B,) after the last input, and the state after."""


LossFunction = Callable[[Array, Array, State], tuple[Loss, State]]


@attrs.frozen
class LossSum:
    """The negative log-likelihood of some tokens.

    >>> LossSum(total=30.0, tokens=20).mean
    1.5
    """

    total: float
    """In nats."""
    tokens: int
    """How many were predicted."""

    @property
    def mean(self) -> float:
        """Nats a token."""
        return self.total / self.tokens


@attrs.define
class TextSize:
    """How long a text is; `END_OF_TEXT` counts for nothing.

    >>> size = TextSize()
    >>> size.add("naïve")
    >>> size
    TextSize(characters=5, bytes=6)
    """

    characters: int = 0
    bytes: int = 0
    """In UTF-8."""

    def add(self, text: str) -> None:
        """Count some more text."""
        text = text.replace(END_OF_TEXT, "")
        self.characters += len(text)
        self.bytes += len(text.encode("utf-8", "surrogatepass"))

    def less(self, other: TextSize) -> TextSize:
        """What is left without the other, never below nothing."""
        return TextSize(max(0, self.characters - other.characters), max(0, self.bytes - other.bytes))


@attrs.frozen
class Evaluation:
    """How well a model predicts a text."""

    loss: float
    """Mean negative log-likelihood, in nats a token."""
    perplexity: float
    """Its exponential: as uncertain as a choice among so many tokens."""
    bits_per_character: float
    """Comparable between models of any encoder, as is the next."""
    bits_per_byte: float
    tokens: int
    """Tokens predicted: all but the first, or but the first window's."""
    characters: int
    """Of the text as it was read."""
    bytes: int
    """Of the text as it was read, in UTF-8."""
    skipped: int = 0
    """Characters left out because the vocabulary lacks them; no bits are counted for them."""

    def to_json(self) -> dict[str, Any]:
        """The figures by name."""
        return attrs.asdict(self)


def token_loss(
    model: Model, tokens: Array, *, rows: int = ROWS, sequence_length: int = SEQUENCE_LENGTH, stride: int = 1
) -> LossSum:
    """The loss of a model over token ids, (n,), each predicted from those before it.

    A model that carries its state on reads up to `rows` contiguous streams side by side, `sequence_length` tokens
    at a time, and predicts every token after the first just once. A model with a window predicts every `stride`-th
    token after the first window, each from the `window` tokens before it.

    Raises `CorpusError` where there is nothing to predict.
    """
    first = 1 if model.window is None else model.window
    if len(tokens) <= first:
        raise CorpusError(
            f"the text is too short to evaluate: {first + 1} tokens are needed, got {len(tokens)}; give a longer one"
        )
    loss, most_logits = _loss_function(model)
    most_rows = max(1, most_logits // model.vocabulary_size)
    if model.window is not None:
        batches = _windows(tokens, min(rows * WINDOWS_A_ROW, most_rows), model.window, stride)
        return _sum((loss(inputs, targets, model.start(len(inputs)))[0], len(inputs)) for inputs, targets in batches)
    streams = max(1, min(rows, most_rows, (len(tokens) - 1) // STREAM_LENGTH))
    length = max(1, min(sequence_length, most_logits // (model.vocabulary_size * streams)))
    return _sum(_stream_losses(model, loss, tokens, streams, length))


def _sum(losses: Iterator[tuple[Loss, int]]) -> LossSum:
    """The sum of mean losses, each of so many tokens."""
    total, tokens = 0.0, 0
    pending: list[tuple[Loss, int]] = []
    for loss, count in losses:
        pending.append((loss, count))
        tokens += count
        if len(pending) == PENDING:
            total += _read(pending)
            pending.clear()
    return LossSum(total + _read(pending), tokens)


def _read(losses: list[tuple[Loss, int]]) -> float:
    return math.fsum(float(loss) * count for loss, count in losses)


def _stream_losses(
    model: Model, loss: LossFunction, tokens: Array, rows: int, length: int
) -> Iterator[tuple[Loss, int]]:
    """The losses of B streams, then of the tokens left over, which go on from the last stream."""
    stream = (len(tokens) - 1) // rows
    starts = np.arange(rows)[:, None] * stream
    state = model.start(rows)
    for begin, end in _pieces(0, stream, length):
        block = _ids(tokens, starts + np.arange(begin, end + 1))  # (B, T + 1)
        value, state = loss(block[:, :-1], block[:, 1:], state)
        yield value, rows * (end - begin)
    if rows * stream == len(tokens) - 1:
        return
    state = model.select(state, np.array([rows - 1]))
    for begin, end in _pieces(rows * stream, len(tokens) - 1, length):
        block = _ids(tokens, np.arange(begin, end + 1)[None])
        value, state = loss(block[:, :-1], block[:, 1:], state)
        yield value, end - begin


def _pieces(start: int, stop: int, length: int) -> Iterator[tuple[int, int]]:
    for begin in range(start, stop, length):
        yield begin, min(begin + length, stop)


def _windows(tokens: Array, rows: int, window: int, stride: int) -> Iterator[tuple[Array, Array]]:
    """Windows, (B, T), and the token after each, (B,)."""
    count = -(-(len(tokens) - window) // stride)
    for begin, end in _pieces(0, count, rows):
        block = _ids(tokens, np.arange(begin, end)[:, None] * stride + np.arange(window + 1))
        yield block[:, :-1], block[:, -1]


def _ids(tokens: Array, places: Array) -> Array:
    return tokens[places].astype(np.int64)


def _loss_function(model: Model) -> tuple[LossFunction, int]:
    """How a model's loss is computed, and how many logits may be held meanwhile."""
    if isinstance(model, ScoringModel):
        return model.loss, DEVICE_LOGITS

    def loss(inputs: Array, targets: Array, state: State) -> tuple[Loss, State]:
        logits = model.forward(inputs, state, last_only=targets.ndim == 1)
        return _mean_loss(logits, targets), state

    return loss, LOGITS


def _mean_loss(logits: Array, targets: Array) -> float:
    """The mean of -log softmax(logits) at the targets, in float64; the logits are (B, T, V)."""
    flat = logits.reshape(-1, logits.shape[-1]).astype(np.float64)
    flat -= flat.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(flat, targets.reshape(-1, 1), axis=1)[:, 0]
    np.exp(flat, out=flat)
    return float((np.log(flat.sum(axis=1)) - chosen).mean())


def evaluate(
    model: Model,
    encoder: Encoder,
    corpora: Sequence[Corpus],
    folder: Path | None = None,
    unknown: Unknown = "error",
) -> Evaluation:
    """How well a model predicts a text, encoded as the one it was trained on.

    Tokens lie in a temporary file in `folder` meanwhile. Raises `CorpusError` for a text that can't be read or is
    too short, and `EncodingError` for one that the vocabulary doesn't cover, unless `unknown` is ``skip``.
    """
    if not corpora:
        raise CorpusError("there is no corpus to evaluate on; name a file, a folder or a corpus")
    text = JoinedCorpus(corpora=tuple(corpora), marked=encoder.end_of_text is not None)
    with token_file([text], encoder, folder, fitted=True, unknown=unknown) as file:
        skipped = text.size.less(_decoded_size(file.tokens, encoder)) if unknown == "skip" else None
        return evaluate_tokens(model, file.tokens, text.size, skipped)


def evaluate_tokens(model: Model, tokens: Array, size: TextSize, skipped: TextSize | None = None) -> Evaluation:
    """How well a model predicts a text of this size that these tokens, (n,), stand for.

    The first token, or the first window, is predicted from nothing: its bits are taken to be the mean.
    """
    skipped = skipped or TextSize()
    loss = token_loss(model, tokens)
    bits = loss.mean * len(tokens) / math.log(2)
    counted = size.less(skipped)
    return Evaluation(
        loss=loss.mean,
        perplexity=math.exp(loss.mean) if loss.mean < 700 else math.inf,
        bits_per_character=bits / max(1, counted.characters),
        bits_per_byte=bits / max(1, counted.bytes),
        tokens=loss.tokens,
        characters=size.characters,
        bytes=size.bytes,
        skipped=skipped.characters,
    )


class JoinedCorpus(Corpus):
    """Several corpora as one, measured while it is read."""

    name = "joined"
    corpora: tuple[Corpus, ...] = learned(default=())
    marked: bool = learned(default=True)
    size: TextSize = learned(default=None)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "size", TextSize())

    @property
    def spec(self) -> str:
        return " ".join(corpus.spec for corpus in self.corpora)

    @property
    def rereadable(self) -> bool:
        return all(corpus.rereadable for corpus in self.corpora)

    def read(self) -> Iterator[str]:
        """The texts; each ends with `END_OF_TEXT` where there are several, unless the model never saw one."""
        for corpus in self.corpora:
            chunk = ""
            for chunk in corpus.read():
                self.size.add(chunk)
                yield chunk if self.marked else chunk.replace(END_OF_TEXT, "")
            if self.marked and len(self.corpora) > 1 and not chunk.endswith(END_OF_TEXT):
                yield END_OF_TEXT


def _decoded_size(tokens: Array, encoder: Encoder) -> TextSize:
    """The size of the text that the tokens stand for."""
    size, decoder = TextSize(), encoder.decoder()
    for begin, end in _pieces(0, len(tokens), PIECE):
        size.add(decoder.push(tokens[begin:end].tolist()))
    size.add(decoder.finish())
    return size
