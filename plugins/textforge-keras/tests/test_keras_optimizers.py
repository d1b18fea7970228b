"""The optimizers against their formulas."""

from __future__ import annotations

from gradient_backends.optimizers import OptimizersSuite


class TestOptimizers(OptimizersSuite):
    """The suite that every framework is held to."""
