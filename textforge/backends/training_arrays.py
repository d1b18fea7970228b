"""The arrays that resuming needs beside the weights, under names that every backend shares.

    optimizer.step              (1,): steps done
    moment1/{weight}, …         an optimizer's moments, each of its weight's shape: see `MOMENTS`
    state/{name}                the carried state, rows along one axis

So one backend can go on with a run of another. Whatever is wrong raises `BundleError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from textforge.architectures.states import has_shape, write_shape
from textforge.errors import BackendError, BundleError
from textforge.model import Array, Arrays, StateShape

STEP = "optimizer.step"
STATE = "state/"
MOMENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"adam": ("moment1", "moment2"), "rmsprop": ("moment2",), "sgd": ("momentum",)}
)
"""The moments of each optimizer: means of gradients and of their squares, or the momentum."""


def list_moments(optimizer: str, backend: str) -> tuple[str, ...]:
    """Return the names of an optimizer's moments; raise `BackendError` for an unknown optimizer."""
    if optimizer not in MOMENTS:
        raise BackendError(f"{backend}: there is no optimizer {optimizer!r}; choose one of {', '.join(MOMENTS)}")
    return MOMENTS[optimizer]


def check_moments(arrays: Arrays, optimizer: str, weights: Mapping[str, tuple[int, ...]]) -> int:
    """Return the number of steps done; raise `BundleError` unless there are all moments of weights of these shapes."""
    shapes: dict[str, tuple[int, ...]] = {STEP: (1,)}
    for moment in MOMENTS[optimizer]:
        shapes |= {f"{moment}/{name}": shape for name, shape in weights.items()}
    for name, shape in shapes.items():
        if name not in arrays:
            raise BundleError(f"the checkpoint lacks {name}, so {optimizer} can't go on from it: train from the start")
        if arrays[name].shape != shape:
            raise BundleError(
                f"the checkpoint's {name} has shape {arrays[name].shape}, but {shape} is needed: train from the start"
            )
    return int(np.ravel(arrays[STEP])[0])


def read_carried_state(arrays: Arrays, shapes: Mapping[str, StateShape]) -> Arrays:
    """Return the carried state, by its names.

    Raises `BundleError` for an array that is missing or of another shape, and for unequal numbers of rows.
    """
    state = {name: _read_carried(f"{STATE}{name}", arrays, shape) for name, shape in shapes.items()}
    rows = {name: state[name].shape[shape.index(None)] for name, shape in shapes.items()}
    for name, count in rows.items():
        first = next(iter(rows))
        if count != rows[first]:
            raise BundleError(
                f"the checkpoint has {rows[first]} rows of {STATE}{first}, but {count} of {STATE}{name}: "
                "train from the start"
            )
    return state


def _read_carried(name: str, arrays: Arrays, shape: StateShape) -> Array:
    found = arrays.get(name)
    if found is None or not has_shape(found.shape, shape):
        given = "nothing" if found is None else f"shape {found.shape}"
        raise BundleError(
            f"the checkpoint has {given} for {name}, but {write_shape(shape)} is needed: train from the start"
        )
    return found
