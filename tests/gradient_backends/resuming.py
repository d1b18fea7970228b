"""Training that goes on from a checkpoint."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gradient_backends.framework import each
from gradient_backends.small import ROWS, SmallModels, same, train
from textforge.errors import BundleError
from textforge.model import Optimizer

FAST = [
    ("adam", "float32", 0),
    ("adam", "float32", 1),
    ("adam", "bfloat16", 4),
    ("rmsprop", "float32", 4),
    ("sgd", "float32", 4),
]
RUNS = [
    pytest.param(*run, marks=[] if run in FAST else [pytest.mark.slow])
    for run in itertools.product(("adam", "rmsprop", "sgd"), ("float32", "bfloat16"), (0, 1, 4))
]
"""Runs that each compile anew take seconds, so most of them wait for `make test-slow`."""


class ResumingSuite(SmallModels):
    """Tests of what a checkpoint holds, and that nothing else is needed."""

    @each
    @pytest.mark.parametrize(("name", "precision", "stop"), RUNS)
    def test_resumed_training_is_the_same_bit_for_bit(self, architecture, name, precision, stop):
        settings = {"dropout": 0.3, "num_layers": 2, "precision": precision}
        whole = self.make(architecture, **settings)
        whole.begin(Optimizer(name=name), seed=9)
        end = train(whole, range(8))

        first = self.make(architecture, **settings)
        first.begin(Optimizer(name=name), seed=9)
        state = train(first, range(stop))
        saved, arrays = first.save(), first.training_arrays(state)

        second = self.backend(architecture, precision=precision).load(saved)
        second.begin(Optimizer(name=name), seed=9)
        resumed_end = train(second, range(stop, 8), second.restore(arrays))

        assert same(whole.save().arrays, second.save().arrays)
        assert same(whole.training_arrays(end), second.training_arrays(resumed_end))

    def test_training_arrays_have_canonical_names(self):
        model = self.make("lstm")
        model.begin(Optimizer(), seed=0)
        arrays = model.training_arrays(train(model, range(2)))
        weights = model.save().arrays
        names = {f"{moment}/{name}" for moment in ("moment1", "moment2") for name in weights}
        assert set(arrays) == names | {"optimizer.step", "state/hidden", "state/cell"}
        assert arrays["optimizer.step"].tolist() == [2]
        assert arrays["state/cell"].shape == (1, ROWS, 16)
        for name, array in arrays.items():
            assert array.dtype == np.float32
            assert array.flags.c_contiguous
            if name.startswith("moment"):
                assert array.shape == weights[name.partition("/")[2]].shape

    def test_what_a_convolution_carries_on_has_canonical_names(self):
        model = self.make("conv")
        model.begin(Optimizer(), seed=0)
        arrays = model.training_arrays(train(model, range(2)))
        shapes = {name: array.shape for name, array in arrays.items() if name.startswith("state/")}
        assert shapes == {f"state/conv.{layer}": (ROWS, 2 * 2**layer, 12) for layer in range(3)}
        assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in arrays.values())

    def test_what_a_transformer_carries_on_has_canonical_names(self):
        model = self.make("gpt")
        model.begin(Optimizer(), seed=0)
        arrays = model.training_arrays(train(model, range(2)))
        shapes = {name: array.shape for name, array in arrays.items() if name.startswith("state/")}
        cache = (2, ROWS, 6, 12)
        assert shapes == {"state/keys": cache, "state/values": cache, "state/seen": (ROWS,)}
        assert arrays["state/seen"].tolist() == [6] * ROWS

    @each
    def test_training_arrays_are_a_copy(self, architecture):
        model = self.make(architecture)
        model.begin(Optimizer(), seed=0)
        state = train(model, range(2))
        arrays = model.training_arrays(state)
        kept = {name: array.copy() for name, array in arrays.items()}
        train(model, range(2, 4), state)
        assert same(arrays, kept)

    @pytest.mark.parametrize(
        ("architecture", "name"),
        [
            *(("lstm", name) for name in ("state/hidden", "state/cell", "moment1/lstm.0.bias", "optimizer.step")),
            *(("conv", name) for name in ("state/conv.0", "state/conv.2", "moment2/conv.1.weight")),
            *(("gpt", name) for name in ("state/keys", "state/seen", "moment1/attention.0.input.weight")),
        ],
    )
    def test_a_checkpoint_that_does_not_fit_is_refused(self, architecture, name):
        model = self.make(architecture)
        model.begin(Optimizer(), seed=0)
        arrays = model.training_arrays(model.start(ROWS))
        with pytest.raises(
            BundleError, match=f"^the checkpoint's {name} has shape|^the checkpoint has shape .* for {name}"
        ):
            model.restore(arrays | {name: np.zeros((3, 3), dtype=np.float32)})
        del arrays[name]
        with pytest.raises(BundleError, match=rf"^the checkpoint (lacks|has nothing for) {name}"):
            model.restore(arrays)

    @pytest.mark.parametrize(("name", "rows"), [("state/hidden", "1 rows"), ("state/cell", "4 rows")])
    def test_a_carried_state_whose_rows_differ_is_refused(self, name, rows):
        model = self.make("lstm")
        model.begin(Optimizer(), seed=0)
        arrays = model.training_arrays(model.start(4))
        with pytest.raises(
            BundleError, match=rf"^the checkpoint has {rows} of state/hidden, but . of state/cell: train"
        ):
            model.restore(arrays | {name: arrays[name][:, :1]})
