"""Keras on TensorFlow as the common suite must know it; and one thread."""

from __future__ import annotations

import numpy as np
import pytest

from textforge_keras._framework import require_keras

require_keras("keras")  # before TensorFlow is imported otherwise: quietly, and Keras on it

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

pytest.register_assert_rewrite("gradient_backends")

from gradient_backends.framework import Framework  # noqa: E402
from one_framework import pytest_sessionfinish, pytest_terminal_summary  # noqa: E402, F401

from textforge_keras._dropout import SeededDropout  # noqa: E402
from textforge_keras._optimizers import Updates  # noqa: E402
from textforge_keras.network import Weight  # noqa: E402

# Models as small as these gain nothing from more, and wait for each other where processors are busy.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


class GivenGradients:
    """Matrices lie the other way round, as those of Keras's layers do."""

    def __init__(self, settings, weights):
        self._weights = {}
        for name, array in weights.items():
            axes = tuple(reversed(range(array.ndim)))
            self._weights[name] = Weight(keras.Variable(array.transpose(axes), dtype="float32"), axes)
        self._updates = Updates(settings, self._weights)
        self.arrays, self.restore = self._updates.arrays, self._updates.restore

    @property
    def weights(self):
        return {name: weight.to_canonical(weight.variable.numpy()) for name, weight in self._weights.items()}

    def step(self, gradients, rate):
        own = [weight.from_canonical(gradients[name]).astype(np.float32) for name, weight in self._weights.items()]
        self._updates.apply([tf.constant(gradient) for gradient in own], tf.constant(self._updates.rates(rate)))


def dropped(share, seed, step, values):
    dropout = SeededDropout(share, seed, on_cpu=True)
    drop = dropout.within([tf.constant(mask) for mask in dropout.hand_over(step, [values.shape])])
    return drop(tf.constant(values.transpose(1, 0, 2))).numpy().transpose(1, 0, 2)


def watch_dropout(monkeypatch):
    """A step is traced once, with the shapes of its batch."""
    seen = []

    def watched(self, handed):
        def drop(values):
            rows, length, size = values.shape
            seen.append((length, rows, size))
            return values

        return drop

    monkeypatch.setattr(SeededDropout, "within", watched)
    return seen


def random_numbers_after(called):
    keras.utils.set_random_seed(4)  # Python's, NumPy's and TensorFlow's too
    tf.random.set_global_generator(tf.random.Generator.from_seed(4))
    called()
    drawn = tf.random.uniform([3]), tf.random.get_global_generator().uniform([3]), keras.random.uniform([3])
    return np.stack([np.asarray(numbers) for numbers in drawn]).tobytes()


@pytest.fixture(scope="session")
def framework():
    return Framework(
        name="keras",
        array=lambda value: np.array(value),
        given_gradients=GivenGradients,
        dropped=dropped,
        watch_dropout=watch_dropout,
        random_numbers_after=random_numbers_after,
        weights="weights",
        read="__call__",
    )


@pytest.fixture
def other_settings():
    """Set what a user's keras.json may say."""
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")
