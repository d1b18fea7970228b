"""The backend `numpy`: its options, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from textforge.backends.choose import choose_trained, load_model
from textforge.backends.numpy.backend import NumpyBackend
from textforge.backends.numpy.weights import CACHE_LINE, append_biases
from textforge.errors import BackendError, BundleError, OptionError
from textforge.model import SavedModel
from textforge.plugins.registry import Plugins


def test_it_comes_as_a_plugin():
    assert isinstance(Plugins().backend("numpy:precision=float64"), NumpyBackend)


def test_it_refuses_another_precision():
    with pytest.raises(OptionError, match="precision must be one of float32, float64, got"):
        NumpyBackend(precision="float16")


def test_it_names_the_backends_that_implement_an_architecture():
    saved = SavedModel("attention", {}, 3, {})
    with pytest.raises(BundleError, match="the model needs the architecture 'attention': install that plugin"):
        load_model(Plugins(), NumpyBackend(), saved)


def test_it_says_what_can_train():
    assert not NumpyBackend.trains
    with pytest.raises(BackendError, match="numpy only runs trained models of the architecture 'lstm'; "):
        choose_trained(Plugins(), "lstm", "numpy")


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_matrix_with_its_biases_begins_with_a_cache_line_and_lies_by_row(precision):
    weights, biases = np.arange(15, dtype=precision).reshape(5, 3), np.arange(5, dtype=precision)
    matrix = append_biases(weights, biases)
    np.testing.assert_array_equal(matrix, np.vstack([weights.T, biases]), strict=True)
    assert matrix.ctypes.data % CACHE_LINE == 0
    assert matrix.flags.c_contiguous
