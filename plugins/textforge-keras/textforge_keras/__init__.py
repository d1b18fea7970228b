"""The backend ``keras``: textforge's models on Keras, with TensorFlow underneath.

This module is light: TensorFlow and Keras are imported only when a model is made.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import textforge

if TYPE_CHECKING:
    from textforge_keras.backend import KerasBackend
    from textforge_keras.format import KerasFormat
    from textforge_keras.network import Dropout, Network, State, Weight, one_hot

__all__ = ["Dropout", "KerasBackend", "KerasFormat", "Network", "State", "Weight", "one_hot"]

_MODULES = {"KerasBackend": "backend", "KerasFormat": "format"}
"""The modules of the names that are not in ``network``; nothing is imported until it is asked for."""


@textforge.hookimpl
def register_implementations(register: Callable[..., None]) -> None:
    """Register the networks of textforge's architectures, and their form in files."""
    register(backend="keras", architecture="lstm", by="textforge_keras.lstm:LSTMNetwork")
    register(backend="keras", architecture="conv", by="textforge_keras.conv:ConvNetwork")
    register(backend="keras", architecture="gpt", by="textforge_keras.gpt:GPTNetwork")
    register(format="keras", architecture="lstm", by="textforge_keras._export:lstm_model")
    register(format="keras", architecture="conv", by="textforge_keras._export:conv_model")
    register(format="keras", architecture="gpt", by="textforge_keras._export:gpt_model")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'textforge_keras' has no attribute {name!r}")
    module = _MODULES.get(name, "network")
    return getattr(importlib.import_module(f"textforge_keras.{module}"), name)
