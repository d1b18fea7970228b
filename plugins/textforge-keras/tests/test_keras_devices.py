"""The choice of a device, and what is said where there is none."""

from __future__ import annotations

import pytest
import tensorflow as tf
from support import ModelMaker

from textforge.errors import BackendError
from textforge_keras._devices import find_device


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many GPUs; gives a list of those whose memory is to grow."""
    growing = []

    def have(gpus, refuse=None):
        def grow(gpu, growth):
            if refuse is not None:
                raise refuse
            growing.append((gpu, growth))

        names = [f"gpu number {number}" for number in range(gpus)]
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: names if kind == "GPU" else ["cpu"])
        monkeypatch.setattr(tf.config.experimental, "set_memory_growth", grow)
        return growing

    return have


@pytest.mark.parametrize(
    ("gpus", "asked", "device"),
    [
        (0, "auto", "/CPU:0"),
        (2, "auto", "/GPU:0"),
        (0, "cpu", "/CPU:0"),
        (2, "cpu", "/CPU:0"),
        (1, "gpu", "/GPU:0"),
        (2, "gpu:1", "/GPU:1"),
    ],
)
def test_the_device_that_is_chosen(machine, gpus, asked, device):
    machine(gpus)
    assert find_device(asked) == device


@pytest.mark.parametrize("device", ["gpu", "gpu:1"])
def test_a_gpu_that_is_not_there(machine, device):
    machine(0)
    message = (
        rf"^keras: device={device} needs a GPU .* write device=cpu or device=auto, .*"
        r"run `pip install 'tensorflow\[and-cuda\]'`$"
    )
    with pytest.raises(BackendError, match=message):
        ModelMaker("keras", device=device, hidden_size=4).create(5)


def test_a_gpu_by_a_number_there_is_not(machine):
    machine(2)
    with pytest.raises(BackendError, match=r"^keras: device=gpu:7 is not there, GPUs are numbered from 0 to 1: choose"):
        find_device("gpu:7")


def test_memory_is_taken_as_it_is_needed(machine):
    growing = machine(2)
    find_device("gpu:1")
    assert growing == [("gpu number 0", True), ("gpu number 1", True)]


@pytest.mark.parametrize("refusal", [RuntimeError("already initialized"), ValueError("no such setting")])
def test_a_gpu_whose_memory_is_settled_is_used_as_it_is(machine, refusal):
    machine(1, refuse=refusal)
    assert find_device("auto") == "/GPU:0"
