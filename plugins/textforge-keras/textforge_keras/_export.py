"""Files of the format ``keras``, and the models of textforge's architectures in Keras's own layers.

Shapes: B rows, T tokens, E embedding size, H hidden size, C channels, N heads, D numbers of a
head, V the vocabulary's size.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textforge.architectures.conv import Conv
from textforge.architectures.gpt import EPSILON, GPT, compute_speeds
from textforge.architectures.lstm import LSTM
from textforge.formats.base import ReadBack
from textforge.model import Array, Arrays, SavedModel

ABOUT = "textforge.json"
"""The file within the .keras file that says what the model is."""
HALVES = ("value", "gate")
"""The parts of what a convolution gives, in the order of its weights' rows."""
ATTENDED = ("query", "key", "value")
"""The parts of what attention reads, in the order of its weights' rows."""
HIDDEN = -1e30
"""The number added to a product that is to count for nothing."""
EMBEDDING_DEVIATION = 0.5
"""Deviation of an embedding's first values, for who clones the model to train it anew."""


def write_keras(make_model: Callable[[], keras.Model], path: Path, about: Mapping[str, Any]) -> None:
    """Write a model to a file, with what it says of the model beside it."""
    with tf.device("/CPU:0"):
        make_model().save(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ABOUT, json.dumps(about))


def read_keras(path: Path) -> ReadBack:
    """Return a way to compute logits by the model that Keras loads from a file; it reads from the beginning only."""
    with tf.device("/CPU:0"):
        run = tf.function(keras.models.load_model(path, compile=False, safe_mode=True), reduce_retracing=True)

    def read(ids: Array, state: Arrays | None) -> tuple[Array, None]:
        with tf.device("/CPU:0"):
            logits: Array = run(tf.constant(ids, tf.int32), training=False).numpy()
        return logits, None

    return read


def lstm_model(saved: SavedModel, architecture: LSTM) -> keras.Model:
    """Return the LSTM, with layers named as the weights are in every backend."""
    arrays, dropout = saved.arrays, architecture.dropout
    ids = keras.Input((None,), dtype="int32", name="ids")
    values = _embed(ids, arrays, saved.vocabulary_size)  # (B, T, E) or (B, T, V)
    for layer in range(architecture.num_layers):
        values = _lstm_layer(layer, architecture.hidden_size)(values)  # (B, T, H)
        if dropout:
            values = keras.layers.Dropout(dropout, seed=layer, **_name_layer(f"dropout.{layer}"))(values)
    logits = _dense(saved.vocabulary_size, "output")(values)
    model = keras.Model(ids, logits, name="textforge_lstm")
    _set_outer_weights(model, arrays)
    for layer in range(architecture.num_layers):
        weights = (arrays[f"lstm.{layer}.{kind}"] for kind in ("input_weight", "recurrent_weight", "bias"))
        _set_weights(model.get_layer(f"lstm.{layer}"), *weights)
    return model


def conv_model(saved: SavedModel, architecture: Conv) -> keras.Model:
    """Return the convolutional network; a layer's values and its gates are a convolution each."""
    arrays, channels, dropout = saved.arrays, architecture.channels, architecture.dropout
    ids = keras.Input((None,), dtype="int32", name="ids")
    vectors = _embed(ids, arrays, saved.vocabulary_size)  # (B, T, E) or (B, T, V)
    values = _dense(channels, "input")(vectors)  # (B, T, C)
    for layer in range(architecture.num_layers):
        value, gate = (_convolution(layer, kind, architecture)(values) for kind in HALVES)
        added = keras.layers.Multiply(**_name_layer(f"gated.{layer}"))([value, gate])
        if dropout:
            added = keras.layers.Dropout(dropout, seed=layer, **_name_layer(f"dropout.{layer}"))(added)
        values = keras.layers.Add(**_name_layer(f"values.{layer}"))([values, added])
    logits = _dense(saved.vocabulary_size, "output")(values)
    model = keras.Model(ids, logits, name="textforge_conv")
    _set_outer_weights(model, arrays)
    _set_weights(model.get_layer("input"), arrays["input.weight"], arrays["input.bias"])
    for layer in range(architecture.num_layers):
        halves = (np.split(arrays[f"conv.{layer}.{kind}"], 2) for kind in ("weight", "bias"))
        for kind, weight, bias in zip(HALVES, *halves, strict=True):
            _set_weights(model.get_layer(f"conv.{layer}.{kind}"), weight, bias)
    return model


