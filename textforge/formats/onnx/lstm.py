"""The LSTM as an ONNX graph, for one step.

Shapes: B rows, E embedding size, H hidden size, L layers, V the vocabulary's size.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from textforge.architectures.lstm import LSTM
from textforge.formats.onnx.graph import LOGITS, NEXT, StepGraph, node
from textforge.model import Array, Arrays, SavedModel

NUMBER = "layer.{}"
"""Name of a layer's number as a tensor, (1,), which says which part of the state is its own."""
STATE = ("hidden", "cell")
KINDS = ("input_weight", "recurrent_weight", "bias")


def lstm_graph(saved: SavedModel, architecture: LSTM) -> StepGraph:
    """Return the graph of a saved LSTM."""
    layers = architecture.num_layers
    nodes = [*_input(saved.arrays), node("Unsqueeze", ["vectors", "first"], "input")]  # (B, E) -> (1, B, E)
    for layer in range(layers):
        nodes += _layer(layer, architecture.hidden_size)
    nodes += [
        node("Squeeze", [f"hidden.{layers - 1}", "first"], "top"),  # (1, B, H) -> (B, H)
        node("MatMul", ["top", "output.weight"], "products"),
        node("Add", ["products", "output.bias"], LOGITS),
        *(node("Concat", [f"{part}.{n}" for n in range(layers)], NEXT + part, axis=0) for part in STATE),
    ]
    return StepGraph(nodes, _constants(saved.arrays, layers, saved.vocabulary_size), architecture.state())


def _input(weights: Arrays) -> list[onnx.NodeProto]:
    """Return nodes that make vectors of tokens, (B,) -> (B, E) or, one-hot, (B, V)."""
    if "embedding.weight" in weights:
        return [node("Gather", ["embedding.weight", "ids"], "vectors")]
    return [node("OneHot", ["ids", "vocabulary_size", "off_and_on"], "vectors")]


def _layer(layer: int, size: int) -> list[onnx.NodeProto]:
    """Return a layer's nodes, from its part of the state, (1, B, H), to that after."""
    before = [f"{part}_before.{layer}" for part in STATE]
    own = [node("Gather", [part, NUMBER.format(layer)], name) for part, name in zip(STATE, before, strict=True)]
    given = f"hidden.{layer - 1}" if layer else "input"
    weights = [f"lstm.{layer}.{kind}" for kind in KINDS]
    after = [f"{part}.{layer}" for part in STATE]
    # The empty names: lengths of rows, and the output of all steps.
    step = helper.make_node("LSTM", [given, *weights, "", *before], ["", *after], f"lstm.{layer}", hidden_size=size)
    return [*own, step]


def _constants(weights: Arrays, layers: int, vocabulary_size: int) -> Arrays:
    constants: Arrays = {"first": np.array([0], np.int64), "output.bias": weights["output.bias"]}
    constants["output.weight"] = weights["output.weight"].T
    if "embedding.weight" in weights:
        constants["embedding.weight"] = weights["embedding.weight"]
    else:
        constants["vocabulary_size"] = np.array(vocabulary_size, np.int64)
        constants["off_and_on"] = np.array([0, 1], np.float32)
    for layer in range(layers):
        constants[NUMBER.format(layer)] = np.array([layer], np.int64)
        for kind in KINDS:
            constants[f"lstm.{layer}.{kind}"] = _reorder(weights[f"lstm.{layer}.{kind}"])
        # ONNX has a bias for the input and one for the hidden state, one after the other.
        bias = constants[f"lstm.{layer}.bias"]
        constants[f"lstm.{layer}.bias"] = np.concatenate([bias, np.zeros_like(bias)], axis=1)
    return constants


def _reorder(weights: Array) -> Array:
    """Put gates in ONNX's order, input, output, forget, cell, and add an axis for directions: (4H, ·) -> (1, 4H, ·)."""
    input, forget, cell, output = np.split(weights, 4)
    return np.concatenate([input, output, forget, cell])[np.newaxis]
