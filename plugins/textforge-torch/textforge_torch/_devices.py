"""The device that a model lives on."""

from __future__ import annotations

import torch

from textforge.backends.memory import find_machine_memory
from textforge.errors import BackendError


def find_device(name: str, precision: str = "float32") -> torch.device:
    """Return the device of that name; for ``auto`` the first there is of cuda, mps and cpu.

    Raises `BackendError` for a device this machine lacks, or that lacks the precision.
    """
    if name == "auto":
        name = _best_device(precision)
    device = torch.device(name)
    if device.type == "cuda":
        _require_cuda(name, device.index or 0)
    if device.type == "mps":
        _require_mps(precision)
    if precision == "bfloat16" and not torch.amp.is_autocast_available(device.type):
        raise BackendError(
            f"torch: PyTorch {torch.__version__} has no mixed precision on {device.type}: write precision=float32, or "
            "install a newer one"
        )
    return device


def is_faster_in_bfloat16(device: torch.device) -> bool:
    """Return whether a device has units for bfloat16; one that only imitates them is no faster."""
    if device.type == "cuda":
        return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu" or not torch.amp.is_autocast_available("cpu"):
        return False
    # They are private: the oldest PyTorch that is supported says it by no public name.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, _no)() for name in names)


def _no() -> bool:
    return False


def find_memory(device: torch.device) -> int | None:
    """Return the bytes of memory that a device has; a Mac's GPU has that of the machine."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return find_machine_memory()


def _best_device(precision: str) -> str:
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available() and precision != "float64":
        return "mps"
    return "cpu"


def _require_cuda(name: str, index: int) -> None:
    if not torch.cuda.is_available():
        raise BackendError(
            f"torch: device={name} needs a GPU that PyTorch {torch.__version__} can use, and it finds none: "
            "write device=cpu or device=auto, or install a PyTorch built for your GPU: on Linux "
            "with an NVIDIA GPU, run `pip install --force-reinstall torch`"
        )
    count = torch.cuda.device_count()
    if index >= count:
        raise BackendError(f"torch: device={name} is not there, GPUs are numbered from 0 to {count - 1}: choose one")


def _require_mps(precision: str) -> None:
    if not torch.backends.mps.is_available():
        raise BackendError(
            "torch: device=mps needs a Mac with Apple's GPU and a PyTorch built for it: write device=cpu or device=auto"
        )
    if precision == "float64":
        raise BackendError("torch: precision=float64 is more than Apple's GPUs can do: write device=cpu")