def gpt_model(saved: SavedModel, architecture: GPT) -> keras.Model:
    """Return the Transformer; the embedding is there a second time as the output's weights.

    Keras's own attention knows no rotary positions, so that part is written in its operations.
    """
    arrays, size, dropout = saved.arrays, architecture.hidden_size, architecture.dropout
    ids = keras.Input((None,), dtype="int32", name="ids")
    hidden = _embed(ids, arrays, saved.vocabulary_size)  # (B, T, H)
    rotations, hides = _place(ids, architecture)
    for layer in range(architecture.num_layers):
        normed = _norm(f"attention.{layer}.norm")(hidden)
        parts = [_project(size, f"attention.{layer}.{part}")(normed) for part in ATTENDED]
        queries, keys, values = (_part_heads(part, architecture) for part in parts)  # (B, T, N, D)
        queries, keys = (_rotate(heads, *rotations) for heads in (queries, keys))
        products = keras.ops.einsum("btnd,bsnd->bnts", queries, keys) * architecture.head_size**-0.5
        weights = keras.layers.Softmax(**_name_layer(f"attention.{layer}.weights"))(products + hides)
        sums = keras.ops.einsum("bnts,bsnd->btnd", weights, values)
        joined = keras.layers.Reshape((-1, size), **_name_layer(f"attention.{layer}.joined"))(sums)
        attended = _project(size, f"attention.{layer}.output")(joined)
        hidden = _add(hidden, attended, dropout, 2 * layer, f"attention.{layer}")
        normed = _norm(f"feed_forward.{layer}.norm")(hidden)
        value, gate = (_project(architecture.inner_size, f"feed_forward.{layer}.{part}")(normed) for part in HALVES)
        opened = keras.layers.Activation("silu", **_name_layer(f"feed_forward.{layer}.open"))(gate)
        gated = keras.layers.Multiply(**_name_layer(f"feed_forward.{layer}.gated"))([value, opened])
        added = _project(size, f"feed_forward.{layer}.output")(gated)
        hidden = _add(hidden, added, dropout, 2 * layer + 1, f"feed_forward.{layer}")
    logits = _dense(saved.vocabulary_size, "output")(_norm("norm")(hidden))
    model = keras.Model(ids, logits, name="textforge_gpt")
    _set_outer_weights(model, {"output.weight": arrays["embedding.weight"], **arrays})
    for layer in range(architecture.num_layers):
        for room, kinds in (("attention", ATTENDED), ("feed_forward", HALVES)):
            rows = np.split(arrays[f"{room}.{layer}.input.weight"], len(kinds))
            for kind, weight in zip((*kinds, "output"), (*rows, arrays[f"{room}.{layer}.output.weight"]), strict=True):
                _set_weights(model.get_layer(f"{room}.{layer}.{kind}"), weight)
    return model


def _place(ids: keras.KerasTensor, architecture: GPT) -> tuple[list[keras.KerasTensor], keras.KerasTensor]:
    """Return cosines and sines of the positions, (B, T, 1, D / 2, 1), and what hides keys, (B, 1, T, T)."""
    places = keras.ops.cumsum(keras.ops.ones_like(ids, dtype="float32"), axis=1)  # (B, T)
    speeds = compute_speeds(architecture.head_size).astype(np.float32)
    angles = keras.ops.expand_dims(places, (2, 3)) * speeds
    behind = keras.ops.expand_dims(places, (1, 3)) - keras.ops.expand_dims(places, (1, 2))
    is_seen = keras.ops.logical_and(behind >= 0, behind < architecture.window)
    rotations = [keras.ops.expand_dims(turn(angles), -1) for turn in (keras.ops.cos, keras.ops.sin)]
    return rotations, keras.ops.where(is_seen, 0.0, HIDDEN)


