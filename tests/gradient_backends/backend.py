"""The options, and a model that generates."""

from __future__ import annotations

import re

import numpy as np
import pytest
from support import ModelMaker

from gradient_backends.framework import ARCHITECTURES, ONE_HOT, Suite, each
from gradient_backends.textbook import textbook_logits
from textforge.architectures.lstm import LSTM
from textforge.errors import BackendError, BundleError, OptionError
from textforge.model import Optimizer, SavedModel

MODELS = {
    "default": ("lstm", {}),
    "two-layers": ("lstm", {"num_layers": 2, "hidden_size": 24}),
    "one-hot": ("lstm", {"embedding_size": None, "hidden_size": 20}),
    "one-hot-three-layers": ("lstm", {"embedding_size": None, "hidden_size": 9, "num_layers": 3}),
    "tiny": ("lstm", {"hidden_size": 1, "embedding_size": 1}),
    "conv": ("conv", {}),
    "conv-wide": ("conv", {"channels": 20, "num_layers": 3, "kernel_size": 4}),
    "conv-one-hot": ("conv", {"channels": 9, "embedding_size": None, "dilation_growth": 3}),
    "conv-tiny": ("conv", {"channels": 1, "num_layers": 1, "embedding_size": 1}),
    "gpt": ("gpt", {"num_layers": 2, "hidden_size": 24, "num_heads": 3, "window": 16}),
    "gpt-wide-window": ("gpt", {"num_layers": 1, "hidden_size": 8, "num_heads": 4, "window": 200}),
    "gpt-tiny": ("gpt", {"num_layers": 1, "hidden_size": 2, "num_heads": 1, "window": 1}),
}

each_model = pytest.mark.parametrize(("architecture", "options"), MODELS.values(), ids=MODELS)


def some_ids(*shape, vocabulary_size=11, seed=0, dtype=np.int64):
    return np.random.default_rng(seed).integers(0, vocabulary_size, shape).astype(dtype)


def scaled(saved, factor):
    """Weights as large as trained ones are."""
    arrays = {name: array * np.float32(factor) for name, array in saved.arrays.items()}
    return SavedModel(saved.architecture, saved.options, saved.vocabulary_size, arrays, saved.window)


