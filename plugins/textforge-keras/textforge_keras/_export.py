"""The format ``keras``: a functional model of Keras's own layers, from token ids to logits.

Shapes: B rows, T tokens, E embedding size, H hidden size, V the vocabulary's size.
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

from textforge.backends.base import Array, Arrays, ReadBack, SavedModel
from textforge.backends.lstm import ARCHITECTURE as LSTM
from textforge.backends.lstm import EMBEDDING_DEVIATION, checked_arrays
from textforge.errors import ExportError, listed

ABOUT = "textforge.json"
"""The file within the .keras file that says what the model is."""


def write_keras(saved: SavedModel, path: Path, about: Mapping[str, Any]) -> ReadBack:
    """Write the file, and give the logits of the model that Keras loads from it.

    Raises `ExportError` for an architecture there is no such model of, and for a name that Keras would not load.
    """
    if saved.architecture not in MODELS:
        raise ExportError(
            f"a model of the architecture {saved.architecture!r} can't be written as 'keras': there are models for "
            f"{listed(MODELS)}"
        )
    if path.suffix != ".keras":
        raise ExportError(f"Keras loads files whose names end in .keras, not in {path.suffix or 'nothing'!r}: add it")
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
            values = keras.layers.Dropout(dropout, seed=layer, name=f"dropout.{layer}")(values)
    kernel = keras.initializers.GlorotUniform(seed=0)
    logits = keras.layers.Dense(saved.vocabulary_size, kernel_initializer=kernel, name="output")(values)
    model = keras.Model(ids, logits, name="textforge_lstm")
    _set_weights(model, arrays, saved.options["num_layers"])
    return model


MODELS: Mapping[str, Callable[[SavedModel], keras.Model]] = MappingProxyType({LSTM: lstm_model})
"""The model of each architecture."""


def _input_layer(arrays: Arrays, vocabulary_size: int) -> keras.Layer:
    if "embedding.weight" not in arrays:
        # Keras has no layer that makes one-hot vectors of any number of tokens but this one.
        identity = keras.initializers.Identity()
        return keras.layers.Embedding(vocabulary_size, vocabulary_size, identity, trainable=False, name="one_hot")
    spread = keras.initializers.RandomNormal(stddev=EMBEDDING_DEVIATION, seed=0)
    return keras.layers.Embedding(*arrays["embedding.weight"].shape, spread, name="embedding")


def _lstm_layer(layer: int, size: int) -> keras.layers.LSTM:
    # Seeded, so that making it neither uses nor changes Keras's or Python's random numbers.
    return keras.layers.LSTM(
        size,
        return_sequences=True,
        kernel_initializer=keras.initializers.GlorotUniform(seed=layer),
        recurrent_initializer=keras.initializers.Orthogonal(seed=layer),
        seed=layer,
        name=f"lstm.{layer}",
    )


def _set_weights(model: keras.Model, arrays: Arrays, layers: int) -> None:
    if "embedding.weight" in arrays:
        model.get_layer("embedding").set_weights([arrays["embedding.weight"]])
    for layer in range(layers):
        kernels = [arrays[f"lstm.{layer}.{kind}_weight"].T for kind in ("input", "recurrent")]
        model.get_layer(f"lstm.{layer}").set_weights(
            [*map(np.ascontiguousarray, kernels), arrays[f"lstm.{layer}.bias"]]
        )
    model.get_layer("output").set_weights([np.ascontiguousarray(arrays["output.weight"].T), arrays["output.bias"]])


def _read_back(path: Path) -> ReadBack:
    with tf.device("/CPU:0"):
        run = tf.function(keras.models.load_model(path, compile=False, safe_mode=True))

    def logits(ids: Array) -> Array:
        with tf.device("/CPU:0"):
            found: Array = run(ids.astype(np.int32), training=False).numpy()
        return found

    return logits
