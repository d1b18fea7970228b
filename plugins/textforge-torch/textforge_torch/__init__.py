"""The backend ``torch``: textforge's models on PyTorch.

This module is light: PyTorch is imported only when a model is made.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import textforge

if TYPE_CHECKING:
    from textforge_torch._export import PlainModule
    from textforge_torch.backend import TorchBackend
    from textforge_torch.format import TorchFormat
    from textforge_torch.network import Dropout, Network, State, one_hot

__all__ = ["Dropout", "Network", "PlainModule", "State", "TorchBackend", "TorchFormat", "one_hot"]

_MODULES = {"PlainModule": "_export", "TorchBackend": "backend", "TorchFormat": "format"}
"""The modules of the names that are not in ``network``; nothing is imported until it is asked for."""


@textforge.hookimpl
def register_implementations(register: Callable[..., None]) -> None:
    """Register the networks of textforge's architectures, and their form in files."""
    register(backend="torch", architecture="lstm", by="textforge_torch.lstm:LSTMNetwork")
    register(backend="torch", architecture="conv", by="textforge_torch.conv:ConvNetwork")
    register(backend="torch", architecture="gpt", by="textforge_torch.gpt:GPTNetwork")
    register(format="torch", architecture="lstm", by="textforge_torch._export:PlainLSTM")
    register(format="torch", architecture="conv", by="textforge_torch._export:PlainConv")
    register(format="torch", architecture="gpt", by="textforge_torch._export:PlainGPT")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'textforge_torch' has no attribute {name!r}")
    module = _MODULES.get(name, "network")
    return getattr(importlib.import_module(f"textforge_torch.{module}"), name)
