"""A framework as the suite must know it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs
import pytest
from support import ModelMaker

from textforge.model import Array, Arrays, Optimizer

ARCHITECTURES = ("lstm", "conv", "gpt")
ONE_HOT = ("lstm", "conv")
"""Those whose input may be one-hot."""

each = pytest.mark.parametrize("architecture", ARCHITECTURES)


class GivenGradients(Protocol):
    """A framework's optimizer, beside weights whose gradients the test makes up; arrays by canonical name."""

    def __init__(self, settings: Optimizer, weights: Mapping[str, Array]) -> None: ...

    @property
    def weights(self) -> Arrays:
        """The weights as they stand."""

    def step(self, gradients: Mapping[str, Array], rate: float) -> None:
        """Change the weights by these gradients."""

    def arrays(self) -> Arrays:
        """The moments, for a checkpoint."""

    def restore(self, arrays: Arrays) -> None:
        """Take up the moments of a checkpoint."""


@attrs.frozen
class Framework:
    """A framework's backend, and ways to what lies beneath the interface that all backends share."""

    name: str
    """As in its errors, and in ``--backend``."""
    array: Callable[[Any], Array]
    """A copy of one value of a state."""
    given_gradients: type[GivenGradients]
    dropped: Callable[[float, int, int, Array], Array]
    """`dropped(share, seed, step, values)`: the values, (T, B, ·), after dropout on a CPU."""
    watch_dropout: Callable[[pytest.MonkeyPatch], list[tuple[int, ...]]]
    """From now on, drop nothing, and list the shapes of what would have been dropped from, (T, B, ·)."""
    random_numbers_after: Callable[[Callable[[], None]], bytes]
    """Seed the framework's own random numbers, call that, and say where they stand."""
    weights: str
    """The method of its networks that gives the weights by canonical name."""
    read: str
    """The method of its networks that gives logits and the state after."""


class Suite:
    """Tests of the framework that the fixture `framework` describes, in a plugin's conftest."""

    framework: Framework

    @pytest.fixture(autouse=True)
    def _described(self, framework: Framework) -> None:
        self.framework = framework

    def backend(self, architecture: str, **options: Any) -> ModelMaker:
        return ModelMaker(self.framework.name, architecture, device="cpu", **options)

    def arrays(self, state: Mapping[str, Any]) -> Arrays:
        """A copy of a state."""
        return {name: self.framework.array(value) for name, value in state.items()}
