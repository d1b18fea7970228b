"""The options, and a model that generates."""

from __future__ import annotations

import pytest
from gradient_backends.backend import BackendSuite

import textforge
from textforge.errors import OptionError
from textforge_torch import TorchBackend


class TestBackend(BackendSuite):
    """The suite that every framework is held to."""


def test_the_plugin_is_found_by_its_entry_point():
    backend = textforge.Plugins().backend("torch:device=cpu,precision=bfloat16")
    assert backend == TorchBackend(device="cpu", precision="bfloat16")
    assert backend.spec == "torch:device=cpu,precision=bfloat16"


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "cuda:12", "mps"])
def test_devices_that_can_be_asked_for(device):
    assert TorchBackend(device=device).device == device


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU", "cpu:0", "mps\n"])
def test_devices_that_can_not(device):
    message = r"^torch: device must be auto, cpu, cuda, cuda:N \(N from 0\) or mps, got "
    with pytest.raises(OptionError, match=message):
        TorchBackend(device=device)
