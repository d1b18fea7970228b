"""The notebook of *Deep Learning with Python*, 1st edition, section 8.1, beside textforge: the same, measured.

Its model, in plain Keras: one-hot windows of 60 characters, `LSTM(128)`, `Dense` with softmax, and Keras's own loss.
"""

from __future__ import annotations

from pydoc_data.topics import topics

import keras
import numpy as np
import pytest
from support import ModelMaker

import textforge
from textforge.model import Optimizer

WINDOW, STRIDE, ROWS, STEPS = 60, 3, 128, 20


@pytest.fixture(scope="module")
def text():
    return "\n".join(topics[name] for name in sorted(topics)).lower()[:60_000]


@pytest.fixture(scope="module")
def characters(text):
    return sorted(set(text))


@pytest.fixture(scope="module")
def batches(text, characters):
    """Windows in any order, (B, 60) ids and the (B,) that follow, as the notebook's, which shuffles them."""
    ids = np.array([characters.index(character) for character in text])
    starts = np.random.default_rng(0).permutation(np.arange(0, len(ids) - WINDOW, STRIDE))[: ROWS * STEPS]
    windows = np.stack([ids[start : start + WINDOW + 1] for start in starts])
    return [(block[:, :-1], block[:, -1]) for block in np.split(windows, STEPS)]


@pytest.fixture
def ours(characters):
    maker = ModelMaker("keras", hidden_size=128, embedding_size=None, dropout=0, device="cpu")
    return maker.create(len(characters), seed=1)


def one_hot(ids, size):
    return np.eye(size, dtype=np.float32)[ids]


def notebook_model(ours, size, optimizer):
    """The notebook's model with our weights."""
    model = keras.Sequential(
        [keras.Input((WINDOW, size)), keras.layers.LSTM(128), keras.layers.Dense(size, activation="softmax")]
    )
    model.set_weights([weight for layer in ours.network.layers for weight in layer.get_weights()])
    model.compile(loss="categorical_crossentropy", optimizer=optimizer)
    return model


def reweighted(probabilities, temperature):
    """Return what the notebook's `sample` draws from."""
    logs = np.log(np.asarray(probabilities).astype("float64")) / temperature
    exponentials = np.exp(logs)
    return exponentials / np.sum(exponentials)


@pytest.mark.parametrize("temperature", [0.2, 0.5, 1.0, 1.2])
def test_the_temperature_is_the_notebook_s(temperature):
    logits = np.random.default_rng(2).normal(size=(50, 57)) * 3
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    chain = textforge.Plugins().chain(f"temperature:{temperature}")
    scores = logits.copy()
    for sampler in chain:
        scores = sampler(scores, None)
    drawn_from = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    expected = [reweighted(row, temperature) for row in probabilities]
    np.testing.assert_allclose(drawn_from, expected, rtol=0, atol=1e-9)


def test_the_next_character_s_probabilities_are_the_notebook_s(ours, characters, batches):
    plain = notebook_model(ours, len(characters), keras.optimizers.RMSprop(0.01))
    windows = batches[0][0]
    logits = ours.forward(windows, ours.start(ROWS), last_only=True)[:, 0].astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = plain.predict(one_hot(windows, len(characters)), verbose=0)
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-5)


class PyTorchRMSprop(keras.optimizers.Optimizer):
    """RMSprop as PyTorch defines it: Keras's own has its epsilon inside the root."""

    def build(self, variables):
        super().build(variables)
        self._squares = [self.add_variable_from_reference(variable, "square") for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        square = self._squares[self._get_variable_index(variable)]
        square.assign(square * 0.99 + gradient * gradient * 0.01)
        variable.assign_sub(learning_rate * gradient / (keras.ops.sqrt(square) + 1e-8))


def losses_of_ours(ours, batches, rate):
    ours.begin(Optimizer(name="rmsprop", clip_norm=None), seed=0)
    losses = []
    for step, (inputs, targets) in enumerate(batches):
        loss, _ = ours.train_step(inputs, targets, ours.start(ROWS), learning_rate=rate, step=step)
        losses.append(float(loss))
    return np.array(losses)


def losses_of_the_notebook(plain, size, batches):
    losses = []
    for inputs, targets in batches:
        plain.reset_metrics()  # or it would be a mean of the losses so far
        losses.append(float(plain.train_on_batch(one_hot(inputs, size), one_hot(targets, size))))
    return np.array(losses)


def test_the_first_losses_are_the_notebook_s_at_a_rate_that_amplifies_no_rounding(ours, characters, batches):
    plain = notebook_model(ours, len(characters), PyTorchRMSprop(0.003))
    expected = losses_of_the_notebook(plain, len(characters), batches)
    losses = losses_of_ours(ours, batches, 0.003)
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-3)
    assert losses[-1] < losses[0] - 0.5, "nothing was learnt, so nothing was compared"


def test_at_the_notebook_s_own_rate_losses_part_no_sooner_than_its_own_by_a_bit(ours, characters, batches):
    """At 0.01 the first steps are so large that the notebook's model, its weights moved by a bit, parts from itself."""
    size = len(characters)
    plain, moved = (notebook_model(ours, size, PyTorchRMSprop(0.01)) for _ in range(2))
    moved.set_weights([np.nextafter(weight, np.float32(9)) for weight in plain.get_weights()])
    expected = losses_of_the_notebook(plain, size, batches[:6])
    by_a_bit = np.abs(losses_of_the_notebook(moved, size, batches[:6]) - expected)
    apart = np.abs(losses_of_ours(ours, batches[:6], 0.01) - expected)
    assert apart[:3].max() < 1e-3
    assert by_a_bit[-1] > 1e-3, "then more than three batches can be held to 0.001"
