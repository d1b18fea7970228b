"""The convolutional network on NumPy alone, made for reading one token at a time.

A layer's step is one product and five calls, whatever its dilation:

- A sigmoid is a hyperbolic tangent: sigmoid(x) = (1 + tanh(x / 2)) / 2. Its half is in the weights of the gates, and
  the other in those of the values. Halves are powers of two, so folding them changes no bit.
- A layer of dilation d reads, at position t, what it read d positions ago, one place further on. So it has d windows
  taken in turn, each of K inputs side by side, and a one for the biases: to move a window on is one copy, and the
  window times the matrix is all the layer needs.
- What a layer adds is added right into the window of the layer above.
- What each token is to the lowest layer is looked up in a table.
- Buffers and views into them are made once for a state.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from textforge.architectures.conv import Conv, lengths_needed
from textforge.architectures.states import count_rows
from textforge.backends.numpy.model import NumpyModel
from textforge.backends.numpy.weights import Numbers, token_table, with_biases
from textforge.model import Array, Arrays, SavedModel

_add, _copy, _multiply, _tanh = np.add, np.copyto, np.multiply, np.tanh


class _Window(NamedTuple):
    """Views into one window of a layer, (B, ·), or (·,) for one row."""

    whole: Numbers
    """K inputs, the oldest first, and a one for the biases, K * C + 1."""
    kept: Numbers
    """All inputs but the newest, (K - 1) * C."""
    moving: Numbers
    """All inputs but the oldest, (K - 1) * C."""
    newest: Numbers
    """C."""


class _Layer(NamedTuple):
    """A layer's part of a state."""

    matrix: Numbers
    windows: Numbers
    """The windows of d positions, (d, B, K * C + 1)."""
    views: tuple[_Window, ...]
    product: Numbers
    """What the layer computes, 2C: the values, then the gates."""
    values: Numbers
    gates: Numbers
    one: Numbers


