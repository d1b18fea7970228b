"""The optimizers by PyTorch's formulas, for a compiled step, and their moments under canonical names.

Keras's own differ: Adam's epsilon stands outside the bias correction and RMSprop's inside the root, and the momentum
holds the learning rate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from textforge.backends.training_arrays import STEP, check_moments, list_moments
from textforge.model import Array, Arrays, Optimizer
from textforge_keras.network import Weight

CLIP_EPSILON = 1e-6
"""The number that PyTorch adds to the norm before dividing by it."""


class Updates:
    """An optimizer by PyTorch's definitions, which changes weights by their gradients.

    Raises `BackendError` for an optimizer there isn't.
    """

    def __init__(self, settings: Optimizer, weights: dict[str, Weight]) -> None:
        self._settings = settings
        self._moments = list_moments(settings.name, "keras")
        self._weights = weights
        self.variables: list[tf.Variable] = [weight.variable.value for weight in weights.values()]
        self._slots = {
            moment: [tf.Variable(tf.zeros_like(variable)) for variable in self.variables] for moment in self._moments
        }
        self._steps = 0

    def rates(self, learning_rate: float) -> Array:
        """Return what the next step is told: the learning rate, and how Adam corrects its two moments, (3,)."""
        self._steps += 1
        first, second = (1.0 - beta**self._steps for beta in self._settings.betas)
        return np.array([learning_rate, first, second**0.5], dtype=np.float32)

    def apply(self, gradients: Sequence[tf.Tensor], rates: tf.Tensor) -> None:
        """Clip the gradients and change the weights: part of the compiled step."""
        gradients = self._clip([tf.convert_to_tensor(gradient) for gradient in gradients])
        change = {"adam": self._adam, "rmsprop": self._rmsprop, "sgd": self._sgd}[self._settings.name]
        for place, gradient in enumerate(gradients):
            if self._settings.weight_decay and len(self.variables[place].shape) > 1:
                self.variables[place].assign(self.variables[place] * (1.0 - rates[0] * self._settings.weight_decay))
            change(self.variables[place], gradient, [self._slots[moment][place] for moment in self._moments], rates)

    def _clip(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        if self._settings.clip_norm is None:
            return gradients
        norm = tf.sqrt(tf.add_n([tf.reduce_sum(gradient * gradient) for gradient in gradients]))
        scale = tf.minimum(1.0, self._settings.clip_norm / (norm + CLIP_EPSILON))
        return [gradient * scale for gradient in gradients]

    def _adam(self, weight: tf.Variable, gradient: tf.Tensor, slots: list[tf.Variable], rates: tf.Tensor) -> None:
        beta1, beta2 = self._settings.betas
        # PyTorch's order of operations, so that both frameworks round alike.
        first = slots[0].assign_add((gradient - slots[0]) * (1.0 - beta1))
        second = slots[1].assign(slots[1] * beta2 + gradient * gradient * (1.0 - beta2))
        # rates[1] and rates[2] correct the bias of moments that began with zeros; epsilon stands outside the root.
        weight.assign_sub(rates[0] / rates[1] * first / (tf.sqrt(second) / rates[2] + self._settings.epsilon))

    def _rmsprop(self, weight: tf.Variable, gradient: tf.Tensor, slots: list[tf.Variable], rates: tf.Tensor) -> None:
        alpha = self._settings.alpha
        # A mean of squares that began with zeros, uncorrected; epsilon stands outside the root.
        square = slots[0].assign(slots[0] * alpha + gradient * gradient * (1.0 - alpha))
        weight.assign_sub(rates[0] * gradient / (tf.sqrt(square) + self._settings.epsilon))

    def _sgd(self, weight: tf.Variable, gradient: tf.Tensor, slots: list[tf.Variable], rates: tf.Tensor) -> None:
        # The learning rate is not in the momentum: a schedule acts at once.
        momentum = slots[0].assign(slots[0] * self._settings.momentum + gradient)
        weight.assign_sub(rates[0] * momentum)

    def arrays(self) -> Arrays:
        """Return a float32 copy of the moments and the count of steps, (1,); zeros before the first step."""
        arrays = {STEP: np.array([self._steps], dtype=np.float32)}
        for moment, slots in self._slots.items():
            for (name, weight), slot in zip(self._weights.items(), slots, strict=True):
                arrays[f"{moment}/{name}"] = weight.to_canonical(slot.numpy())
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Take up what `arrays` gave.

        Raises `BundleError` where moments are missing or misshapen.
        """
        shapes = {name: weight.shape for name, weight in self._weights.items()}
        self._steps = check_moments(arrays, self._settings.name, shapes)
        for moment, slots in self._slots.items():
            for (name, weight), slot in zip(self._weights.items(), slots, strict=True):
                slot.assign(weight.from_canonical(arrays[f"{moment}/{name}"]))
