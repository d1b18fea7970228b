"""Formats: kinds of file that a model is exported to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textforge.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from textforge.formats.base import Format

_ONNX = "textforge.formats.onnx"


@hookimpl
def register_formats(register: Callable[[type[Format]], None]) -> None:
    """Register the format that comes with textforge."""
    from textforge.formats.onnx.format import OnnxFormat

    register(OnnxFormat)


@hookimpl
def register_implementations(register: Callable[..., None]) -> None:
    """Register the ONNX graphs of textforge's architectures."""
    register(format="onnx", architecture="lstm", by=f"{_ONNX}.lstm:lstm_graph")
    register(format="onnx", architecture="conv", by=f"{_ONNX}.conv:conv_graph")
