"""A model that learns."""

from __future__ import annotations

import numpy as np
import pytest

from gradient_backends.framework import ARCHITECTURES, ONE_HOT, each
from gradient_backends.small import LENGTH, ROWS, VOCABULARY, SmallModels, batch, random_numbers_after, same, train
from gradient_backends.textbook import textbook_loss
from textforge.errors import BackendError
from textforge.model import Optimizer, SavedModel


class TrainingSuite(SmallModels):
    """Losses, gradients, and what training leaves alone."""

    @each
    @pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_the_loss_falls_on_a_text_that_repeats(self, architecture, name, precision):
        model = self.make(architecture, precision=precision, dropout=0.1)
        model.begin(Optimizer(name=name), seed=0)
        text = np.arange(ROWS * LENGTH * 2) % VOCABULARY
        block = np.stack([text[row : row + LENGTH + 1] for row in range(ROWS)])
        # At larger ones the convolutional network's losses jump, and rounding decides where they end.
        rates = {
            "lstm": {"adam": 0.02, "rmsprop": 0.01, "sgd": 0.5},
            "conv": {"adam": 0.02, "rmsprop": 0.003, "sgd": 0.2},
            "gpt": {"adam": 0.01, "rmsprop": 0.003, "sgd": 0.2},
        }
        rate = rates[architecture][name]
        first = textbook_loss(model.save(), block[:, :-1], block[:, 1:])  # without dropout
        losses = []
        for step in range(60):
            loss, _ = model.train_step(block[:, :-1], block[:, 1:], model.start(ROWS), learning_rate=rate, step=step)
            losses.append(float(loss))
        assert losses[0] == pytest.approx(first, abs=0.3)
        assert float(model.loss(block[:, :-1], block[:, 1:], model.start(ROWS))[0]) < 0.3

    @pytest.mark.parametrize("windows", [False, True], ids=["stream", "windows"])
    @pytest.mark.parametrize(
        ("architecture", "options"),
        [
            *((name, options) for name in ARCHITECTURES for options in ({}, {"num_layers": 2})),
            *((name, {"embedding_size": None}) for name in ONE_HOT),
        ],
    )
    def test_the_loss_is_the_textbook_s(self, architecture, options, windows):
        model = self.make(architecture, **options, dropout=0.5)
        loss, _ = model.loss(*batch(0, windows), model.start(ROWS))
        assert float(loss) == pytest.approx(textbook_loss(model.save(), *batch(0, windows)), abs=1e-6)

    @each
    def test_what_is_carried_on_keeps_its_shape(self, architecture):
        model = self.make(architecture)
        state = model.start(ROWS)
        _, after = model.loss(*batch(0), state)
        assert list(after) == list(state)
        for name, value in state.items():
            assert after[name].shape == value.shape
            assert not np.array_equal(self.framework.array(after[name]), self.framework.array(value))

    @each
    def test_the_loss_is_that_of_the_logits_and_carries_the_state_on(self, architecture):
        model = self.make(architecture)
        (inputs, targets), (more, more_targets) = batch(0), batch(1)
        _, state = model.loss(inputs, targets, model.start(ROWS))
        loss, _ = model.loss(more, more_targets, state)
        logits = model.forward(np.concatenate([inputs, more], axis=1), model.start(ROWS))[:, LENGTH:].astype(np.float64)
        logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        wanted = -np.take_along_axis(logs, more_targets[..., None].astype(int), axis=-1).mean()
        assert float(loss) == pytest.approx(wanted, abs=1e-6)

    @pytest.mark.parametrize("windows", [False, True], ids=["stream", "windows"])
    @pytest.mark.parametrize(
        ("architecture", "options"),
        [
            *((name, {"num_layers": 2}) for name in ARCHITECTURES),
            *((name, {"embedding_size": None}) for name in ONE_HOT),
        ],
    )
    def test_gradients_are_those_of_the_textbook_s_loss(self, architecture, options, windows):
        """Along a random direction, by a difference of losses in float64."""
        sizes = {"lstm": {"hidden_size": 6}, "conv": {"channels": 6}, "gpt": {"hidden_size": 8}}
        model = self.make(architecture, **options, **sizes[architecture])
        before = model.save()
        model.begin(Optimizer(name="sgd", clip_norm=None, momentum=0.0), seed=0)
        train(model, [0], rate=1.0, windows=windows)
        after = model.save().arrays
        random = np.random.default_rng(5)
        direction = {name: random.normal(size=array.shape) for name, array in before.arrays.items()}

        def loss_at(distance):
            arrays = {name: array + distance * direction[name] for name, array in before.arrays.items()}
            moved = SavedModel(before.architecture, before.options, VOCABULARY, arrays)
            return textbook_loss(moved, *batch(0, windows))

        slope = (loss_at(1e-4) - loss_at(-1e-4)) / 2e-4
        learnt = sum(((before.arrays[name] - after[name]) * direction[name]).sum() for name in after)
        assert learnt == pytest.approx(slope, rel=1e-3, abs=1e-5)

    @each
    @pytest.mark.parametrize("windows", [False, True], ids=["stream", "windows"])
    def test_training_is_the_same_each_time(self, architecture, windows):
        runs = []
        for _ in range(2):
            model = self.make(architecture, dropout=0.4)
            model.begin(Optimizer(), seed=2)
            train(model, range(5), windows=windows)
            runs.append(model.save().arrays)
        assert same(*runs)

    @each
    def test_neither_making_nor_training_touches_random_numbers(self, architecture):
        def make_and_train():
            model = self.make(architecture, dropout=0.5)
            model.begin(Optimizer(), seed=0)
            train(model, range(2))

        untouched = random_numbers_after(self.framework, lambda: None)
        assert random_numbers_after(self.framework, make_and_train) == untouched

    @each
    def test_generating_in_between_changes_nothing(self, architecture):
        runs = []
        for generates in (False, True):
            model = self.make(architecture, dropout=0.3)
            model.begin(Optimizer(), seed=0)
            state = train(model, range(3))
            if generates:
                own = model.start(2)
                model.forward(batch(0)[0][:2], own)
                model.step(np.array([1, 2]), own)
                model.loss(*batch(7), state)
            train(model, range(3, 6), state)
            runs.append(model.save().arrays)
        assert same(*runs)

    @each
    def test_a_state_from_generating_can_be_trained_on(self, architecture):
        model = self.make(architecture)
        model.begin(Optimizer(), seed=0)
        state = model.start(ROWS)
        model.forward(batch(0)[0], state)
        train(model, [0], state)

    @each
    def test_validating_learns_nothing(self, architecture):
        model = self.make(architecture, dropout=0.3)
        before = model.save().arrays
        model.loss(*batch(0), model.start(ROWS))
        assert same(model.save().arrays, before)

    @each
    def test_the_state_before_a_step_is_left_as_it_was(self, architecture):
        model = self.make(architecture)
        model.begin(Optimizer(), seed=0)
        state = model.start(ROWS)
        _, after = model.train_step(*batch(0), state, learning_rate=0.1, step=0)
        for name, value in state.items():
            assert not self.framework.array(value).any()
            assert self.framework.array(after[name]).any()

    def test_the_loss_can_wait(self):
        model = self.make("lstm")
        model.begin(Optimizer(), seed=0)
        loss, _ = model.train_step(*batch(0), model.start(ROWS), learning_rate=0.1, step=0)
        now = float(loss)
        train(model, range(1, 4))
        assert float(loss) == now

    @each
    def test_begin_forgets_what_an_earlier_run_left(self, architecture):
        runs = []
        for trained_before in (False, True):
            model = self.make(architecture, dropout=0.2)
            saved = model.save()
            if trained_before:
                model.begin(Optimizer(), seed=5)
                train(model, range(2))
                model = self.backend(architecture).load(saved)
            model.begin(Optimizer(), seed=1)
            model.begin(Optimizer(), seed=0)
            train(model, range(3))
            runs.append(model.save().arrays)
        assert same(*runs)

    @each
    def test_float64_is_not_for_training(self, architecture):
        with pytest.raises(
            BackendError, match=rf"^{self.framework.name}: precision=float64 is for generating and evaluating"
        ):
            self.make(architecture, precision="float64").begin(Optimizer(), seed=0)

    @each
    def test_float64_evaluates(self, architecture):
        model = self.make(architecture, precision="float64")
        loss, _ = model.loss(*batch(0), model.start(ROWS))
        assert float(loss) == pytest.approx(textbook_loss(model.save(), *batch(0)), abs=1e-12)

    @each
    def test_mixed_precision_is_for_training_alone(self, architecture):
        mixed, plain = self.make(architecture, precision="bfloat16"), self.make(architecture)
        np.testing.assert_array_equal(
            mixed.forward(batch(0)[0], mixed.start(ROWS)), plain.forward(batch(0)[0], plain.start(ROWS))
        )
        assert float(mixed.loss(*batch(0), mixed.start(ROWS))[0]) == float(plain.loss(*batch(0), plain.start(ROWS))[0])
        for model in (mixed, plain):
            model.begin(Optimizer(), seed=0)
            state = train(model, range(2))
            assert all(array.dtype == np.float32 for array in self.arrays(state).values())
        assert not same(mixed.save().arrays, plain.save().arrays)
        for name, array in mixed.save().arrays.items():
            np.testing.assert_allclose(array, plain.save().arrays[name], atol=0.05)

    def test_training_before_begin_is_an_error(self):
        model = self.make("lstm")
        calls = [
            lambda: model.train_step(*batch(0), model.start(ROWS), learning_rate=0.1, step=0),
            lambda: model.training_arrays(model.start(ROWS)),
            lambda: model.restore({}),
        ]
        for call in calls:
            with pytest.raises(BackendError, match=r"call begin\(optimizer, seed\) first"):
                call()
