"""A bare loop that steps an LSTM and draws, in NumPy: what generating costs without a framework around it.

Written to be as fast as NumPy lets it be: one product a step (the recurrent matrix and the output's side by side), the
sigmoids as hyperbolic tangents with their halves in the weights, every view made once, no call that can be spared.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from textforge.model import SavedModel

TEMPERATURE = 0.7


def characters_per_second(saved: SavedModel, count: int) -> float:
    """The speed of generating `count` ids with one layer; the weights are prepared before the clock starts."""
    table, matrix = _prepared(saved)
    size, vocabulary = saved.options["hidden_size"], saved.vocabulary_size
    block = np.zeros(5 * size, np.float32)  # input, forget, output, candidate, cell
    gates, sigmoids, input_forget = block[: 4 * size], block[: 3 * size], block[: 2 * size]
    input_gate, forget_gate, output_gate, candidate, cell = block.reshape(5, size)
    candidate_cell = block[3 * size :]
    hidden = np.ones(size + 1, np.float32)  # twice the hidden state, and a one for the biases
    doubled = hidden[:size]
    product = np.zeros(matrix.shape[1], np.float32)
    recurrent, logits = product[: 4 * size], product[4 * size : 4 * size + vocabulary]
    scaled, divisor = np.empty(vocabulary), np.array(TEMPERATURE)
    one, half = np.array(1, np.float32), np.array(0.5, np.float32)
    add, multiply, tanh, divide, subtract, exp, accumulate = (
        np.add, np.multiply, np.tanh, np.divide, np.subtract, np.exp, np.add.accumulate,
    )  # fmt: skip
    uniform = np.random.default_rng(0).random(count).tolist()
    ids = [0]
    began = time.perf_counter()
    for number in uniform:
        add(recurrent, table[ids[-1]], gates)
        tanh(gates, gates)
        add(sigmoids, one, sigmoids)
        multiply(input_forget, candidate_cell, input_forget)
        add(input_gate, forget_gate, cell)
        multiply(cell, half, cell)
        tanh(cell, candidate)
        multiply(output_gate, candidate, doubled)
        hidden.dot(matrix, product)
        divide(logits, divisor, scaled)
        best = scaled.argmax()
        subtract(scaled, scaled[best, ...].copy(), scaled)
        exp(scaled, scaled)
        accumulate(scaled, 0, None, scaled)
        ids.append(int(scaled.searchsorted(number * scaled.item(-1), "right")))
    return count / (time.perf_counter() - began)


def _prepared(saved: SavedModel) -> tuple[list[Any], Any]:
    """Return what each token adds to the gates, (V, 4H), and what reads the doubled hidden state, (H + 1, 4H + V)."""
    arrays = saved.arrays
    size, vocabulary = saved.options["hidden_size"], saved.vocabulary_size
    order = np.r_[0 : 2 * size, 3 * size : 4 * size, 2 * size : 3 * size]
    scale = np.r_[np.full(3 * size, 0.5), np.ones(size)].astype(np.float32)
    inputs = arrays["embedding.weight"] @ arrays["lstm.0.input_weight"].T + arrays["lstm.0.bias"]
    matrix = np.zeros((size + 1, -(-(4 * size + vocabulary) // 16) * 16), np.float32)
    matrix[:size, : 4 * size] = (arrays["lstm.0.recurrent_weight"].T / 2)[:, order] * scale
    matrix[:size, 4 * size : 4 * size + vocabulary] = arrays["output.weight"].T / 2
    matrix[size, 4 * size : 4 * size + vocabulary] = arrays["output.bias"]
    return list(inputs[:, order] * scale), matrix
