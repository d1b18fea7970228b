"""The options, and a model that generates."""

from __future__ import annotations

import pytest
from gradient_backends.backend import BackendSuite

import textforge
from textforge.errors import OptionError
from textforge_torch import TorchBackend, TorchConvBackend


class TestBackend(BackendSuite):
    """What every framework is held to."""


def test_the_plugin_is_found_by_its_entry_point():
    backend = textforge.Plugins().backend("torch:hidden_size=32,device=cpu")
    assert backend == TorchBackend(hidden_size=32, device="cpu")
    assert backend.spec == "torch:hidden_size=32,device=cpu"
    assert textforge.Plugins().backend("torch-conv:32,device=cpu") == TorchConvBackend(channels=32, device="cpu")


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "cuda:12", "mps"])
def test_devices_that_can_be_asked_for(device):
    assert TorchBackend(device=device).device == device


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU", "cpu:0", "mps\n"])
@pytest.mark.parametrize("backend", [TorchBackend, TorchConvBackend])
def test_devices_that_can_not(backend, device):
    message = rf"^{backend.name}: device must be auto, cpu, cuda, cuda:N \(N from 0\) or mps, got "
    with pytest.raises(OptionError, match=message):
        backend(device=device)
