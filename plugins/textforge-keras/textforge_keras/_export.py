"""Files of the format ``keras``, and the models of textforge's architectures in Keras's own layers.

Shapes: B rows, T tokens, E embedding size, H hidden size, C channels, V the vocabulary's size.
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
from textforge.architectures.lstm import LSTM
from textforge.formats.base import ReadBack
from textforge.model import Array, Arrays, SavedModel

ABOUT = "textforge.json"
"""The file within the .keras file that says what the model is."""
HALVES = ("value", "gate")
"""The parts of what a convolution gives, in the order of its weights' rows."""
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
            values = keras.layers.Dropout(dropout, seed=layer, **_named(f"dropout.{layer}"))(values)
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
        added = keras.layers.Multiply(**_named(f"gated.{layer}"))([value, gate])
        if dropout:
            added = keras.layers.Dropout(dropout, seed=layer, **_named(f"dropout.{layer}"))(added)
        values = keras.layers.Add(**_named(f"values.{layer}"))([values, added])
    logits = _dense(saved.vocabulary_size, "output")(values)
    model = keras.Model(ids, logits, name="textforge_conv")
    _set_outer_weights(model, arrays)
    _set_weights(model.get_layer("input"), arrays["input.weight"], arrays["input.bias"])
    for layer in range(architecture.num_layers):
        halves = (np.split(arrays[f"conv.{layer}.{kind}"], 2) for kind in ("weight", "bias"))
        for kind, weight, bias in zip(HALVES, *halves, strict=True):
            _set_weights(model.get_layer(f"conv.{layer}.{kind}"), weight, bias)
    return model


def _named(name: str) -> dict[str, str]:
    """Return what every layer is told, whatever Keras's own settings say."""
    return {"name": name, "dtype": "float32"}


def _dense(size: int, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(size, kernel_initializer=_glorot(0), **_named(name))


def _embed(ids: keras.KerasTensor, arrays: Arrays, vocabulary_size: int) -> keras.KerasTensor:
    """Return vectors, (B, T) -> (B, T, E), or, one-hot, (B, T, V)."""
    if "embedding.weight" not in arrays:
        return keras.ops.one_hot(ids, vocabulary_size, dtype="float32")  # no layer does it for any number of tokens
    spread = keras.initializers.RandomNormal(stddev=EMBEDDING_DEVIATION, seed=0)
    return keras.layers.Embedding(*arrays["embedding.weight"].shape, spread, **_named("embedding"))(ids)


def _lstm_layer(layer: int, size: int) -> keras.layers.LSTM:
    recurrent = keras.initializers.Orthogonal(seed=layer)
    return keras.layers.LSTM(
        size,
        return_sequences=True,
        kernel_initializer=_glorot(layer),
        recurrent_initializer=recurrent,
        seed=layer,
        **_named(f"lstm.{layer}"),
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
        **_named(f"conv.{layer}.{kind}"),
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
