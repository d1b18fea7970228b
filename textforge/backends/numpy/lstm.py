"""The LSTM on NumPy alone, made for reading one token at a time.

At these sizes half of the time goes into calling NumPy, so a layer's step is one product and eight calls:

- A sigmoid is a hyperbolic tangent: sigmoid(x) = (1 + tanh(x / 2)) / 2. With the gates in the order input,
  forget, output, candidate, and the first three's halves in the weights, one call of tanh serves all four.
- The hidden state is kept doubled, and its half is in the weights of whatever reads it. Halves are powers of two,
  so folding them changes no bit.
- All that reads a layer's hidden state is one matrix, with the biases as its last row: the columns for the
  layer's own next step, then those for the layer above, or the logits.
- For the lowest layer, what each token adds to the gates is looked up in a table.
- Buffers and views into them are made once for a state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from textforge.architectures.base import Architecture
from textforge.architectures.states import count_rows
from textforge.backends.numpy.model import NumpyModel
from textforge.backends.numpy.weights import Numbers, token_table, with_biases
from textforge.model import Array, Arrays, SavedModel

COLUMN_MULTIPLE = 16
"""Rows of a matrix that are whole cache lines apart are read faster: 3.2 for 3.5 µs at 1x128."""

_add, _multiply, _tanh, _matmul = np.add, np.multiply, np.tanh, np.matmul


class _Cell(NamedTuple):
    """Views into a layer's buffers, (B, ·), or (·,) for one row."""

    gates: Numbers
    """The four gates, 4H."""
    sigmoids: Numbers
    """Input, forget and output gate, 3H."""
    input_and_forget: Numbers
    candidate_and_cell: Numbers
    input: Numbers
    forget: Numbers
    output: Numbers
    candidate: Numbers
    cell: Numbers
    doubled_hidden: Numbers
    one: Numbers
    half: Numbers


class _Layer(NamedTuple):
    """A layer's part of a state."""

    recurrent: Numbers
    """What the hidden state adds to the gates of the next step, 4H; a view into `product`."""
    upward: Numbers
    """What it gives to the layer above, 4H, or the logits, V; a view into `product`."""
    hidden: Numbers
    """The hidden state doubled, and a one for the biases, H + 1."""
    matrix: Numbers
    product: Numbers
    """`hidden` times `matrix`."""
    cell: _Cell


