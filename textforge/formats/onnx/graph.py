"""What an architecture's graph is to the format ``onnx``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import onnx
from onnx import helper

from textforge.backends.training_arrays import Shape
from textforge.model import Arrays

LOGITS = "logits"
NEXT = "next_"
"""Before the name of a part of the state: what it is after the token."""


@attrs.frozen
class StepGraph:
    """One step: from ``ids``, (B,), and the state to ``logits``, (B, V), and the state after."""

    nodes: Sequence[onnx.NodeProto]
    constants: Arrays
    """The weights, and what else doesn't change, under the names that nodes read them by."""
    state: Mapping[str, Shape]
    """The shapes of what is carried on, by canonical name; None: the rows."""


def node(operator: str, inputs: Sequence[str], output: str, **attributes: int) -> onnx.NodeProto:
    """A node with one output, called as that is."""
    made = helper.make_node(operator, inputs, [output], output)
    made.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
    return made
