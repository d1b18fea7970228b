"""The backend ``keras``: textforge's models on Keras, with TensorFlow underneath.

This module is light: TensorFlow and Keras are imported only when a model is made.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import textforge
from textforge_keras.backend import KerasBackend

if TYPE_CHECKING:
    from textforge_keras.network import Dropout, Network, State, Weight, one_hot

__all__ = ["Dropout", "KerasBackend", "Network", "State", "Weight", "one_hot"]


@textforge.hookimpl
def register_backends(register: Callable[[type[KerasBackend]], None]) -> None:
    """Register the backend ``keras``."""
    register(KerasBackend)


@textforge.hookimpl
def register_implementations(register: Callable[..., None]) -> None:
    """Register the networks of textforge's architectures."""
    register(backend="keras", architecture="lstm", by="textforge_keras.lstm:LSTMNetwork")
    register(backend="keras", architecture="conv", by="textforge_keras.conv:ConvNetwork")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'textforge_keras' has no attribute {name!r}")
    return getattr(importlib.import_module("textforge_keras.network"), name)
