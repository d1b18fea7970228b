"""The Transformer on NumPy alone, made for reading one token at a time.

Shapes: B rows, T tokens, H hidden size, N heads, D numbers of a head, I inner size, W window, V the vocabulary's size.

- What each layer adds to x, and the embedding, are freed of their mean, in the weights. So x has none, and a norm is a
  division by the root of the mean square.
- A pair of numbers that turns is a complex number: a rotation is one product.
- Keys and values lie in buffers with room for more than a window, keys rotated by their place. When a buffer is full,
  the window moves to its beginning, and is turned back by as much.
- A sigmoid is a hyperbolic tangent: x * sigmoid(x) = x / 2 * (1 + tanh(x / 2)). The half, and the scale of queries, are
  in the weights.
- For one row, arrays have no axis for rows, and buffers and views into them are made once for a state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from textforge.architectures.gpt import EPSILON, GPT, make_band
from textforge.architectures.states import count_rows
from textforge.backends.numpy.gpt_cache import LEAST_ROOM, Cache
from textforge.backends.numpy.model import NumpyModel
from textforge.backends.numpy.weights import Numbers, append_biases
from textforge.model import Array, Arrays, SavedModel

_add, _copy, _divide, _exp, _matmul = np.add, np.copyto, np.divide, np.exp, np.matmul
_max, _multiply, _subtract, _sum, _tanh = np.maximum.reduce, np.multiply, np.subtract, np.add.reduce, np.tanh


class _Weights(NamedTuple):
    """A layer's weights, to multiply with from the right."""

    reading: Numbers
    """For queries, keys and values, (H, 3H)."""
    adding: Numbers
    """(H, H)."""
    inner: Numbers
    """For values and the halves of gates, (H, 2I)."""
    outer: Numbers
    """(I, H)."""


class _Buffers(NamedTuple):
    """The arrays that a step writes to, (B, ·), or (·,) for one row, and views into them."""

    hidden: Numbers
    normed: Numbers
    added: Numbers
    split: Numbers
    """Queries, keys and values, 3H."""
    queries: Array
    """Pairs as complex numbers, (B, N, D / 2), as are `keys`."""
    keys: Array
    values: Numbers
    """(B, N, D)."""
    turned: Array
    """Rotated queries, a view into `query`."""
    query: Numbers
    """(B, N, 1, D)."""
    sums: Numbers
    """(B, N, 1, D), and `joined` the same, H."""
    joined: Numbers
    inner: Numbers
    """2I: the values, `gated` with their gates, then `gates`."""
    gated: Numbers
    gates: Numbers
    top: Numbers
    """The last norm's, H, which is `last`, and a one for the biases."""
    last: Numbers
    product: Numbers
    logits: Numbers
    """The product, (B, V), whatever the number of rows."""


