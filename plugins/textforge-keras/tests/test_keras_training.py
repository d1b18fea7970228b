"""A model that learns."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from gradient_backends.dropout import DropoutSuite
from gradient_backends.framework import each
from gradient_backends.resuming import ResumingSuite
from gradient_backends.small import ROWS, batch, same, train
from gradient_backends.training import TrainingSuite
from support import ModelMaker

from textforge.model import Optimizer
from textforge_keras import _model
from textforge_keras._dropout import SeededDropout

with_or_without_xla = pytest.mark.parametrize("jit_compile", [True, False], ids=["xla", "graph"])


class TestTraining(TrainingSuite):
    """The suite that every framework is held to, compiled either way."""

    @each
    @with_or_without_xla
    def test_two_runs_are_equal_bit_for_bit(self, architecture, jit_compile):
        runs = []
        for _ in range(2):
            model = self.make(architecture, dropout=0.4, jit_compile=jit_compile)
            model.begin(Optimizer(), seed=2)
            train(model, range(5))
            runs.append(model.save().arrays)
        assert same(*runs)

    @each
    @pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-6), ("bfloat16", 1e-3)])
    def test_xla_learns_the_same(self, architecture, precision, tolerance):
        runs = []
        for jit_compile in (True, False):
            model = self.make(architecture, dropout=0.4, precision=precision, jit_compile=jit_compile)
            model.begin(Optimizer(name="sgd"), seed=2)
            train(model, range(5))
            runs.append(model.save().arrays)
        for name, array in runs[0].items():
            np.testing.assert_allclose(array, runs[1][name], rtol=0, atol=tolerance)

    @each
    def test_a_step_is_compiled_once_whatever_the_learning_rate(self, architecture):
        model = self.make(architecture, dropout=0.4)
        model.begin(Optimizer(), seed=0)
        state = None
        for step, rate in enumerate((0.01, 0.02, 0.005, 0.0)):
            state = train(model, [step], state, rate=rate)
        assert model._train.experimental_get_tracing_count() == 1

    @each
    def test_generating_compiles_once_for_any_number_of_rows(self, architecture):
        model = self.make(architecture)
        for rows in (1, 5, 50):
            state = model.start(rows)
            model.forward(np.zeros((rows, 3 + rows), dtype=np.uint8), state, last_only=True)
            for _ in range(3):
                model.step(np.zeros(rows, dtype=np.int64), state)
            model.forward(np.zeros((rows, 4), dtype=np.int64), state)
        compiled = model._step, model._forward_last, model._forward_all
        assert [function.experimental_get_tracing_count() for function in compiled] == [1, 1, 1]

    @each
    def test_mixed_precision_keeps_what_it_learns_in_float32(self, architecture):
        model = self.make(architecture, precision="bfloat16")
        model.begin(Optimizer(), seed=0)
        train(model, range(2))
        assert all(weight.variable.dtype == "float32" for weight in model.network.weights().values())
        assert model.forward(batch(0)[0], model.start(ROWS)).dtype == np.float32
        for array in model.save().arrays.values():
            rounded = tf.cast(tf.cast(array, "bfloat16"), "float32")
            assert not np.array_equal(array, rounded)


class TestDropout(DropoutSuite):
    """The suite that every framework is held to, and a network without what was dropped."""

    def test_all_that_convolutions_add_may_be_dropped(self):
        """Then only the input reaches the output, so that what came before makes no difference."""
        model = self.make("conv")
        network = model.network
        ids = tf.constant(batch(0)[0].astype(np.int32))
        logits, _ = network(ids, model.start(ROWS), dropout=tf.zeros_like)
        expected = network.output(network.input(network.embedding(ids)))
        np.testing.assert_allclose(logits, expected, rtol=1.3e-6, atol=1e-5)


class TestResuming(ResumingSuite):
    """The suite that every framework is held to, compiled either way."""

    @each
    @with_or_without_xla
    def test_compiled_either_way_it_is_the_same_bit_for_bit(self, architecture, jit_compile):
        settings = {"dropout": 0.3, "num_layers": 2, "jit_compile": jit_compile}
        whole = self.make(architecture, **settings)
        whole.begin(Optimizer(), seed=9)
        end = train(whole, range(6))

        first = self.make(architecture, **settings)
        first.begin(Optimizer(), seed=9)
        state = train(first, range(3))
        second = self.backend(architecture, jit_compile=jit_compile).load(first.save())
        second.begin(Optimizer(), seed=9)
        resumed = train(second, range(3, 6), second.restore(first.training_arrays(state)))

        assert same(whole.save().arrays, second.save().arrays)
        assert same(whole.training_arrays(end), second.training_arrays(resumed))


class TestDropoutElsewhere:
    """Masks that the step draws by itself, for there is no CPU to take them from NumPy's numbers."""

    def masks(self, seed=3, step=7, count=1):
        dropout = SeededDropout(0.25, seed, on_cpu=False)

        @tf.function
        def within_a_step(handed):
            drop = dropout.within(handed)
            return [drop(tf.ones([20, 10, 500])) for _ in range(count)]

        return [mask.numpy() for mask in within_a_step(tuple(map(tf.constant, dropout.hand_over(step, []))))]

    def test_it_drops_its_share_and_keeps_the_mean(self):
        [mask] = self.masks()
        assert set(np.unique(mask)) == {np.float32(0), np.float32(1) / np.float32(0.75)}
        assert float((mask == 0).mean()) == pytest.approx(0.25, abs=0.01)
        assert float(mask.mean()) == pytest.approx(1, abs=0.01)

    def test_it_depends_on_the_seed_and_the_step(self):
        one, same_again, next_step, other_seed = (self.masks(*key)[0] for key in ((3, 7), (3, 7), (3, 8), (4, 7)))
        np.testing.assert_array_equal(one, same_again)
        for first, second in ((one, next_step), (one, other_seed), (next_step, other_seed)):
            both_dropped = float(((first == 0) & (second == 0)).mean())
            assert both_dropped == pytest.approx(0.25**2, abs=0.01)

    def test_the_masks_of_a_step_are_independent(self):
        one, other = self.masks(count=2)
        assert float(((one == 0) & (other == 0)).mean()) == pytest.approx(0.25**2, abs=0.01)

    @each
    def test_a_model_s_loss_depends_on_the_step(self, architecture, monkeypatch):
        monkeypatch.setattr(_model, "SeededDropout", lambda share, seed, _: SeededDropout(share, seed, on_cpu=False))
        losses = []
        for step in (0, 0, 1):
            model = ModelMaker("keras", architecture, device="cpu", dropout=0.5, num_layers=2).create(7, seed=1)
            model.begin(Optimizer(), seed=0)
            loss, _ = model.train_step(*batch(0), model.start(ROWS), learning_rate=0.0, step=step)
            losses.append(float(loss))
        assert losses[0] == losses[1] != losses[2]
        assert losses[0] == pytest.approx(np.log(7), abs=0.5)