class BackendSuite(Suite):
    """Tests of what makes and runs models, and of what it refuses."""

    def make(self, architecture, vocabulary_size=11, seed=3, **options):
        return self.backend(architecture, **options).create(vocabulary_size, seed)

    def test_precisions_that_can_not_be_asked_for(self):
        with pytest.raises(OptionError, match="precision must be one of float32, bfloat16, float64, got"):
            self.backend("lstm", precision="float16")

    @each_model
    @pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
    def test_logits_are_the_textbook_s(self, architecture, options, precision, tolerance):
        model = self.make(architecture, precision=precision, **options)
        ids = some_ids(2, 100)
        logits = model.forward(ids, model.start(2))
        assert logits.dtype == ("float64" if precision == "float64" else "float32")
        np.testing.assert_allclose(logits, textbook_logits(model.save(), ids), rtol=0, atol=tolerance)

    @each
    def test_fresh_weights_agree_over_a_thousand_tokens(self, architecture):
        model = self.make(architecture, vocabulary_size=60)
        ids = some_ids(1, 1000, vocabulary_size=60)
        logits = model.forward(ids, model.start(1))
        np.testing.assert_allclose(logits, textbook_logits(model.save(), ids), rtol=0, atol=1e-5)

    def test_large_weights_agree_too(self):
        # From other seeds, such as 3, the last bit of the weights alone already moves the logits by as much.
        large = scaled(self.make("lstm", seed=5, num_layers=2).save(), 3)
        model = self.backend("lstm").load(large)
        ids = some_ids(1, 300)
        logits = model.forward(ids, model.start(1))
        np.testing.assert_allclose(logits, textbook_logits(large, ids), rtol=0, atol=1e-4)

    @pytest.mark.parametrize(
        ("architecture", "options"),
        [*((name, {}) for name in ARCHITECTURES), *((name, {"embedding_size": None}) for name in ONE_HOT)],
    )
    def test_the_numpy_backend_agrees(self, architecture, options):
        model = self.make(architecture, vocabulary_size=60, **options)
        other = ModelMaker("numpy", architecture).load(model.save())
        ids = some_ids(2, 1000, vocabulary_size=60)
        logits = model.forward(ids, model.start(2))
        np.testing.assert_allclose(logits, other.forward(ids, other.start(2)), rtol=0, atol=1e-5)

    @each_model
    def test_one_token_at_a_time_is_the_same(self, architecture, options):
        model = self.make(architecture, **options)
        ids = some_ids(3, 12)
        at_once, one_by_one = model.start(3), model.start(3)
        logits = model.forward(ids, at_once)
        steps = [model.step(ids[:, t], one_by_one).copy() for t in range(12)]
        np.testing.assert_allclose(np.stack(steps, axis=1), logits, atol=1e-6)
        np.testing.assert_allclose(model.step(ids[:, 0], one_by_one), model.step(ids[:, 0], at_once), atol=1e-6)

    @each
    def test_last_only_is_the_last_of_all(self, architecture):
        model = self.make(architecture, num_layers=2)
        ids = some_ids(3, 12)
        whole, last = model.start(3), model.start(3)
        everything = model.forward(ids, whole)
        only = model.forward(ids, last, last_only=True)
        assert only.shape == (3, 1, 11)
        np.testing.assert_allclose(only, everything[:, -1:], atol=1e-6)
        np.testing.assert_allclose(model.step(ids[:, 0], last), model.step(ids[:, 0], whole), atol=1e-6)

    @each
    def test_logits_are_plain_arrays(self, architecture):
        model = self.make(architecture)
        for logits in (model.step(some_ids(3), model.start(3)), model.forward(some_ids(3, 4), model.start(3))):
            assert type(logits) is np.ndarray
            assert logits.flags.c_contiguous
            assert logits.flags.writeable

    @each
    def test_the_state_is_advanced_in_place(self, architecture):
        model = self.make(architecture)
        state = model.start(1)
        before = self.arrays(state)
        first = model.step(np.array([3]), state).copy()
        after = self.arrays(state)
        assert not any(np.array_equal(after[name], value) for name, value in before.items())
        assert not np.array_equal(model.step(np.array([3]), state), first)

    @each
    def test_rows_know_nothing_of_each_other(self, architecture):
        model = self.make(architecture, num_layers=2)
        ids = some_ids(4, 20)
        together = model.forward(ids, model.start(4))
        for row in range(4):
            alone = model.forward(ids[row : row + 1], model.start(1))
            np.testing.assert_allclose(alone, together[row : row + 1], atol=1e-6)

    @each
    @pytest.mark.parametrize("rows", [[1], [2, 0], [0, 0, 0, 2], []], ids=str)
    def test_selected_rows_are_a_copy_in_that_order(self, architecture, rows):
        model = self.make(architecture, num_layers=2)
        ids = some_ids(3, 5)
        state = model.start(3)
        model.forward(ids, state)
        chosen = model.select(state, np.array(rows, dtype=np.intp))
        kept = self.arrays(state)
        for name, array in self.arrays(chosen).items():
            axis = model.architecture.state()[name].index(None)
            np.testing.assert_array_equal(array, kept[name].take(rows, axis=axis))
        if rows:
            model.step(some_ids(len(rows)), chosen)
            for name, array in self.arrays(state).items():
                np.testing.assert_array_equal(array, kept[name])

    @each
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int32, np.int64])
    def test_ids_of_any_type(self, architecture, dtype):
        model = self.make(architecture)
        ids = some_ids(2, 6)
        wanted = model.forward(ids, model.start(2))
        np.testing.assert_array_equal(model.forward(ids.astype(dtype), model.start(2)), wanted)

    def test_ids_from_a_read_only_file(self, tmp_path):
        path = tmp_path / "tokens"
        some_ids(40, dtype=np.uint16).tofile(path)
        tokens = np.memmap(path, dtype=np.uint16, mode="r")
        model = self.make("lstm")
        logits = model.forward(tokens[:20].reshape(2, 10), model.start(2))  # warnings are errors here
        np.testing.assert_array_equal(logits, model.forward(some_ids(40)[:20].reshape(2, 10), model.start(2)))

    @each
    def test_ids_beyond_the_vocabulary_do_not_pass(self, architecture):
        for options in ({}, *([{"embedding_size": None}] if architecture in ONE_HOT else [])):
            model = self.make(architecture, **options)
            with pytest.raises((IndexError, RuntimeError)):
                model.step(np.array([11]), model.start(1))

    @each
    def test_the_same_seed_gives_the_same_weights(self, architecture):
        one, same, other = (self.make(architecture, seed=seed).save().arrays for seed in (3, 3, 4))
        assert all(np.array_equal(one[name], same[name]) for name in one)
        assert not np.array_equal(one["embedding.weight"], other["embedding.weight"])

    @each_model
    @pytest.mark.parametrize("precision", ["float32", "float64"])
    def test_saving_gives_back_what_was_loaded(self, architecture, options, precision):
        backend = self.backend(architecture, precision=precision, dropout=0.3, **options)
        saved = backend.initial(11, seed=5)
        again = backend.load(saved).save()
        assert again.architecture == architecture
        assert again.options == backend.architecture.option_values()
        assert again.vocabulary_size == 11
        assert list(again.arrays) == list(saved.arrays)
        for name, array in saved.arrays.items():
            assert again.arrays[name].dtype == np.float32
            assert again.arrays[name].flags.c_contiguous
            np.testing.assert_array_equal(again.arrays[name], array)

    def test_the_weights_names_and_shapes_are_the_core_s(self):
        arrays = self.make("lstm", vocabulary_size=7, hidden_size=5, num_layers=2, embedding_size=3).save().arrays
        declared = LSTM(hidden_size=5, num_layers=2, embedding_size=3).weights(7)
        assert {name: array.shape for name, array in arrays.items()} == {n: w.shape for n, w in declared.items()}

    @each
    def test_saved_arrays_are_a_copy(self, architecture):
        model = self.make(architecture)
        model.save().arrays["output.bias"][:] = 7
        assert not model.save().arrays["output.bias"].any()

    @each
    def test_loaded_arrays_are_copied(self, architecture):
        saved = self.backend(architecture).initial(11, seed=0)
        for array in saved.arrays.values():
            array.flags.writeable = False
        model = self.backend(architecture).load(saved)  # warnings are errors here
        assert not np.shares_memory(model.save().arrays["output.bias"], saved.arrays["output.bias"])

    @each
    def test_the_window_is_kept(self, architecture):
        saved = self.make(architecture).save()
        windowed = SavedModel(saved.architecture, saved.options, saved.vocabulary_size, saved.arrays, window=40)
        model = self.backend(architecture).load(windowed)
        assert model.window == 40
        assert model.save().window == 40

    @pytest.mark.parametrize(
        ("architecture", "name"), [("lstm", "lstm.0.bias"), ("conv", "conv.0.bias"), ("gpt", "output.bias")]
    )
    def test_weights_that_do_not_fit_are_refused(self, architecture, name):
        saved = self.make(architecture).save()
        missing = dict(saved.arrays)
        del missing[name]
        misshapen = saved.arrays | {name: np.zeros(3, dtype=np.float32)}
        for arrays, what in ((missing, f"lacks the weights {name}"), (misshapen, "have shape")):
            with pytest.raises(BundleError, match=what):
                self.backend(architecture).load(SavedModel(saved.architecture, saved.options, 11, arrays))

    def load_by_network(self, method, change):
        """A small LSTM, by a network of which one method's result is changed."""
        maker = self.backend("lstm", hidden_size=4, embedding_size=3)
        saved = maker.initial(11)
        own = type(maker.load(saved).network)

        def changed(network, *arguments, **keywords):
            return change(getattr(super(other, network), method)(*arguments, **keywords))

        other = type("OtherNetwork", (own,), {method: changed})
        return maker.backend.load(saved, maker.architecture, other)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda found: {k: v for k, v in found.items() if k != "lstm.0.bias"}, "lacks weights .*: lstm.0.bias$"),
            (lambda found: found | {"lstm.1.bias": found["lstm.0.bias"]}, "declares none of: lstm.1.bias$"),
            (
                lambda found: found | {"output.bias": found["lstm.0.bias"]},
                r"output.bias in the shape \(16,\), but the architecture lstm declares \(11,\)$",
            ),
        ],
        ids=["missing", "unknown", "of another shape"],
    )
    def test_a_network_of_other_weights_than_declared_is_refused(self, change, message):
        with pytest.raises(BackendError, match=rf"^{self.framework.name}: the network .*:OtherNetwork .*{message}"):
            self.load_by_network(self.framework.weights, change)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda state: {"hidden": state["hidden"]}, "a state of hidden (1, "),
            (lambda state: {}, "no state"),
            (lambda state: state | {"cell": state["cell"][0]}, "a state of hidden (1, "),
            (lambda state: state | {"cell": state["cell"][..., :2]}, "a state of hidden (1, "),
        ],
        ids=["lacking", "none", "fewer axes", "other sizes"],
    )
    def test_a_network_of_another_state_than_declared_is_refused(self, change, message):
        model = self.load_by_network(self.framework.read, lambda read: (read[0], change(read[1])))
        expected = f"returns {re.escape(message)}.*, but the architecture lstm declares a state of "
        ids = some_ids(2, 3)
        with pytest.raises(BackendError, match=expected + re.escape("hidden (1, rows, 4), cell (1, rows, 4)") + "$"):
            model.forward(ids, model.start(2))
        model.begin(Optimizer(), 0)
        with pytest.raises(BackendError, match=expected):
            model.train_step(ids, ids, model.start(2), learning_rate=0.1, step=0)
