"""The backend ``torch``: textforge's models on PyTorch.

This module is light: PyTorch is imported only when a model is made.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import textforge
from textforge_torch.backend import TorchBackend
from textforge_torch.format import TorchFormat

if TYPE_CHECKING:
    from textforge_torch._export import PlainModule
    from textforge_torch.network import Dropout, Network, State, one_hot

__all__ = ["Dropout", "Network", "PlainModule", "State", "TorchBackend", "TorchFormat", "one_hot"]


@textforge.hookimpl
def register_backends(register: Callable[[type[TorchBackend]], None]) -> None:
    """Register the backend ``torch``."""
    register(TorchBackend)


@textforge.hookimpl
def register_formats(register: Callable[[type[TorchFormat]], None]) -> None:
    """Register the format ``torch``."""
    register(TorchFormat)


@textforge.hookimpl
def register_implementations(register: Callable[..., None]) -> None:
    """Register the networks of textforge's architectures, and their form in files."""
    register(backend="torch", architecture="lstm", by="textforge_torch.lstm:LSTMNetwork")
    register(backend="torch", architecture="conv", by="textforge_torch.conv:ConvNetwork")
    register(format="torch", architecture="lstm", by="textforge_torch._export:PlainLSTM")
    register(format="torch", architecture="conv", by="textforge_torch._export:PlainConv")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'textforge_torch' has no attribute {name!r}")
    module = "_export" if name == "PlainModule" else "network"
    return getattr(importlib.import_module(f"textforge_torch.{module}"), name)
