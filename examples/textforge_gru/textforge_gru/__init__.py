"""Gated recurrent units for textforge.

This module is light: a framework is imported when a model is made.
"""

import textforge
from textforge_gru.architecture import GRU

__all__ = ["GRU"]


@textforge.hookimpl
def register_architectures(register):
    """Register the architecture."""
    register(GRU)


@textforge.hookimpl
def register_implementations(register):
    """Register what computes it on each backend."""
    register(backend="torch", architecture="gru", by="textforge_gru.torch_network:GRUNetwork")
    register(backend="keras", architecture="gru", by="textforge_gru.keras_network:GRUNetwork")
    register(backend="numpy", architecture="gru", by="textforge_gru.numpy_model:GRUModel")
