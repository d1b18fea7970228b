"""The backend ``keras``: textforge's models on Keras, with TensorFlow underneath.

This module is light: TensorFlow and Keras are imported only when a model is made.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import textforge
from textforge_keras.backend import KerasBackend
from textforge_keras.format import KerasFormat

if TYPE_CHECKING:
    from textforge_keras.network import Dropout, Network, State, Weight, one_hot

__all__ = ["Dropout", "KerasBackend", "KerasFormat", "Network", "State", "Weight", "one_hot"]


@textforge.hookimpl
def register_backends(register: Callable[[type[KerasBackend]], None]) -> None:
    """Register the backend ``keras``."""
    register(KerasBackend)


@textforge.hookimpl
def register_formats(register: Callable[[type[KerasFormat]], None]) -> None:
    """Register the format ``keras``."""
    register(KerasFormat)


@textforge.hookimpl
def register_implementations(register: Callable[..., None]) -> None:
    """Register the networks of textforge's architectures, and their form in files."""
    register(backend="keras", architecture="lstm", by="textforge_keras.lstm:LSTMNetwork")
    register(backend="keras", architecture="conv", by="textforge_keras.conv:ConvNetwork")
    register(format="keras", architecture="lstm", by="textforge_keras._export:lstm_model")
    register(format="keras", architecture="conv", by="textforge_keras._export:conv_model")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'textforge_keras' has no attribute {name!r}")
    return getattr(importlib.import_module("textforge_keras.network"), name)
