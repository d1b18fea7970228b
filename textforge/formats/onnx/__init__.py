"""The format `onnx`: graphs that read one token a row.

A plugin that brings an architecture brings its graph as a function of a saved model and its architecture, made of
`StepGraph` and `node`, and registers it for the format:

    register(format="onnx", architecture="gru", by="textforge_gru.onnx:gru_graph")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textforge.formats.onnx.graph import LOGITS, NEXT, StepGraph, node

__all__ = ["LOGITS", "NEXT", "StepGraph", "node"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'textforge.formats.onnx' has no attribute {name!r}")
    return getattr(importlib.import_module("textforge.formats.onnx.graph"), name)
