"""The optimizers against their formulas, written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from gradient_backends.framework import Suite
from textforge.errors import BackendError, BundleError
from textforge.model import Optimizer

SHAPES = {"a.weight": (7, 5), "a.bias": (5,)}
STEPS = 5


def clipped(gradients, norm):
    if norm is None:
        return gradients
    joint = np.sqrt(sum((gradient**2).sum() for gradient in gradients.values()))
    return {name: gradient * min(1.0, norm / (joint + 1e-6)) for name, gradient in gradients.items()}


def adam(weight, gradient, moments, step, rate):
    first = moments["moment1"] = 0.9 * moments.get("moment1", 0) + 0.1 * gradient
    second = moments["moment2"] = 0.999 * moments.get("moment2", 0) + 0.001 * gradient**2
    unbiased = first / (1 - 0.9**step), second / (1 - 0.999**step)
    return weight - rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)


def rmsprop(weight, gradient, moments, step, rate):
    second = moments["moment2"] = 0.99 * moments.get("moment2", 0) + 0.01 * gradient**2
    return weight - rate * gradient / (np.sqrt(second) + 1e-8)


def sgd(weight, gradient, moments, step, rate):
    moments["momentum"] = 0.9 * moments.get("momentum", 0) + gradient
    return weight - rate * moments["momentum"]


FORMULAS = {"adam": adam, "rmsprop": rmsprop, "sgd": sgd}


def random_arrays(random):
    return {name: random.normal(size=shape) for name, shape in SHAPES.items()}


def take_steps(updates, gradients, rates):
    for gradient, rate in zip(gradients, rates, strict=True):
        updates.step(gradient, rate)


class OptimizersSuite(Suite):
    """Weights and moments after gradients that the test makes up."""

    def updates(self, weights, **settings):
        return self.framework.given_gradients(Optimizer(**settings), weights)

    @pytest.mark.parametrize(("clip_norm", "weight_decay"), [(None, 0.0), (1.0, 0.0), (1000.0, 0.0), (1.0, 0.3)])
    @pytest.mark.parametrize("name", FORMULAS)
    def test_weights_and_moments_follow_the_formulas(self, name, clip_norm, weight_decay):
        random = np.random.default_rng(1)
        weights = random_arrays(random)
        gradients = [random_arrays(random) for _ in range(STEPS)]
        rates = [0.1, 0.03, 0.2, 0.0, 0.05]
        updates = self.updates(weights, name=name, clip_norm=clip_norm, weight_decay=weight_decay)
        take_steps(updates, gradients, rates)

        moments = {weight: {} for weight in weights}
        for step, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
            gradient = clipped(gradient, clip_norm)
            for weight in weights:
                matrix = weights[weight].ndim > 1  # biases are spared
                decayed = weights[weight] * (1 - rate * weight_decay * matrix)
                weights[weight] = FORMULAS[name](decayed, gradient[weight], moments[weight], step, rate)

        arrays = updates.arrays()
        expected = {f"{moment}/{weight}": value for weight in moments for moment, value in moments[weight].items()}
        assert set(arrays) == set(expected) | {"optimizer.step"}
        assert arrays["optimizer.step"].tolist() == [STEPS]
        for key, value in expected.items():
            assert arrays[key].dtype == np.float32
            np.testing.assert_allclose(arrays[key], value, rtol=1e-4, atol=1e-6)
        for weight, value in weights.items():
            np.testing.assert_allclose(updates.weights[weight], value, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("after", [0, 1, 3])
    @pytest.mark.parametrize("name", FORMULAS)
    def test_restored_moments_go_on_bit_for_bit(self, name, after):
        random = np.random.default_rng(2)
        weights, gradients = random_arrays(random), [random_arrays(random) for _ in range(STEPS)]
        whole = self.updates(weights, name=name)
        take_steps(whole, gradients, [0.1] * STEPS)

        first = self.updates(weights, name=name)
        take_steps(first, gradients[:after], [0.1] * after)
        resumed = self.updates(first.weights, name=name)
        resumed.restore(first.arrays())
        take_steps(resumed, gradients[after:], [0.1] * (STEPS - after))

        for key, weight in whole.weights.items():
            np.testing.assert_array_equal(resumed.weights[key], weight)
        assert resumed.arrays()["optimizer.step"].tolist() == [STEPS]

    def test_what_a_checkpoint_gave_is_not_changed_by_going_on(self):
        random = np.random.default_rng(3)
        updates = self.updates(random_arrays(random))
        take_steps(updates, [random_arrays(random)], [0.1])
        arrays = updates.arrays()
        kept = {name: array.copy() for name, array in arrays.items()}
        updates.restore(arrays)
        take_steps(updates, [random_arrays(random)], [0.1])
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, kept[name])

    def test_settings_other_than_the_usual_are_heeded(self):
        updates = self.updates({"w": np.zeros(2)}, name="sgd", momentum=0.0, clip_norm=None)
        take_steps(updates, [{"w": np.array([1.0, -2.0])}] * 3, [0.5] * 3)
        np.testing.assert_array_equal(updates.weights["w"], [-1.5, 3.0])

    def test_an_optimizer_there_is_not(self):
        message = rf"^{self.framework.name}: there is no optimizer 'lion'; choose one of adam, rmsprop, sgd$"
        with pytest.raises(BackendError, match=message):
            self.updates({"w": np.zeros(2)}, name="lion")

    def test_moments_of_another_optimizer_are_refused(self):
        arrays = self.updates({"w": np.zeros(2)}, name="sgd").arrays()
        with pytest.raises(BundleError, match="lacks moment1/w, so adam can't go on from it"):
            self.updates({"w": np.zeros(2)}, name="adam").restore(arrays)

    def test_moments_of_another_shape_are_refused(self):
        arrays = self.updates({"w": np.zeros(2)}).arrays()
        with pytest.raises(BundleError, match=r"moment1/w has shape \(2,\), but \(3,\) is needed"):
            self.updates({"w": np.zeros(3)}).restore(arrays)
