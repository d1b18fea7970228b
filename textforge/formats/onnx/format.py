"""The format ``onnx``: a graph that reads one token a row, and gives the logits and the state after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textforge.architectures.base import Architecture
from textforge.components.frameworks import Framework
from textforge.formats.base import Format, ReadBack
from textforge.model import SavedModel
from textforge.names import CORE

if TYPE_CHECKING:
    from textforge.formats.onnx.graph import StepGraph

ONNX = Framework("onnx", "ONNX", oldest=(1, 16), brought_by=f"'{CORE}[onnx]'", needed_by="format")


class OnnxFormat(Format):
    """The format of a graph for whatever runs ONNX.

    Its implementations are functions from a saved model and its architecture to a `textforge.formats.onnx.StepGraph`.

    >>> OnnxFormat().suffix
    '.onnx'
    """

    name = "onnx"
    description = "an ONNX graph that reads one token a row, and carries its state from outputs to inputs"
    suffix = ".onnx"

    def require(self) -> None:
        ONNX.require(self.name)

    def write(
        self,
        saved: SavedModel,
        architecture: Architecture,
        implementation: Callable[[SavedModel, Any], StepGraph],
        path: Path,
        about: Mapping[str, Any],
    ) -> ReadBack:
        from textforge.formats.onnx.file import read_graph, write_graph

        write_graph(implementation(saved, architecture), saved.vocabulary_size, path, about)
        return read_graph(path)
