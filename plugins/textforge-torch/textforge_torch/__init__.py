"""The backend ``torch``: textforge's models on PyTorch.

This module is light: PyTorch is imported only when a model is made.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import textforge
from textforge_torch.backend import TorchBackend

if TYPE_CHECKING:
    from textforge_torch.network import Dropout, Network, State, one_hot

__all__ = ["Dropout", "Network", "State", "TorchBackend", "one_hot"]


@textforge.hookimpl
def register_backends(register: Callable[[type[TorchBackend]], None]) -> None:
    """Register the backend ``torch``."""
    register(TorchBackend)


@textforge.hookimpl
def register_implementations(register: Callable[..., None]) -> None:
    """Register the networks of textforge's architectures."""
    register(backend="torch", architecture="lstm", by="textforge_torch.lstm:LSTMNetwork")
    register(backend="torch", architecture="conv", by="textforge_torch.conv:ConvNetwork")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'textforge_torch' has no attribute {name!r}")
    return getattr(importlib.import_module("textforge_torch.network"), name)
