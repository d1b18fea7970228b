"""The Transformer as an ONNX graph, for one step.

Shapes: B rows, H hidden size, N heads, D numbers of a head, I inner size, L layers, W window, V the vocabulary's size.
"""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import helper

from textforge.architectures.gpt import EPSILON, GPT, compute_rotations
from textforge.formats.onnx.graph import LOGITS, NEXT, StepGraph, node
from textforge.model import Arrays, SavedModel

CACHES = ("keys", "values")


def gpt_graph(saved: SavedModel, architecture: GPT) -> StepGraph:
    """Return the graph of a saved Transformer."""
    layers = range(architecture.num_layers)
    nodes = [node("Gather", ["embedding.weight", "ids"], "hidden.0"), *_count()]
    for layer in layers:
        nodes += [*_attend(layer), *_feed_forward(layer)]
    nodes += [
        _norm(f"hidden.{len(layers)}", "top"),
        node("Gemm", ["top", "embedding.weight", "output.bias"], LOGITS, transB=1),
        *(node("Concat", [f"{part}_after.{n}" for n in layers], NEXT + part, axis=0) for part in CACHES),
    ]
    return StepGraph(nodes, _make_constants(saved.arrays, architecture), architecture.state())


def _count() -> list[onnx.NodeProto]:
    """Return nodes that count the positions seen, and add -inf where places are still empty, (B, 1, 1, W)."""
    return [
        node("Add", ["seen", "one"], "counted"),
        node("Min", ["counted", "window"], f"{NEXT}seen"),
        node("Sub", ["window", f"{NEXT}seen"], "empty"),
        node("Unsqueeze", ["empty", "axes.123"], "first"),
        node("Less", ["places", "first"], "is_empty"),
        node("Where", ["is_empty", "never", "zero"], "mask"),
    ]


def _attend(layer: int) -> list[onnx.NodeProto]:
    """Return nodes of attention and its sum, (B, H) -> (B, H), and of its parts of the state, (1, B, W, H) each."""
    parts = [f"{part}.new.{layer}" for part in ("queries", *CACHES)]
    return [
        _norm(f"hidden.{layer}", f"normed.{layer}"),
        node("MatMul", [f"normed.{layer}", f"attention.{layer}.input.weight"], f"split.{layer}"),
        helper.make_node("Split", [f"split.{layer}", "thirds"], parts, f"parts.{layer}", axis=1),
        *(made for part, new in zip(CACHES, parts[1:], strict=True) for made in _carry(part, new, layer)),
        *_turn(f"keys_by_head.{layer}", "key", layer),
        node("Reshape", [parts[0], "one_by_head"], f"queries_by_head.{layer}"),  # (B, N, 1, D)
        *_turn(f"queries_by_head.{layer}", "query", layer),
        # (B, N, W, D) -> (B, N, D, W)
        helper.make_node(
            "Transpose", [f"key_turned.{layer}"], [f"columns.{layer}"], f"columns.{layer}", perm=[0, 1, 3, 2]
        ),
        node("MatMul", [f"query_turned.{layer}", f"columns.{layer}"], f"products.{layer}"),
        node("Add", [f"products.{layer}", "mask"], f"masked.{layer}"),
        node("Softmax", [f"masked.{layer}"], f"weights.{layer}", axis=-1),
        node("MatMul", [f"weights.{layer}", f"values_by_head.{layer}"], f"sums.{layer}"),
        node("Reshape", [f"sums.{layer}", "joined"], f"joined.{layer}"),  # (B, N, 1, D) -> (B, H)
        node("MatMul", [f"joined.{layer}", f"attention.{layer}.output.weight"], f"attended.{layer}"),
        node("Add", [f"hidden.{layer}", f"attended.{layer}"], f"between.{layer}"),
    ]


