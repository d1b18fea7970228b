"""A plugin with an architecture of its own, its NumPy model and its ONNX graph: a trace of the tokens that fades."""

from __future__ import annotations

from typing import Any

import numpy as np

import textforge
from textforge.backends.numpy.model import NumpyModel

HALF = np.array(0.5, np.float32)


class Leaky(textforge.Architecture):
    """The sum of the tokens' vectors, each half as large as the one after it."""

    name = "leaky"
    size: int = textforge.option(default=4, ge=1, help="Numbers of a vector.")

    def weights(self, vocabulary_size: int) -> dict[str, textforge.Weight]:
        names = ("embedding.weight", "output.weight")
        return {name: textforge.Weight((vocabulary_size, self.size), textforge.normal(1), 0) for name in names}

    def state(self) -> dict[str, textforge.StateShape]:
        return {"trace": (None, self.size)}


class LeakyModel(NumpyModel):
    def step(self, ids: Any, state: Any) -> Any:
        state["trace"] /= 2
        state["trace"] += self.weights["embedding.weight"][ids]
        return state["trace"] @ self.weights["output.weight"].T


def leaky_graph(saved: textforge.SavedModel, architecture: Leaky) -> Any:
    from textforge.formats.onnx import LOGITS, NEXT, StepGraph, node

    nodes = [
        node("Gather", ["embedding.weight", "ids"], "vectors"),
        node("Mul", ["trace", "half"], "faded"),
        node("Add", ["faded", "vectors"], NEXT + "trace"),
        node("MatMul", [NEXT + "trace", "output.weight"], LOGITS),
    ]
    constants = {**saved.arrays, "output.weight": saved.arrays["output.weight"].T, "half": HALF}
    return StepGraph(nodes, constants, architecture.state())


@textforge.hookimpl
def register_architectures(register: Any) -> None:
    register(Leaky)


@textforge.hookimpl
def register_implementations(register: Any) -> None:
    register(backend="numpy", architecture="leaky", by="leaky_plugin:LeakyModel")
    register(format="onnx", architecture="leaky", by="leaky_plugin:leaky_graph")
