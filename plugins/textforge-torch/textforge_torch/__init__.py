"""The LSTM and the convolutional network of textforge on PyTorch.

This module is light: PyTorch is imported only when a model is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import textforge
from textforge_torch.backend import TorchBackend, TorchConvBackend

if TYPE_CHECKING:
    from textforge.backends.base import Backend

__all__ = ["TorchBackend", "TorchConvBackend", "register_backends"]


@textforge.hookimpl
def register_backends(register: Callable[[type[Backend]], None]) -> None:
    """Register the backends ``torch`` and ``torch-conv``."""
    register(TorchBackend)
    register(TorchConvBackend)