class LSTMState:
    """What an LSTM carries on for some rows, with the buffers that a step needs."""

    __slots__ = ("layers", "logits", "rows")

    def __init__(self, rows: int, matrices: tuple[Numbers, ...], vocabulary_size: int) -> None:
        upward = [*(4 * (len(matrix) - 1) for matrix in matrices[1:]), vocabulary_size]
        self.rows = rows
        self.layers = tuple(_layer(rows, matrix, size) for matrix, size in zip(matrices, upward, strict=True))
        self.logits = _by_row(self.layers[-1].upward)

    def take(self, source: LSTMState, rows: Array) -> None:
        """Take over what these rows of another state carry."""
        for own, other in zip(self.layers, source.layers, strict=True):
            _by_row(own.product)[:] = _by_row(other.product)[rows]
            _by_row(own.hidden)[:] = _by_row(other.hidden)[rows]
            _by_row(own.cell.cell)[:] = _by_row(other.cell.cell)[rows]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle what is carried on; views into buffers would come apart, so they are made anew."""
        carried = [(layer.product, layer.cell.cell) for layer in self.layers]
        return _restore_state, (self.rows, [layer.matrix for layer in self.layers], self.logits.shape[-1], carried)


def _restore_state(rows: int, matrices: list[Numbers], size: int, carried: list[tuple[Numbers, Numbers]]) -> LSTMState:
    state = LSTMState(rows, tuple(matrices), size)
    for layer, (product, cell) in zip(state.layers, carried, strict=True):
        layer.product[...], layer.cell.cell[...] = product, cell
    return state


def _by_row(values: Numbers) -> Numbers:
    """The same numbers, (B, ·), where one row has no axis of its own."""
    return values if values.ndim == 2 else values[np.newaxis]


def _layer(rows: int, matrix: Numbers, upward: int) -> _Layer:
    size, dtype = len(matrix) - 1, matrix.dtype
    shape = () if rows == 1 else (rows,)
    product = np.zeros((*shape, matrix.shape[1]), dtype)
    hidden = np.zeros((*shape, size + 1), dtype)
    hidden[..., size] = 1
    cell = _cell(np.zeros((*shape, 5 * size), dtype), hidden[..., :size])
    return _Layer(product[..., : 4 * size], product[..., 4 * size : 4 * size + upward], hidden, matrix, product, cell)


def _cell(block: Numbers, doubled_hidden: Numbers) -> _Cell:
    size = doubled_hidden.shape[-1]
    input, forget, output, candidate, cell = (block[..., n * size : (n + 1) * size] for n in range(5))
    return _Cell(
        gates=block[..., : 4 * size],
        sigmoids=block[..., : 3 * size],
        input_and_forget=block[..., : 2 * size],
        candidate_and_cell=block[..., 3 * size :],
        input=input,
        forget=forget,
        output=output,
        candidate=candidate,
        cell=cell,
        doubled_hidden=doubled_hidden,
        one=np.array(1, block.dtype),
        half=np.array(0.5, block.dtype),
    )


def _advance(recurrent: Numbers, inputs: Numbers, views: _Cell) -> None:
    """One step of a layer: from what its hidden state and its input add to the gates to the new hidden state."""
    gates, sigmoids, input_forget, candidate_cell, input, forget, output, candidate, cell, hidden, one, half = views
    _add(recurrent, inputs, gates)
    _tanh(gates, gates)
    _add(sigmoids, one, sigmoids)  # twice the sigmoids
    _multiply(input_forget, candidate_cell, input_forget)
    _add(input, forget, cell)
    _multiply(cell, half, cell)
    _tanh(cell, candidate)
    _multiply(output, candidate, hidden)


class NumpyLSTM(NumpyModel):
    """A saved LSTM, run in ``float32`` or ``float64``."""

    def __init__(self, saved: SavedModel, architecture: Architecture, precision: str = "float32") -> None:
        super().__init__(saved, architecture, precision)
        weights = self.weights
        self._matrices = tuple(_matrices(weights))
        projection = with_biases(_folded(weights["lstm.0.input_weight"]), _folded(weights["lstm.0.bias"]))
        self._table, self._projection = token_table(weights.get("embedding.weight"), projection)

    def start(self, batch_size: int) -> LSTMState:
        return LSTMState(batch_size, self._matrices, self.vocabulary_size)

    def step(self, ids: Array, state: LSTMState) -> Numbers:
        inputs = self._table[ids if state.rows != 1 else ids.item()]
        if self._projection is not None:
            inputs = inputs @ self._projection
        for recurrent, upward, hidden, matrix, product, cell in state.layers:
            _advance(recurrent, inputs, cell)
            hidden.dot(matrix, product)
            inputs = upward
        return state.logits

    def bytes_per_token(self, rows: int) -> int:
        return rows * self._matrices[0].itemsize * 4 * (len(self._matrices[0]) - 1)

    def read(self, ids: Array, state: LSTMState, last_only: bool) -> Numbers:
        """Read tokens, (B, T), each layer all of them before the one above; the logits, (B, T or 1, V)."""
        inputs = self._inputs(ids.T if state.rows != 1 else ids[0])
        top = state.layers[-1]
        for layer in state.layers[:-1]:
            inputs = _upward(layer, _run(layer, inputs))
        if last_only:
            _run(top, inputs, keep=False)
            return state.logits[:, np.newaxis]
        logits = _upward(top, _run(top, inputs))
        return logits.reshape(len(inputs), state.rows, self.vocabulary_size).swapaxes(0, 1)

    def select(self, state: LSTMState, rows: Array) -> LSTMState:
        selected = self.start(len(rows))
        selected.take(state, rows)
        return selected

    def state_arrays(self, state: LSTMState) -> Arrays:
        hidden = [_by_row(layer.hidden)[:, :-1] / 2 for layer in state.layers]  # kept doubled
        return {"hidden": np.stack(hidden), "cell": np.stack([_by_row(layer.cell.cell) for layer in state.layers])}

    def make_state(self, arrays: Arrays) -> LSTMState:
        state = self.start(count_rows(arrays, self.architecture.state()))
        for layer, hidden, cell in zip(state.layers, arrays["hidden"], arrays["cell"], strict=True):
            _by_row(layer.hidden)[:, :-1] = np.multiply(hidden, 2, dtype=layer.hidden.dtype)
            _by_row(layer.cell.cell)[:] = cell
            layer.hidden.dot(layer.matrix, layer.product)
        return state

    def _inputs(self, ids: Any) -> Numbers:
        """What tokens of any shape, (...), add to the lowest layer's gates, (..., 4H)."""
        rows: Numbers = self._table[ids]
        return rows if self._projection is None else rows @ self._projection


