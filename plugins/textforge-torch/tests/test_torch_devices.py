"""The choice of a device, and what is said where there is none."""

from __future__ import annotations

import pytest
import torch
from support import ModelMaker

from textforge.errors import BackendError
from textforge_torch._devices import find_device
from textforge_torch.backend import TorchBackend


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many NVIDIA GPUs, with or without Apple's."""

    def have(cuda=0, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return have


@pytest.mark.parametrize(
    ("found", "precision", "device"),
    [
        ({"cuda": 2, "mps": True}, "float32", "cuda"),
        ({"mps": True}, "bfloat16", "mps"),
        ({"mps": True}, "float64", "cpu"),
        ({"cuda": 1}, "float64", "cuda"),
        ({}, "float32", "cpu"),
    ],
)
def test_auto_takes_the_best_there_is(machine, monkeypatch, found, precision, device):
    machine(**found)
    monkeypatch.setattr(torch.amp, "is_autocast_available", lambda device: True)
    assert find_device("auto", precision) == torch.device(device)


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there(machine, device):
    machine()
    with pytest.raises(BackendError, match=rf"^torch: device={device} needs a GPU .* write device=cpu or device=auto"):
        ModelMaker("torch", device=device, hidden_size=4).create(5)


def test_a_gpu_by_a_number_there_is_not(machine):
    machine(cuda=2)
    assert find_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(BackendError, match=r"^torch: device=cuda:2 is not there, GPUs are numbered from 0 to 1"):
        find_device("cuda:2")


def test_no_apple_gpu(machine):
    machine()
    with pytest.raises(BackendError, match=r"^torch: device=mps needs a Mac"):
        find_device("mps")


def test_apple_s_gpu_has_no_float64(machine):
    machine(mps=True)
    assert find_device("mps", "float32") == torch.device("mps")
    with pytest.raises(BackendError, match=r"^torch: precision=float64 is more than Apple's GPUs can do"):
        find_device("mps", "float64")


def test_a_device_without_mixed_precision(machine, monkeypatch):
    machine(mps=True)
    monkeypatch.setattr(torch.amp, "is_autocast_available", lambda device: device != "mps")
    assert find_device("mps", "float32") == torch.device("mps")
    assert find_device("cpu", "bfloat16") == torch.device("cpu")
    with pytest.raises(BackendError, match=r"has no mixed precision on mps: write precision=float32"):
        find_device("mps", "bfloat16")


@pytest.mark.parametrize(
    ("units", "given", "precision"),
    [
        ({"_is_avx512_bf16_supported"}, {}, "bfloat16"),
        ({"_is_amx_tile_supported"}, {"device": "cpu"}, "bfloat16"),
        (set(), {}, "float32"),
        ({"_is_avx512_bf16_supported"}, {"precision": "float32"}, "float32"),
    ],
)
def test_a_processor_with_units_for_bfloat16_trains_in_mixed_precision_unless_told(
    machine, monkeypatch, units, given, precision
):
    machine()
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: name in units)
    assert TorchBackend(**given).mix_precision() == TorchBackend(**{"precision": precision, **given})
    assert TorchBackend(**given).find_speed() == 1.0


def test_a_gpu_is_many_times_as_fast_and_has_bfloat16_of_its_own(machine, monkeypatch):
    machine(cuda=1)
    assert TorchBackend().find_speed() > 10
    for capability, precision in (((8, 0), "bfloat16"), ((7, 5), "float32")):  # from Ampere on
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, found=capability: found)
        assert TorchBackend().mix_precision().precision == precision
    machine(mps=True)
    assert TorchBackend().mix_precision().precision == "float32"
