"""Files of the format ``onnx``: writing them, and running them.

Inputs are ``ids``, (B,) int64, and the state under its canonical names, zeros before the first token; outputs are
``logits``, (B, V), and each part of the state as ``next_`` and its name. B is free. What the file says of its model is
JSON in the metadata, under ``textforge``.

Shapes: B rows, T tokens, V the vocabulary's size. Source: the operators of https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
from onnx import helper, numpy_helper

from textforge.errors import ExportError
from textforge.formats.base import ReadBack
from textforge.formats.onnx.graph import LOGITS, NEXT, StepGraph
from textforge.model import Array, Arrays, StateShape

OPSET, IR_VERSION = 17, 8
"""Versions of 2022, which whatever runs ONNX reads."""
METADATA = "textforge"

Run = Callable[[list[str], dict[str, Array]], list[Array]]
"""Computes, from the names of the outputs wanted and the inputs, the outputs."""


def write_graph(graph: StepGraph, vocabulary_size: int, path: Path, about: Mapping[str, Any]) -> None:
    """Write a graph to a file; raises `ExportError` where it is too large for the format."""
    model = _make_model(graph, vocabulary_size, about)
    try:
        data = model.SerializeToString()
    except Exception as error:  # protobuf has changed what it raises
        raise ExportError(f"ONNX can't hold a model of this size in one file ({error}); train a smaller one") from None
    path.write_bytes(data)


def read_graph(path: Path) -> ReadBack:
    """Return a way to compute a file's logits: by onnxruntime, or else by ONNX's own evaluator."""
    run = _make_runner(path)
    shapes = {given.name: given.type.tensor_type.shape.dim for given in onnx.load(path).graph.input[1:]}
    outputs = [LOGITS, *(NEXT + name for name in shapes)]

    def read(ids: Array, state: Arrays | None) -> tuple[Array, Arrays | None]:
        if state is None:
            sizes = {name: [size.dim_value or len(ids) for size in shape] for name, shape in shapes.items()}
            state = {name: np.zeros(shape, np.float32) for name, shape in sizes.items()}
        steps = []
        for t in range(ids.shape[1]):
            step, *after = run(outputs, {"ids": ids[:, t], **state})
            state = dict(zip(shapes, after, strict=True))
            steps.append(step)
        return np.stack(steps, axis=1), state

    return read


def _make_model(graph: StepGraph, vocabulary_size: int, about: Mapping[str, Any]) -> onnx.ModelProto:
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
        producer_version=str(about.get("textforge", "")),
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    helper.set_model_props(model, {METADATA: json.dumps(about)})
    return model


def _state_info(name: str, shape: StateShape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        name, onnx.TensorProto.FLOAT, ["rows" if size is None else size for size in shape]
    )


def _make_runner(path: Path) -> Run:
    if importlib.util.find_spec("onnxruntime") is None:
        from onnx.reference import ReferenceEvaluator

        return cast("Run", ReferenceEvaluator(str(path)).run)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # more would wait for each other in products this small
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return cast("Run", session.run)