def _carry(part: str, new: str, layer: int) -> list[onnx.NodeProto]:
    """Return nodes that put what is new, (B, H), behind a layer's part of the state, and lay it out by head."""
    heads, name = f"{part}_apart.{layer}", f"{part}_by_head.{layer}"
    return [
        node("Gather", [part, f"layer.{layer}"], f"{part}_before.{layer}"),  # (1, B, W, H)
        node("Slice", [f"{part}_before.{layer}", "from", "to", "axis.2"], f"{part}_kept.{layer}"),
        node("Unsqueeze", [new, "axes.02"], f"{part}_newest.{layer}"),  # (1, B, 1, H)
        node("Concat", [f"{part}_kept.{layer}", f"{part}_newest.{layer}"], f"{part}_after.{layer}", axis=2),
        node("Reshape", [f"{part}_after.{layer}", "by_head"], heads),  # (B, W, N, D)
        helper.make_node("Transpose", [heads], [name], name, perm=[0, 2, 1, 3]),
    ]


def _turn(heads: str, kind: str, layer: int) -> list[onnx.NodeProto]:
    """Return nodes that rotate heads, (B, N, ·, D): `x * cosines + (x with each pair exchanged) * sines`."""
    exchanged, turned = f"{kind}_exchanged.{layer}", f"{kind}_turned.{layer}"
    return [
        node("Gather", [heads, "exchanged"], exchanged, axis=3),
        node("Mul", [heads, f"{kind}.cosines"], f"{kind}_along.{layer}"),
        node("Mul", [exchanged, f"{kind}.sines"], f"{kind}_across.{layer}"),
        node("Add", [f"{kind}_along.{layer}", f"{kind}_across.{layer}"], turned),
    ]


def _feed_forward(layer: int) -> list[onnx.NodeProto]:
    """Return nodes of the gated part and its sum, (B, H) -> (B, H)."""
    halves, name = [f"gated.{layer}", f"gate.{layer}"], f"feed_forward.{layer}"
    return [
        _norm(f"between.{layer}", f"normed_between.{layer}"),
        node("MatMul", [f"normed_between.{layer}", f"{name}.input.weight"], f"inner.{layer}"),
        helper.make_node("Split", [f"inner.{layer}"], halves, f"halves.{layer}", axis=1),
        node("Sigmoid", [f"gate.{layer}"], f"open.{layer}"),
        node("Mul", halves, f"product.{layer}"),
        node("Mul", [f"product.{layer}", f"open.{layer}"], f"opened.{layer}"),
        node("MatMul", [f"opened.{layer}", f"{name}.output.weight"], f"added.{layer}"),
        node("Add", [f"between.{layer}", f"added.{layer}"], f"hidden.{layer + 1}"),
    ]


def _norm(given: str, output: str) -> onnx.NodeProto:
    return helper.make_node("LayerNormalization", [given, "ones"], [output], output, epsilon=EPSILON)


def _make_constants(weights: Arrays, architecture: GPT) -> Arrays:
    window, size = architecture.window, architecture.hidden_size
    heads, head_size = architecture.num_heads, architecture.head_size
    whole = {
        **{f"layer.{layer}": [layer] for layer in range(architecture.num_layers)},
        "from": [1],
        "to": [np.iinfo(np.int64).max],
        "axis.2": [2],
        "axes.02": [0, 2],
        "axes.123": [1, 2, 3],
        "by_head": [-1, window, heads, head_size],
        "one_by_head": [-1, heads, 1, head_size],
        "joined": [-1, size],
        "thirds": [size] * 3,
        "exchanged": np.arange(head_size) ^ 1,
    }
    cosines, sines = compute_rotations(window, head_size)
    numbers = {
        "one": 1,
        "window": window,
        "zero": 0,
        "never": -math.inf,
        "ones": np.ones(size),
        "places": np.arange(window),
        "key.cosines": cosines,
        "key.sines": sines,
        "query.cosines": cosines[-1:],
        "query.sines": sines[-1:],
    }
    constants: Arrays = {name: np.array(value, np.int64) for name, value in whole.items()}
    constants |= {name: np.array(value, np.float32) for name, value in numbers.items()}
    for name, array in weights.items():
        constants[name] = array.T if "." in name.removesuffix(".weight") else array
    for layer in range(architecture.num_layers):
        name = f"attention.{layer}.input.weight"
        scales = np.repeat([head_size**-0.5, 1.0, 1.0], size)  # of queries, keys and values
        constants[name] = (constants[name] * scales).astype(np.float32)
    return constants
