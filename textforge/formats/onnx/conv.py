"""The convolutional network as an ONNX graph, for one step.

Shapes: B rows, E embedding size, C channels, K kernel size, R positions a layer looks back, V the vocabulary's size.
"""

from __future__ import annotations

import numpy as np
import onnx

from textforge.architectures.conv import Conv
from textforge.formats.onnx.graph import LOGITS, NEXT, StepGraph, node
from textforge.model import Arrays, SavedModel


def conv_graph(saved: SavedModel, architecture: Conv) -> StepGraph:
    """Return the graph of a saved convolutional network."""
    layers, kernel_size = architecture.num_layers, architecture.kernel_size
    nodes = _input(saved.arrays)
    for layer in range(layers):
        nodes += _layer(layer)
    nodes += [
        node("MatMul", [f"values.{layers}", "output.weight"], "products"),
        node("Add", ["products", "output.bias"], LOGITS),
    ]
    constants = _constants(saved.arrays)
    for layer, look_back in enumerate(architecture.look_backs):
        constants[f"read.{layer}"] = np.arange(0, look_back + 1, look_back // (kernel_size - 1), dtype=np.int64)
    return StepGraph(nodes, constants, architecture.state())


def _input(weights: Arrays) -> list[onnx.NodeProto]:
    """Return nodes to the first layer's inputs, (B,) -> (B, C).

    One-hot vectors would only pick a row of the weights: it is looked up.
    """
    if "embedding.weight" in weights:
        vectors = node("Gather", ["embedding.weight", "ids"], "vectors")
        inputs = [vectors, node("MatMul", ["vectors", "input.weight"], "inputs")]
    else:
        inputs = [node("Gather", ["input.weight", "ids"], "inputs")]
    return [*inputs, node("Add", ["inputs", "input.bias"], "values.0")]


def _layer(layer: int) -> list[onnx.NodeProto]:
    """Return nodes of a gated convolution and its sum, (B, C) -> (B, C), and of its part of the state, (B, R, C)."""
    name, values = f"conv.{layer}", f"values.{layer}"
    gated = onnx.helper.make_node(
        "Split", [f"sums.{layer}"], [f"value.{layer}", f"gate.{layer}"], f"split.{layer}", axis=1
    )
    return [
        node("Unsqueeze", [values, "positions"], f"newest.{layer}"),  # (B, 1, C)
        node("Concat", [name, f"newest.{layer}"], f"all.{layer}", axis=1),  # (B, R + 1, C)
        node("Slice", [f"all.{layer}", "from", "to", "positions"], NEXT + name),
        node("Gather", [f"all.{layer}", f"read.{layer}"], f"apart.{layer}", axis=1),  # (B, K, C)
        node("Flatten", [f"apart.{layer}"], f"beside.{layer}"),  # (B, K C)
        node("MatMul", [f"beside.{layer}", f"{name}.weight"], f"products.{layer}"),
        node("Add", [f"products.{layer}", f"{name}.bias"], f"sums.{layer}"),
        gated,
        node("Sigmoid", [f"gate.{layer}"], f"open.{layer}"),
        node("Mul", [f"value.{layer}", f"open.{layer}"], f"added.{layer}"),
        node("Add", [values, f"added.{layer}"], f"values.{layer + 1}"),
    ]


def _constants(weights: Arrays) -> Arrays:
    positions = {"positions": np.array([1]), "from": np.array([1]), "to": np.array([np.iinfo(np.int64).max])}
    constants: Arrays = {name: value.astype(np.int64) for name, value in positions.items()}
    for name, array in weights.items():
        if array.ndim == 3:  # (2C, C, K) -> (K C, 2C)
            constants[name] = array.transpose(2, 1, 0).reshape(-1, len(array))
        else:
            constants[name] = array if array.ndim == 1 or name == "embedding.weight" else array.T
    return constants
