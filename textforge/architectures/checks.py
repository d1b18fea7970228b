"""Checks of a saved model's options and weights, the same for every architecture of weights in float32.

A bundle may have been edited, or come from a stranger, so whatever is wrong raises `BundleError`.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from textforge.components.options import Option
from textforge.errors import BundleError
from textforge.model import Array, Arrays, SavedModel

MOST_TOKENS_OF_A_WINDOW = 1 << 20
"""More would let an edited file ask for any amount of memory."""


def check_options(saved: SavedModel, declared: Mapping[str, Option]) -> dict[str, Any]:
    """Return the options of a saved model, converted as declared.

    Raises `BundleError` for one that is missing or refused, and for a vocabulary size below 1.
    """
    if not isinstance(saved.vocabulary_size, numbers.Integral) or saved.vocabulary_size < 1:
        raise BundleError(f"the model's vocabulary_size must be a whole number >= 1, got {saved.vocabulary_size!r}")
    return {name: _check_option(saved, option) for name, option in declared.items()}


def check_weights(arrays: Arrays, shapes: Mapping[str, tuple[int, ...]]) -> Arrays:
    """Return the weights as C-contiguous float32.

    Raises `BundleError` unless they are just those of `shapes`, of these shapes, and finite.
    """
    check_names_and_shapes(arrays, shapes)
    return {name: _check(name, arrays[name]) for name in shapes}


def _check_option(saved: SavedModel, declared: Option) -> Any:
    name = declared.name
    if name not in saved.options:
        raise BundleError(f"the model's configuration lacks {name}; copy the model again, or train it again")
    try:
        return declared.check(saved.options[name])
    except ValueError as error:
        raise BundleError(f"the model's {name} {error}; copy the model again, or train it again") from None


def check_names_and_shapes(arrays: Arrays, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `BundleError` unless the arrays are just those of `shapes`, of these shapes."""
    missing, unknown = sorted(shapes.keys() - arrays.keys()), sorted(arrays.keys() - shapes.keys())
    if missing:
        raise BundleError(f"the model lacks the weights {_shorten(missing)}; train it again, or copy it again")
    if unknown:
        raise BundleError(f"the model has weights its options don't speak of: {_shorten(unknown)}")
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise BundleError(f"the weights {name} have shape {arrays[name].shape}, but the options say {shape}")


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _check(name: str, array: Array) -> Array:
    if not np.issubdtype(array.dtype, np.floating):
        raise BundleError(f"the weights {name} must be floating-point numbers, got {array.dtype}")
    with np.errstate(over="ignore"):  # what is too large for float32 is not finite there
        weights = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(weights).all():
        raise BundleError(f"the weights {name} have numbers that are not finite; train the model again")
    return weights
