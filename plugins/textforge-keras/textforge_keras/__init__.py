"""The LSTM and the convolutional network of textforge on Keras, with TensorFlow underneath.

This module is light: TensorFlow and Keras are imported only when a model is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import textforge
from textforge_keras.backend import KerasBackend, KerasConvBackend

if TYPE_CHECKING:
    from textforge.backends.base import Backend

__all__ = ["KerasBackend", "KerasConvBackend", "register_backends"]


@textforge.hookimpl
def register_backends(register: Callable[[type[Backend]], None]) -> None:
    """Register the backends ``keras`` and ``keras-conv``."""
    register(KerasBackend)
    register(KerasConvBackend)
