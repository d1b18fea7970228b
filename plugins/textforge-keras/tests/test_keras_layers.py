"""The layers are Keras's own, and the logits those of a plain Keras model made of such layers."""

from __future__ import annotations

import contextlib

import keras
import numpy as np
import pytest
from gradient_backends.framework import each
from support import ModelMaker

from textforge.architectures.lstm import LSTM

VOCABULARY, LENGTH = 11, 20
OPTIONS = {
    "lstm": {"hidden_size": 16, "num_layers": 2},
    "conv": {"channels": 12, "num_layers": 3, "kernel_size": 3},
    "gpt": {"hidden_size": 12, "num_heads": 2, "num_layers": 2, "window": 6},
}


def lstm_by_hand(values):
    for _ in range(2):
        values = keras.layers.LSTM(16, return_sequences=True)(values)
    return values


def conv_by_hand(values):
    values = keras.layers.Dense(12)(values)
    for layer in range(3):
        both_halves = keras.layers.Conv1D(24, 3, dilation_rate=2**layer, padding="causal")(values)
        value, gate = both_halves[..., :12], both_halves[..., 12:]
        values = values + value * keras.ops.sigmoid(gate)
    return values


BY_HAND = {"lstm": lstm_by_hand, "conv": conv_by_hand}


def make(architecture, embedding_size):
    options = OPTIONS[architecture] | ({} if architecture == "gpt" else {"embedding_size": embedding_size})
    return ModelMaker("keras", architecture, device="cpu", **options).create(VOCABULARY, seed=3)


@pytest.mark.parametrize("architecture", BY_HAND)  # no layer of Keras's rotates: gpt's export is its judge
@pytest.mark.parametrize("embedding_size", [8, None], ids=["embedding", "one-hot"])
def test_logits_are_those_of_a_model_of_keras_s_layers(architecture, embedding_size):
    model = make(architecture, embedding_size)
    if embedding_size is None:
        inputs = values = keras.Input((None, VOCABULARY))
    else:
        inputs = keras.Input((None,), dtype="int32")
        values = keras.layers.Embedding(VOCABULARY, embedding_size)(inputs)
    plain = keras.Model(inputs, keras.layers.Dense(VOCABULARY)(BY_HAND[architecture](values)))
    plain.set_weights([weight for layer in model.network.layers for weight in layer.get_weights()])

    ids = np.random.default_rng(0).integers(0, VOCABULARY, (3, LENGTH))
    read = np.eye(VOCABULARY, dtype=np.float32)[ids] if embedding_size is None else ids
    np.testing.assert_allclose(model.forward(ids, model.start(3)), plain(read), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "kinds"),
    [
        ("lstm", ["Embedding", "LSTM", "LSTM", "Dense"]),
        ("conv", ["Embedding", "Dense", "Conv1D", "Conv1D", "Conv1D", "Dense"]),
    ],
)
def test_layers_are_keras_s_own(architecture, kinds):
    layers = make(architecture, 8).network.layers
    assert [type(layer) for layer in layers] == [getattr(keras.layers, kind) for kind in kinds]


@each
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_keras_s_own_settings_change_nothing(architecture, request):
    ids = np.random.default_rng(0).integers(0, VOCABULARY, (2, LENGTH))
    wanted = make(architecture, 8)
    logits = wanted.forward(ids, wanted.start(2))
    request.getfixturevalue("other_settings")
    model = make(architecture, 8)
    np.testing.assert_array_equal(model.forward(ids, model.start(2)), logits)


@pytest.mark.parametrize(
    ("device", "precision", "jit_compile", "cudnn"),
    [
        ("/GPU:0", "float32", "auto", True),
        ("/GPU:0", "float32", False, True),
        ("/GPU:0", "float32", True, False),
        ("/GPU:0", "bfloat16", "auto", False),
        ("/GPU:0", "float64", "auto", False),
        ("/CPU:0", "float32", "auto", False),
    ],
)
def test_cudnn_is_asked_for_only_where_it_can_compute(monkeypatch, device, precision, jit_compile, cudnn):
    from textforge_keras._model import KerasModel
    from textforge_keras.lstm import LSTMNetwork

    architecture = LSTM(hidden_size=4)
    saved = architecture.create(VOCABULARY, seed=0)
    monkeypatch.setattr("textforge_keras._model.tf.device", lambda device: contextlib.nullcontext())
    model = KerasModel(saved, architecture, LSTMNetwork, device, precision, jit_compile)
    assert [layer.use_cudnn for layer in model.network.lstms] == ["auto" if cudnn else False]
