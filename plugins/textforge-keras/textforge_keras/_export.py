"""The format ``keras``: a functional model of Keras's own layers, from token ids to logits.

Shapes: B rows, T tokens, E embedding size, H hidden size, C channels, V the vocabulary's size.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from textforge.architectures import conv
from textforge.architectures.conv import ARCHITECTURE as CONV
from textforge.architectures.lstm import ARCHITECTURE as LSTM
from textforge.architectures.lstm import EMBEDDING_DEVIATION, checked_arrays
from textforge.errors import ExportError, listed
from textforge.model import Array, Arrays, ReadBack, SavedModel

ABOUT = "textforge.json"
"""The file within the .keras file that says what the model is."""
HALVES = ("value", "gate")
"""What a convolution gives: rows of its weights come in this order."""


def write_keras(saved: SavedModel, path: Path, about: Mapping[str, Any]) -> ReadBack:
    """Write the file, and give the logits of the model that Keras loads from it.

    Raises `ExportError` for an architecture there is no such model of.
    """
    if saved.architecture not in MODELS:
        raise ExportError(
            f"a model of the architecture {saved.architecture!r} can't be written as 'keras': there are models for "
            f"{listed(MODELS)}"
        )
    with tf.device("/CPU:0"):
        MODELS[saved.architecture](saved).save(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ABOUT, json.dumps(about))
    return _read_back(path)


def lstm_model(saved: SavedModel) -> keras.Model:
    """The LSTM, with layers named as the weights are in every backend."""
    arrays = checked_arrays(saved)
    size, dropout = saved.options["hidden_size"], saved.options.get("dropout", 0.0)
    ids = keras.Input((None,), dtype="int32", name="ids")
    values = _input_layer(arrays, saved.vocabulary_size)(ids)  # (B, T, E) or (B, T, V)
    for layer in range(saved.options["num_layers"]):
        values = _lstm_layer(layer, size)(values)  # (B, T, H)
        if dropout:
            values = keras.layers.Dropout(dropout, seed=layer, **_named(f"dropout.{layer}"))(values)
    logits = _dense(saved.vocabulary_size, "output")(values)
    model = keras.Model(ids, logits, name="textforge_lstm")
    _set_outer_weights(model, arrays)
    for layer in range(saved.options["num_layers"]):
        weights = (arrays[f"lstm.{layer}.{kind}"] for kind in ("input_weight", "recurrent_weight", "bias"))
        _set_weights(model.get_layer(f"lstm.{layer}"), *weights)
    return model


def conv_model(saved: SavedModel) -> keras.Model:
    """The convolutional network; a layer's values and its gates are a convolution each."""
    arrays = conv.checked_arrays(saved)
    channels, layers, kernel_size, growth, _ = (saved.options[name] for name in conv.SIZES)
    dropout = saved.options.get("dropout", 0.0)
    ids = keras.Input((None,), dtype="int32", name="ids")
    vectors = _input_layer(arrays, saved.vocabulary_size)(ids)  # (B, T, E) or (B, T, V)
    values = _dense(channels, "input")(vectors)  # (B, T, C)
    for layer in range(layers):
        value, gate = (_convolution(layer, kind, channels, kernel_size, growth**layer)(values) for kind in HALVES)
        added = keras.layers.Multiply(**_named(f"gated.{layer}"))([value, gate])
        if dropout:
            added = keras.layers.Dropout(dropout, seed=layer, **_named(f"dropout.{layer}"))(added)
        values = keras.layers.Add(**_named(f"values.{layer}"))([values, added])
    logits = _dense(saved.vocabulary_size, "output")(values)
    model = keras.Model(ids, logits, name="textforge_conv")
    _set_outer_weights(model, arrays)
    _set_weights(model.get_layer("input"), arrays["input.weight"], arrays["input.bias"])
    for layer in range(layers):
        halves = (np.split(arrays[f"conv.{layer}.{kind}"], 2) for kind in ("weight", "bias"))
        for kind, weight, bias in zip(HALVES, *halves, strict=True):
            _set_weights(model.get_layer(f"conv.{layer}.{kind}"), weight, bias)
    return model


MODELS: Mapping[str, Callable[[SavedModel], keras.Model]] = MappingProxyType({LSTM: lstm_model, CONV: conv_model})
"""The model of each architecture."""


def _named(name: str) -> dict[str, str]:
    """What every layer is told, whatever Keras's own settings say."""
    return {"name": name, "dtype": "float32"}


def _dense(size: int, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(size, kernel_initializer=_glorot(0), **_named(name))


def _input_layer(arrays: Arrays, vocabulary_size: int) -> keras.Layer:
    if "embedding.weight" not in arrays:
        # Keras has no layer that makes one-hot vectors of any number of tokens but this one.
        identity = keras.initializers.Identity()
        return keras.layers.Embedding(vocabulary_size, vocabulary_size, identity, trainable=False, **_named("one_hot"))
    spread = keras.initializers.RandomNormal(stddev=EMBEDDING_DEVIATION, seed=0)
    return keras.layers.Embedding(*arrays["embedding.weight"].shape, spread, **_named("embedding"))


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


def _convolution(layer: int, kind: str, channels: int, kernel_size: int, dilation: int) -> keras.layers.Conv1D:
    return keras.layers.Conv1D(
        channels,
        kernel_size,
        padding="causal",
        data_format="channels_last",
        dtype="float32",
        dilation_rate=dilation,
        activation="sigmoid" if kind == "gate" else None,
        kernel_initializer=_glorot(2 * layer + (kind == "gate")),
        name=f"conv.{layer}.{kind}",
    )


def _glorot(seed: int) -> keras.initializers.Initializer:
    """Seeded, as all are here, so that making a layer neither uses nor changes Keras's or Python's random numbers."""
    return keras.initializers.GlorotUniform(seed=seed)


def _set_outer_weights(model: keras.Model, arrays: Arrays) -> None:
    """Those of the layers that every architecture has."""
    if "embedding.weight" in arrays:
        model.get_layer("embedding").set_weights([arrays["embedding.weight"]])
    _set_weights(model.get_layer("output"), arrays["output.weight"], arrays["output.bias"])


def _set_weights(layer: keras.Layer, *weights: Array) -> None:
    """Give a layer weights whose axes lie the other way round in Keras."""
    layer.set_weights([np.ascontiguousarray(weight.T) for weight in weights])


def _read_back(path: Path) -> ReadBack:
    with tf.device("/CPU:0"):
        run = tf.function(keras.models.load_model(path, compile=False, safe_mode=True))

    def logits(ids: Array) -> Array:
        with tf.device("/CPU:0"):
            found: Array = run(ids.astype(np.int32), training=False).numpy()
        return found

    return logits
