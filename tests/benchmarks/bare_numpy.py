"""A bare loop that steps an LSTM and draws, in NumPy: what generating costs without a framework around it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from textforge.backends.base import SavedModel

TEMPERATURE = 0.7


def characters_per_second(saved: SavedModel, count: int) -> float:
    """The speed of generating `count` ids with one layer; the weights are prepared before the clock starts."""
    table, recurrent, output, bias = _prepared(saved)
    size = recurrent.shape[1]
    gates = np.empty(4 * size, np.float32)  # input, forget, output, cell
    input_gate, forget_gate, output_gate, cell_gate = gates.reshape(4, size)
    sigmoids = gates[: 3 * size]
    cell, squashed, hidden = (np.zeros(size, np.float32) for _ in range(3))
    logits, one, half = np.empty(len(bias), np.float32), np.float32(1), np.float32(0.5)
    dot, add, multiply, tanh = np.dot, np.add, np.multiply, np.tanh
    uniform = np.random.default_rng(0).random(count)
    ids = [0]
    began = time.perf_counter()
    for number in range(count):
        dot(recurrent, hidden, gates)
        add(gates, table[ids[-1]], gates)
        tanh(gates, gates)
        add(sigmoids, one, sigmoids)
        multiply(forget_gate, cell, cell)
        multiply(input_gate, cell_gate, cell_gate)
        add(cell, cell_gate, cell)
        multiply(cell, half, cell)
        tanh(cell, squashed)
        multiply(output_gate, squashed, hidden)
        dot(output, hidden, logits)
        add(logits, bias, logits)
        ids.append(_draw(logits, uniform[number]))
    return count / (time.perf_counter() - began)


def _draw(logits: Any, uniform: float) -> int:
    weights = logits / TEMPERATURE
    weights -= weights.max()
    np.exp(weights, weights)
    cumulated = weights.cumsum()
    return int(cumulated.searchsorted(uniform * cumulated[-1], "right"))


def _prepared(saved: SavedModel) -> tuple[Any, Any, Any, Any]:
    """Gates in another order, the halves of sigmoid(x) = (1 + tanh(x / 2)) / 2 folded in, the input as a table."""
    arrays = saved.arrays
    size = saved.options["hidden_size"]
    order = np.r_[0:size, size : 2 * size, 3 * size : 4 * size, 2 * size : 3 * size]
    scale = np.r_[np.full(3 * size, 0.5), np.ones(size)][:, None].astype(np.float32)
    inputs = arrays["lstm.0.input_weight"] @ arrays["embedding.weight"].T + arrays["lstm.0.bias"][:, None]  # (4H, V)
    table = np.ascontiguousarray((inputs[order] * scale).T)
    recurrent = np.ascontiguousarray(arrays["lstm.0.recurrent_weight"][order] * scale / 2)
    return table, recurrent, np.ascontiguousarray(arrays["output.weight"] / 2), arrays["output.bias"]