def _run(layer: _Layer, inputs: Numbers, keep: bool = True) -> Numbers:
    """Take a layer through what its inputs, (T, ·, 4H), add to its gates.

    Its hidden states, as in `_Layer.hidden`, (T, ·, H + 1), if they are to be kept.
    """
    kept = np.empty((len(inputs) if keep else 0, *layer.hidden.shape), inputs.dtype)
    matrix = layer.matrix[:, : layer.recurrent.shape[-1]]
    recurrent, following = layer.recurrent, np.empty(layer.recurrent.shape, inputs.dtype)
    for t, added in enumerate(inputs, start=1):
        _advance(recurrent, added, layer.cell)
        if keep:
            kept[t - 1] = layer.hidden
        if t < len(inputs):
            _matmul(layer.hidden, matrix, following)  # `dot` would copy the part of a matrix each time
            recurrent = following
    layer.hidden.dot(layer.matrix, layer.product)
    return kept


def _upward(layer: _Layer, hidden: Numbers) -> Numbers:
    """What hidden states, (T, ·, H + 1), give to the layer above or as logits, in one product."""
    before, size = layer.recurrent.shape[-1], layer.upward.shape[-1]
    product: Numbers = hidden.reshape(-1, hidden.shape[-1]) @ layer.matrix[:, before : before + size]
    return product.reshape(*hidden.shape[:-1], size)


def _matrices(weights: Arrays) -> Iterator[Numbers]:
    """For each layer all that reads its hidden state, (H + 1, 4H + 4H or V, and some zeros)."""
    number = 0
    while (recurrent := weights.get(f"lstm.{number}.recurrent_weight")) is not None:
        number += 1
        if f"lstm.{number}.bias" in weights:
            above, bias = _folded(weights[f"lstm.{number}.input_weight"]), _folded(weights[f"lstm.{number}.bias"])
        else:
            above, bias = weights["output.weight"], weights["output.bias"]
        unread = np.zeros((-(len(recurrent) + len(above)) % COLUMN_MULTIPLE, recurrent.shape[1]), recurrent.dtype)
        readers = np.concatenate([_folded(recurrent), above, unread]) / 2
        biases = np.concatenate([np.zeros_like(recurrent[:, 0]), bias, unread[:, 0]])
        yield with_biases(readers, biases)


def _folded(weights: Numbers) -> Numbers:
    """The gates in the order input, forget, output, candidate, and the half of each sigmoid in the weights."""
    input, forget, candidate, output = np.split(weights, 4)
    return np.concatenate([input / 2, forget / 2, output / 2, candidate])
