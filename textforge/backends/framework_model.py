"""The base of models in a framework: saving, and checks of networks, before training, and of ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from textforge.architectures.base import Architecture
from textforge.architectures.states import has_shape, write_shape
from textforge.errors import BackendError, list_names
from textforge.model import Array, Arrays, GradientModel, SavedModel, StateShape
from textforge.plugins.blame import path_of

STATE = "state/"
"""The prefix of the names of a carried state's arrays in a checkpoint."""


class SavedNetwork(Protocol):
    """A network that returns its weights under canonical names."""

    def save(self) -> Arrays:
        """Return a float32 copy of the weights."""


class Shaped(Protocol):
    """A tensor of any framework."""

    @property
    def shape(self) -> Sequence[int | None]:
        """The sizes of its axes."""


class FrameworkModel(GradientModel):
    """A network in a framework, as a model.

    A subclass sets `network` and implements what the framework computes.
    """

    framework: str
    """The name of the backend, for messages."""
    network: SavedNetwork

    def __init__(self, saved: SavedModel, architecture: Architecture, precision: str) -> None:
        self.architecture = architecture
        self.vocabulary_size = saved.vocabulary_size
        self.window = saved.window
        self.precision = precision
        self.state_shapes: dict[str, StateShape] = dict(architecture.state())
        self.row_axes = {name: shape.index(None) for name, shape in self.state_shapes.items()}
        self._options = dict(saved.options)
        self._state_is_checked = False

    @property
    def dropout(self) -> float:
        """The share of values dropped in training: the architecture's option of that name, or 0."""
        return float(getattr(self.architecture, "dropout", 0.0))

    def save(self) -> SavedModel:
        options = dict(self._options)
        return SavedModel(self.architecture.name, options, self.vocabulary_size, self.network.save(), self.window)

    def check_weights(self, shapes: Mapping[str, tuple[int, ...]], arrays: Arrays) -> None:
        """Raise `BackendError` unless the network's weights, of these canonical shapes, are those of `arrays`."""
        declared = f"the architecture {self.architecture.name} declares"
        if missing := arrays.keys() - shapes.keys():
            raise self._make_unfit_error(f"lacks weights that {declared}: {list_names(missing)}")
        if unknown := shapes.keys() - arrays.keys():
            raise self._make_unfit_error(f"has weights that {declared} none of: {list_names(unknown)}")
        for name, array in arrays.items():
            if shapes[name] != array.shape:
                raise self._make_unfit_error(
                    f"has the weights {name} in the shape {shapes[name]}, but {declared} {array.shape}"
                )

    def check_state(self, state: Mapping[str, Shaped]) -> None:
        """Raise `BackendError` unless the first state that the network returns has the declared names and shapes.

        A size of None in a tensor's shape, which is not yet known, is as good as any.
        """
        if self._state_is_checked:
            return
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        declared = self.state_shapes
        if shapes.keys() != declared.keys() or not all(has_shape(shapes[name], declared[name]) for name in declared):
            raise self._make_unfit_error(
                f"returns {_describe_state(shapes)}, but the architecture {self.architecture.name} declares "
                f"{_describe_state(declared)}"
            )
        self._state_is_checked = True

    def _make_unfit_error(self, problem: str) -> BackendError:
        return BackendError(f"{self.framework}: the network {path_of(type(self.network))} {problem}")

    def check_precision(self) -> None:
        """Raise `BackendError` for float64, in which weights that are kept in float32 can't be trained."""
        if self.precision == "float64":
            raise BackendError(
                f"{self.framework}: precision=float64 is for generating and evaluating, since weights are kept in "
                "float32: train with precision=float32 or bfloat16"
            )

    def make_unready_error(self) -> BackendError:
        """Return the error of training a model before `begin`."""
        return BackendError(
            f"{self.framework}: the model is not ready to be trained: call begin(optimizer, seed) first"
        )

    def check_ids(self, ids: Array) -> None:
        """Raise `IndexError` for ids beyond the vocabulary, which a device may read as anything."""
        if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < self.vocabulary_size:
            raise IndexError(f"ids must be from 0 to {self.vocabulary_size - 1}, got {ids.min()} to {ids.max()}")


def _describe_state(shapes: Mapping[str, Sequence[int | None]]) -> str:
    """Return a state's arrays as a message has them.

    >>> _describe_state({"hidden": (1, None, 8)})
    'a state of hidden (1, rows, 8)'
    """
    if not shapes:
        return "no state"
    return f"a state of {', '.join(f'{name} {write_shape(shape)}' for name, shape in shapes.items())}"