class GPTState:
    """The state of a Transformer for some rows: its cache, and the buffers that a step needs."""

    __slots__ = ("buffers", "cache")

    def __init__(self, cache: Cache, vocabulary_size: int) -> None:
        self.cache = cache
        self.buffers = _make_buffers(cache, vocabulary_size)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the cache alone; views into buffers would come apart, so they are made anew."""
        return type(self), (self.cache, self.buffers.logits.shape[-1])


def _make_buffers(cache: Cache, vocabulary_size: int) -> _Buffers:
    architecture, rows, dtype, turns = cache.architecture, cache.rows, cache.layers[0].keys.dtype, cache.turns.dtype
    size, inner_size, heads = architecture.hidden_size, architecture.inner_size, architecture.num_heads
    shape = () if rows == 1 else (rows,)
    split, inner = np.zeros((*shape, 3 * size), dtype), np.zeros((*shape, 2 * inner_size), dtype)
    queries, keys, values = np.moveaxis(split.reshape(*shape, 3, heads, architecture.head_size), -3, 0)
    query, sums = np.zeros((2, *shape, heads, 1, architecture.head_size), dtype)
    top, product = np.ones((*shape, size + 1), dtype), np.zeros((*shape, vocabulary_size), dtype)
    hidden, normed, added = np.zeros((3, *shape, size), dtype)
    return _Buffers(
        hidden=hidden,
        normed=normed,
        added=added,
        split=split,
        queries=queries.view(turns),
        keys=keys.view(turns),
        values=values,
        turned=query[..., 0, :].view(turns),
        query=query,
        sums=sums,
        joined=sums.reshape(*shape, size),
        inner=inner,
        gated=inner[..., :inner_size],
        gates=inner[..., inner_size:],
        top=top,
        last=top[..., :-1],
        product=product,
        logits=product.reshape(rows, vocabulary_size),
    )


class NumpyGPT(NumpyModel):
    """A saved Transformer, run in ``float32`` or ``float64``."""

    architecture: GPT

    def __init__(self, saved: SavedModel, architecture: GPT, precision: str = "float32") -> None:
        super().__init__(saved, architecture, precision)
        # Means are taken off in float64, lest rounding leave some.
        exact = {name: array.astype(np.float64) for name, array in saved.arrays.items()}
        table = _center(exact["embedding.weight"], axis=1)
        self._table = table.astype(self.dtype)
        self._output = append_biases(table, exact["output.bias"]).astype(self.dtype)
        self._layers = tuple(
            _Weights(*(np.ascontiguousarray(part.T, self.dtype) for part in _fold(exact, layer, architecture)))
            for layer in range(architecture.num_layers)
        )

    def start(self, batch_size: int) -> GPTState:
        return GPTState(Cache(batch_size, self.architecture, self.dtype), self.vocabulary_size)

    def step(self, ids: Array, state: GPTState) -> Numbers:
        cache, own = state.cache, state.buffers
        start, place = cache.make_room(1)
        end, turn, empty = place + 1, cache.turns[place], cache.find_empty(start, 1)
        hidden, normed, added = own.hidden, own.normed, own.added
        _copy(hidden, self._table[ids if cache.rows != 1 else ids.item()])
        for (reading, adding, inner, outer), (keys, pairs, values) in zip(self._layers, cache.layers, strict=True):
            _norm(hidden, normed)
            normed.dot(reading, own.split)
            _multiply(own.queries, turn, own.turned)
            _multiply(own.keys, turn, pairs[..., place, :])
            _copy(values[..., place, :], own.values)
            products = _matmul(own.query, keys[..., start:end, :].swapaxes(-1, -2))  # (B, N, 1, keys)
            if empty is not None:
                _copy(products, -np.inf, where=empty)
            _average(products, values[..., start:end, :], own.sums)
            own.joined.dot(adding, added)
            _add(hidden, added, hidden)
            _norm(hidden, normed)
            normed.dot(inner, own.inner)
            _gate(own.gated, own.gates)
            own.gated.dot(outer, added)
            _add(hidden, added, hidden)
        _norm(hidden, own.last)
        own.top.dot(self._output, own.product)
        cache.advance(1)
        return own.logits

    def bytes_per_token(self, rows: int) -> int:
        """Return the bytes that the largest arrays of `read` take for a token: products, or what is gated."""
        keys = self.architecture.window + max(self.architecture.window, LEAST_ROOM)
        numbers = max(self.architecture.num_heads * keys, 2 * self.architecture.inner_size, self.vocabulary_size)
        return rows * self.dtype.itemsize * numbers

    def read(self, ids: Array, state: GPTState, last_only: bool) -> Numbers:
        """Read tokens, (B, T), as many at once as there is room for, and return the logits, (B, T or 1, V)."""
        room = state.cache.room
        found = []
        for start in range(0, ids.shape[1], room):
            piece = ids[:, start : start + room]
            is_last = start + room >= ids.shape[1]
            found.append(self._read_piece(piece, state.cache, int(is_last) if last_only else piece.shape[1]))
        return np.concatenate(found, axis=1)

    def select(self, state: GPTState, rows: Array) -> GPTState:
        selected = self.start(len(rows))
        selected.cache.take(state.cache, rows)
        return selected

    def state_arrays(self, state: GPTState) -> Arrays:
        return state.cache.save()

    def make_state(self, arrays: Arrays) -> GPTState:
        state = self.start(count_rows(arrays, self.architecture.state()))
        state.cache.restore(arrays)
        return state

    def _read_piece(self, ids: Array, cache: Cache, needed: int) -> Numbers:
        """Read tokens, (B, T), for which there is room, and return the logits after the last ones, (B, needed, V)."""
        length = ids.shape[1]
        start, place = cache.make_room(length)
        unseen = ~make_band(length, self.architecture.window)[:, start - place - length :]
        if (empty := cache.find_empty(start, length)) is not None:
            unseen = unseen | empty
        hidden = self._table[ids]  # (B, T, H)
        for weights, layer in zip(self._layers, cache.by_row, strict=True):
            kept = needed if layer is cache.by_row[-1] else length
            split = self._split_heads(_normalize(hidden) @ weights.reading)
            queries = cache.write(layer, split)[..., length - kept :, :]
            products = queries @ layer.keys[..., start : place + length, :].swapaxes(-1, -2)  # (B, N, kept, keys)
            _copy(products, -np.inf, where=unseen[..., length - kept :, :])
            sums = np.empty_like(queries)
            _average(products, layer.values[..., start : place + length, :], sums)
            hidden = hidden[:, length - kept :] + sums.swapaxes(1, 2).reshape(*hidden[:, :kept].shape) @ weights.adding
            inner = _normalize(hidden) @ weights.inner
            gated, gates = np.split(inner, 2, axis=-1)
            _gate(gated, gates)
            hidden += gated @ weights.outer
        cache.advance(length)
        logits: Numbers = _normalize(hidden) @ self._output[:-1] + self._output[-1]
        return logits

    def _split_heads(self, product: Numbers) -> Numbers:
        """Return queries, keys and values by head, (B, T, 3H) -> (3, B, N, T, D)."""
        shape = (3, self.architecture.num_heads, self.architecture.head_size)
        return product.reshape(*product.shape[:-1], *shape).transpose(2, 0, 3, 1, 4)


def _norm(values: Numbers, normed: Numbers) -> None:
    """Write values that have no mean, (B, H) or (H,), over the roots of their mean squares."""
    if values.ndim == 1:
        _multiply(values, 1.0 / math.sqrt(values.dot(values) / len(values) + EPSILON), normed)
    else:
        _multiply(values, _find_scales(values), normed)


def _normalize(values: Numbers) -> Numbers:
    """Return what `_norm` writes, of values of any shape, (…, H)."""
    normed: Numbers = values * _find_scales(values)
    return normed


def _find_scales(values: Numbers) -> Numbers:
    squares: Numbers = np.einsum("...h,...h->...", values, values)[..., np.newaxis]
    squares /= values.shape[-1]
    squares += EPSILON
    np.sqrt(squares, squares)
    np.divide(1, squares, squares)
    return squares


def _average(products: Numbers, values: Numbers, sums: Numbers) -> None:
    """Write values, (…, keys, D), averaged by the softmax of each row of products, (…, queries, keys)."""
    _subtract(products, _max(products, -1, keepdims=True), products)
    _exp(products, products)
    _matmul(products, values, sums)
    _divide(sums, _sum(products, -1, keepdims=True), sums)


def _gate(gated: Numbers, gates: Numbers) -> None:
    """Multiply values by x * sigmoid(x), given the halves of x; these become something else."""
    _multiply(gated, gates, gated)
    _tanh(gates, gates)
    _add(gates, 1, gates)
    _multiply(gated, gates, gated)


def _center(weights: Numbers, axis: int) -> Numbers:
    """Return weights without the mean of what they give, whose numbers lie along an axis."""
    centered: Numbers = weights - weights.mean(axis=axis, keepdims=True)
    return centered


def _fold(weights: Arrays, layer: int, architecture: GPT) -> Iterator[Numbers]:
    """Yield a layer's weights, (outputs, inputs), with scales and halves in them, and means not."""
    queries, keys, values = np.split(weights[f"attention.{layer}.input.weight"], 3)
    yield np.concatenate([queries / math.sqrt(architecture.head_size), keys, values])
    yield _center(weights[f"attention.{layer}.output.weight"], axis=0)
    gated, gates = np.split(weights[f"feed_forward.{layer}.input.weight"], 2)
    yield np.concatenate([gated, gates / 2])
    yield _center(weights[f"feed_forward.{layer}.output.weight"], axis=0)
