"""The options, and a model that generates."""

from __future__ import annotations

import pytest
from gradient_backends.backend import BackendSuite

import textforge
from textforge.errors import OptionError
from textforge_keras import KerasBackend


class TestBackend(BackendSuite):
    """The suite that every framework is held to."""


def test_the_plugin_is_found_by_its_entry_point():
    backend = textforge.Plugins().backend("keras:device=cpu,jit_compile=false")
    assert backend == KerasBackend(device="cpu", jit_compile=False)
    assert backend.spec == "keras:device=cpu,jit_compile=false"


@pytest.mark.parametrize("device", ["auto", "cpu", "gpu", "gpu:0", "gpu:12"])
def test_devices_that_can_be_asked_for(device):
    assert KerasBackend(device=device).device == device


@pytest.mark.parametrize("device", ["", "cuda", "gpu:", "gpu:-1", "gpu:x", "CPU", "cpu:0", "mps", "gpu\n"])
def test_devices_that_can_not(device):
    message = r"^keras: device must be auto, cpu, gpu or gpu:N \(N from 0\), got "
    with pytest.raises(OptionError, match=message):
        KerasBackend(device=device)


@pytest.mark.parametrize(("written", "value"), [("auto", "auto"), ("true", True), ("false", False)])
def test_whether_xla_compiles(written, value):
    assert textforge.Plugins().backend(f"keras:jit_compile={written}").jit_compile == value


def test_xla_can_not_be_asked_for_otherwise():
    with pytest.raises(OptionError, match="jit_compile must be one of auto, true, false, got"):
        textforge.Plugins().backend("keras:jit_compile=maybe")
