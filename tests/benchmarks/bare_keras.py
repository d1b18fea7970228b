"""A bare `tf.function` loop for the same model on the same shapes: what training in Keras costs by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def make_step(vocabulary_size: int, hidden_size: int, rows: int, length: int, jit_compile: bool) -> Callable[..., Any]:
    """A compiled training step: embedding, LSTM, dropout, output, clipped gradients and Adam, all of them Keras's."""
    embedding = keras.layers.Embedding(vocabulary_size, 64)
    lstm = keras.layers.LSTM(hidden_size, return_sequences=True, return_state=True)
    dropout = keras.layers.Dropout(0.1)
    output = keras.layers.Dense(vocabulary_size)
    optimizer = keras.optimizers.Adam(0.01, global_clipnorm=1.0)
    embedding.build((rows, length))
    lstm.build((rows, length, 64))
    output.build((rows, length, hidden_size))
    weights = [weight for layer in (embedding, lstm, output) for weight in layer.trainable_variables]
    optimizer.build(weights)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def step(inputs: Any, targets: Any, hidden: Any, cell: Any) -> Any:
        with tf.GradientTape() as tape:
            values, hidden, cell = lstm(embedding(inputs), initial_state=[hidden, cell])
            logits = output(dropout(values, training=True))
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        optimizer.apply(gradients, weights)
        return loss, hidden, cell

    return step  # type: ignore[no-any-return]


def tokens_per_second(
    step: Callable[..., Any], tokens: Any, hidden_size: int, rows: int, length: int, steps: int
) -> float:
    """The speed of `steps` steps over B streams of ids, the state carried on."""
    stream = (len(tokens) - 1) // rows
    inputs = tokens[: rows * stream].reshape(rows, stream).astype(np.int32)
    targets = tokens[1 : rows * stream + 1].reshape(rows, stream).astype(np.int32)
    hidden = cell = tf.zeros((rows, hidden_size))
    began = time.perf_counter()
    for number in range(steps):
        at = number % (stream // length) * length
        loss, hidden, cell = step(inputs[:, at : at + length], targets[:, at : at + length], hidden, cell)
    float(loss)
    return steps * rows * length / (time.perf_counter() - began)
