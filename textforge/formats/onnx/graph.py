"""Graphs as the format ``onnx`` takes them: one step, from a token and a state to logits and the state after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import onnx
from onnx import helper

from textforge.model import Arrays, StateShape

LOGITS = "logits"
NEXT = "next_"
"""The beginning of the output's name that is a part of the state after the token: ``next_hidden``."""


@attrs.frozen
class StepGraph:
    """A step: from ``ids``, (B,), and the state to ``logits``, (B, V), and the state after.

    Each part of the state is read under its canonical name and written as ``next_`` and that.
    """

    nodes: Sequence[onnx.NodeProto]
    constants: Arrays
    """Weights and other constants, under the names that nodes read them by."""
    state: Mapping[str, StateShape]
    """The architecture's `state()`."""


def node(operator: str, inputs: Sequence[str], output: str, **attributes: int) -> onnx.NodeProto:
    """Return a node with one output, called as that is.

    >>> node("Add", ["products", "output.bias"], "logits").op_type
    'Add'
    """
    made = helper.make_node(operator, inputs, [output], output)
    made.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
    return made
