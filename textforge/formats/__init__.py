"""Formats: kinds of file that a model is exported to."""

from __future__ import annotations

from collections.abc import Callable

from textforge.plugins.hookspecs import hookimpl

_ONNX = "textforge.formats.onnx"


@hookimpl
def register_implementations(register: Callable[..., None]) -> None:
    """Register the ONNX graphs of textforge's architectures."""
    register(format="onnx", architecture="lstm", by=f"{_ONNX}.lstm:lstm_graph")
    register(format="onnx", architecture="conv", by=f"{_ONNX}.conv:conv_graph")