def _rotate(heads: keras.KerasTensor, cosines: keras.KerasTensor, sines: keras.KerasTensor) -> keras.KerasTensor:
    """Return heads, (B, T, N, D), rotated by their positions."""
    number, size = heads.shape[2:]
    pairs = keras.layers.Reshape((-1, number, size // 2, 2), dtype="float32")(heads)
    first, second = keras.ops.split(pairs, 2, axis=-1)
    turned = keras.ops.concatenate([first * cosines - second * sines, second * cosines + first * sines], axis=-1)
    return keras.layers.Reshape((-1, number, size), dtype="float32")(turned)


def _part_heads(values: keras.KerasTensor, architecture: GPT) -> keras.KerasTensor:
    """Return values by head, (B, T, H) -> (B, T, N, D)."""
    return keras.layers.Reshape((-1, architecture.num_heads, architecture.head_size), dtype="float32")(values)


def _add(
    hidden: keras.KerasTensor, added: keras.KerasTensor, dropout: float, seed: int, name: str
) -> keras.KerasTensor:
    if dropout:
        added = keras.layers.Dropout(dropout, seed=seed, **_name_layer(f"{name}.dropout"))(added)
    return keras.layers.Add(**_name_layer(f"{name}.sum"))([hidden, added])


def _norm(name: str) -> keras.layers.LayerNormalization:
    return keras.layers.LayerNormalization(epsilon=EPSILON, center=False, scale=False, **_name_layer(name))


def _project(size: int, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(size, use_bias=False, kernel_initializer=_glorot(0), **_name_layer(name))


def _name_layer(name: str) -> dict[str, str]:
    """Return what every layer is told, whatever Keras's own settings say."""
    return {"name": name, "dtype": "float32"}


def _dense(size: int, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(size, kernel_initializer=_glorot(0), **_name_layer(name))


def _embed(ids: keras.KerasTensor, arrays: Arrays, vocabulary_size: int) -> keras.KerasTensor:
    """Return vectors, (B, T) -> (B, T, E), or, one-hot, (B, T, V)."""
    if "embedding.weight" not in arrays:
        return keras.ops.one_hot(ids, vocabulary_size, dtype="float32")  # no layer does it for any number of tokens
    spread = keras.initializers.RandomNormal(stddev=EMBEDDING_DEVIATION, seed=0)
    return keras.layers.Embedding(*arrays["embedding.weight"].shape, spread, **_name_layer("embedding"))(ids)


def _lstm_layer(layer: int, size: int) -> keras.layers.LSTM:
    recurrent = keras.initializers.Orthogonal(seed=layer)
    return keras.layers.LSTM(
        size,
        return_sequences=True,
        kernel_initializer=_glorot(layer),
        recurrent_initializer=recurrent,
        seed=layer,
        **_name_layer(f"lstm.{layer}"),
    )


def _convolution(layer: int, kind: str, architecture: Conv) -> keras.layers.Conv1D:
    return keras.layers.Conv1D(
        architecture.channels,
        architecture.kernel_size,
        padding="causal",
        data_format="channels_last",
        dilation_rate=architecture.dilation_growth**layer,
        activation="sigmoid" if kind == "gate" else None,
        kernel_initializer=_glorot(2 * layer + (kind == "gate")),
        **_name_layer(f"conv.{layer}.{kind}"),
    )


def _glorot(seed: int) -> keras.initializers.Initializer:
    """Return an initializer with a seed, as all have here: so neither Keras's nor Python's random numbers are used."""
    return keras.initializers.GlorotUniform(seed=seed)


def _set_outer_weights(model: keras.Model, arrays: Arrays) -> None:
    """Set the weights of the layers that every architecture has."""
    if "embedding.weight" in arrays:
        model.get_layer("embedding").set_weights([arrays["embedding.weight"]])
    _set_weights(model.get_layer("output"), arrays["output.weight"], arrays["output.bias"])


def _set_weights(layer: keras.Layer, *weights: Array) -> None:
    """Set a layer's weights, whose axes lie the other way round in Keras."""
    layer.set_weights([np.ascontiguousarray(weight.T) for weight in weights])