class ConvState:
    """What a network carries on for some rows, with the buffers that a step needs."""

    __slots__ = ("hidden", "layers", "logits", "nothing", "position", "product", "rows", "top")

    def __init__(self, rows: int, matrices: list[Numbers], dilations: list[int], vocabulary_size: int) -> None:
        shape, dtype = () if rows == 1 else (rows,), matrices[0].dtype
        self.rows = rows
        self.position = 0
        self.layers = tuple(
            _layer(shape, matrix, dilation) for matrix, dilation in zip(matrices, dilations, strict=True)
        )
        self.nothing = np.array(0, dtype)
        self.top = np.ones((*shape, matrices[0].shape[1] // 2 + 1), dtype)
        """What the logits are computed from, and a one for the biases, (B, C + 1) or (C + 1,)."""
        self.hidden = self.top[..., :-1]
        self.product = np.zeros((*shape, vocabulary_size), dtype)
        self.logits = self.product.reshape(rows, vocabulary_size)

    def take(self, source: ConvState, rows: Array) -> None:
        """Take over what these rows of another state carry."""
        self.position = source.position
        for own, other in zip(self.layers, source.layers, strict=True):
            _by_row(own.windows, self.rows)[:] = _by_row(other.windows, source.rows)[:, rows]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle what is carried on; views into buffers would come apart, so they are made anew."""
        matrices, windows = [layer.matrix for layer in self.layers], [layer.windows for layer in self.layers]
        return _restore_state, (self.rows, matrices, self.logits.shape[-1], windows, self.position)


def _restore_state(rows: int, matrices: list[Numbers], size: int, windows: list[Numbers], position: int) -> ConvState:
    state = ConvState(rows, matrices, [len(window) for window in windows], size)
    for layer, carried in zip(state.layers, windows, strict=True):
        layer.windows[...] = carried
    state.position = position
    return state


def _by_row(windows: Numbers, rows: int) -> Numbers:
    """The same windows, (d, B, ·), where one row has no axis of its own."""
    return windows.reshape(len(windows), rows, windows.shape[-1])


def _layer(shape: tuple[int, ...], matrix: Numbers, dilation: int) -> _Layer:
    size, dtype = matrix.shape[1] // 2, matrix.dtype
    windows = np.zeros((dilation, *shape, len(matrix)), dtype)
    windows[..., -1] = 1
    views = tuple(
        _Window(window, window[..., : -1 - size], window[..., size:-1], window[..., -1 - size : -1])
        for window in windows
    )
    product = np.zeros((*shape, 2 * size), dtype)
    return _Layer(matrix, windows, views, product, product[..., :size], product[..., size:], np.array(1, dtype))


class NumpyConv(NumpyModel):
    """A saved convolutional network, run in ``float32`` or ``float64``."""

    def __init__(self, saved: SavedModel, architecture: Conv, precision: str = "float32") -> None:
        super().__init__(saved, architecture, precision)
        weights = self.weights
        self._look_backs = architecture.look_backs
        self._dilations = [look_back // (architecture.kernel_size - 1) for look_back in self._look_backs]
        self._matrices = [_matrix(weights, layer) for layer in range(len(self._dilations))]
        self._output = with_biases(weights["output.weight"], weights["output.bias"])
        self._table, self._projection = token_table(
            weights.get("embedding.weight"), with_biases(weights["input.weight"], weights["input.bias"])
        )

    def start(self, batch_size: int) -> ConvState:
        return ConvState(batch_size, self._matrices, self._dilations, self.vocabulary_size)

    def step(self, ids: Array, state: ConvState) -> Numbers:
        values, added = self._inputs(ids if state.rows != 1 else ids.item()), state.nothing
        for matrix, _, views, product, own_values, gates, one in state.layers:
            whole, kept, moving, newest = views[state.position % len(views)]
            _copy(kept, moving)
            _add(values, added, newest)
            whole.dot(matrix, product)
            _tanh(gates, gates)
            _add(gates, one, gates)  # twice the sigmoids
            values, added = newest, _multiply(own_values, gates, own_values)
        _add(values, added, state.hidden)
        state.top.dot(self._output, state.product)
        state.position += 1
        return state.logits

    def bytes_per_token(self, rows: int) -> int:
        return rows * sum(self._matrices[0].shape) * self._matrices[0].itemsize

    def read(self, ids: Array, state: ConvState, last_only: bool) -> Numbers:
        """Read tokens, (B, T), each layer all of them before the one above; the logits, (B, T or 1, V)."""
        length = ids.shape[1]
        values = self._inputs(ids.T if state.rows != 1 else ids[0])
        lengths = lengths_needed(self._look_backs, length) if last_only else [length] * len(state.layers)
        for layer, needed in zip(state.layers, lengths, strict=True):
            values = _run(layer, values, needed, state.position, state.position + length)
        state.position += length
        logits: Numbers = values @ self._output[:-1] + self._output[-1]
        return logits.reshape(len(values), state.rows, self.vocabulary_size).swapaxes(0, 1)

    def select(self, state: ConvState, rows: Array) -> ConvState:
        selected = self.start(len(rows))
        selected.take(state, rows)
        return selected

    def state_arrays(self, state: ConvState) -> Arrays:
        earlier = [_earlier(layer, state.position) for layer in state.layers]
        by_row = [inputs.reshape(len(inputs), state.rows, -1).swapaxes(0, 1) for inputs in earlier]  # (B, R, C)
        return {f"conv.{number}": np.array(inputs) for number, inputs in enumerate(by_row)}

    def make_state(self, arrays: Arrays) -> ConvState:
        state = self.start(count_rows(arrays, self.architecture.state()))
        for layer, name in zip(state.layers, self.architecture.state(), strict=True):
            inputs = arrays[name].swapaxes(0, 1)  # (R, B, C)
            _keep(layer, inputs if state.rows != 1 else inputs[:, 0], state.position)
        return state

    def _inputs(self, ids: Any) -> Numbers:
        """What tokens of any shape, (...), are to the lowest layer, (..., C)."""
        rows: Numbers = self._table[ids]
        return rows if self._projection is None else rows @ self._projection


def _run(layer: _Layer, values: Numbers, needed: int, before: int, after: int) -> Numbers:
    """Take a layer from a position to another, given its last inputs, (T, ·, C); its last outputs, (needed, ·, C)."""
    read = np.concatenate([_earlier(layer, before), values])
    _keep(layer, read[len(values) :], after)
    size, places, dilation = values.shape[-1], (len(layer.matrix) - 1) // values.shape[-1], len(layer.views)
    windows = np.ones((needed, *values.shape[1:-1], len(layer.matrix)), values.dtype)
    for place in range(places):
        end = len(read) - (places - 1 - place) * dilation
        windows[..., place * size : (place + 1) * size] = read[end - needed : end]
    product = (windows.reshape(-1, windows.shape[-1]) @ layer.matrix).reshape(*windows.shape[:-1], 2 * size)
    gates = np.tanh(product[..., size:])
    gates += layer.one
    gates *= product[..., :size]
    gates += values[len(values) - needed :]
    return gates


def _earlier(layer: _Layer, position: int) -> Numbers:
    """What a layer keeps of its inputs before a position, (K - 1) * d of them, (·, ·, C), the oldest first."""
    size = layer.values.shape[-1]
    windows = np.roll(layer.windows, -position, axis=0)[..., size:-1]
    places = windows.reshape(*windows.shape[:-1], windows.shape[-1] // size, size)
    in_order = np.moveaxis(places, -2, 0)
    return in_order.reshape(in_order.shape[0] * in_order.shape[1], *in_order.shape[2:])


def _keep(layer: _Layer, inputs: Numbers, position: int) -> None:
    """Keep what `_earlier` is to give at a position."""
    size, dilation = inputs.shape[-1], len(layer.windows)
    places = inputs.reshape(len(inputs) // dilation, dilation, *inputs.shape[1:])
    windows = np.moveaxis(places, 0, -2).reshape(dilation, *inputs.shape[1:-1], len(places) * size)
    layer.windows[..., size:-1] = np.roll(windows, position, axis=0)


def _matrix(weights: Arrays, layer: int) -> Numbers:
    """What a window is multiplied with, (K * C + 1, 2C), the halves of the sigmoids in it."""
    kernel, bias = weights[f"conv.{layer}.weight"] / 2, weights[f"conv.{layer}.bias"] / 2
    return with_biases(kernel.swapaxes(1, 2).reshape(len(kernel), -1), bias)
