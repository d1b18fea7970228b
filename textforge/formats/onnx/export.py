"""The format ``onnx``: a graph that reads one token a row, and gives the logits and the state after it.

Inputs are ``ids``, (B,) int64, and the state under its canonical names, zeros before the first token; outputs are
``logits``, (B, V), and each part of the state as ``next_`` and its name. B is free. What the file says of its model is
JSON in the metadata, under ``textforge``.

Source: the operators of https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import onnx
from onnx import helper, numpy_helper

from textforge import __version__
from textforge.architectures.conv import ARCHITECTURE as CONV
from textforge.architectures.lstm import ARCHITECTURE as LSTM
from textforge.errors import ExportError, listed
from textforge.formats.onnx.conv import conv_graph
from textforge.formats.onnx.graph import LOGITS, NEXT, StepGraph
from textforge.formats.onnx.lstm import lstm_graph
from textforge.model import Array, Arrays, ReadBack, SavedModel

GRAPHS: Mapping[str, Callable[[SavedModel], StepGraph]] = MappingProxyType({LSTM: lstm_graph, CONV: conv_graph})
"""The graph of each architecture."""
OPSET, IR_VERSION = 17, 8
"""Of 2022, and so read by whatever runs ONNX."""
METADATA = "textforge"

Run = Callable[[list[str], dict[str, Array]], list[Array]]
"""From the outputs wanted and the inputs to the outputs."""


def write_onnx(saved: SavedModel, path: Path, about: Mapping[str, Any]) -> ReadBack:
    """Write the file, and give a way to compute its logits: by onnxruntime, or else by ONNX's own evaluator.

    Raises `ExportError` for an architecture there is no graph of, or a model too large for the format.
    """
    if saved.architecture not in GRAPHS:
        raise ExportError(
            f"a model of the architecture {saved.architecture!r} can't be written as 'onnx': there are graphs for "
            f"{listed(GRAPHS)}"
        )
    model = _model(GRAPHS[saved.architecture](saved), saved.vocabulary_size, about)
    try:
        data = model.SerializeToString()
    except Exception as error:  # protobuf has changed what it raises
        raise ExportError(f"ONNX can't hold a model of this size in one file ({error}); train a smaller one") from None
    path.write_bytes(data)
    return _read_back(path)


def _model(graph: StepGraph, vocabulary_size: int, about: Mapping[str, Any]) -> onnx.ModelProto:
    made = helper.make_graph(
        graph.nodes,
        "textforge",
        [
            helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, ["rows"]),
            *(_state_info(name, shape) for name, shape in graph.state.items()),
        ],
        [
            helper.make_tensor_value_info(LOGITS, onnx.TensorProto.FLOAT, ["rows", vocabulary_size]),
            *(_state_info(NEXT + name, shape) for name, shape in graph.state.items()),
        ],
        [numpy_helper.from_array(np.asarray(array, order="C"), name) for name, array in graph.constants.items()],
    )
    model = helper.make_model(
        made,
        producer_name="textforge",
        producer_version=__version__,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    helper.set_model_props(model, {METADATA: json.dumps(about)})
    return model


def _state_info(name: str, shape: tuple[int | None, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        name, onnx.TensorProto.FLOAT, ["rows" if size is None else size for size in shape]
    )


def _read_back(path: Path) -> ReadBack:
    run = _runner(path)
    shapes = {given.name: given.type.tensor_type.shape.dim for given in onnx.load(path).graph.input[1:]}
    outputs = [LOGITS, *(NEXT + name for name in shapes)]

    def logits(ids: Array) -> Array:
        rows = len(ids)
        state: Arrays = {
            name: np.zeros([size.dim_value or rows for size in shape], np.float32) for name, shape in shapes.items()
        }
        steps = []
        for t in range(ids.shape[1]):
            step, *after = run(outputs, {"ids": ids[:, t], **state})
            state = dict(zip(shapes, after, strict=True))
            steps.append(step)
        return np.stack(steps, axis=1)

    return logits


def _runner(path: Path) -> Run:
    if importlib.util.find_spec("onnxruntime") is None:
        from onnx.reference import ReferenceEvaluator

        return cast("Run", ReferenceEvaluator(str(path)).run)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # more would wait for each other in products this small
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return cast("Run", session.run)
