"""The backend `numpy`: its options, and what it refuses."""

from __future__ import annotations

import pytest

from textforge.backends.choose import choose_trained, load_model
from textforge.backends.numpy.backend import NumpyBackend
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
