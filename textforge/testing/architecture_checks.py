"""Checks of an architecture. Each is given an `ArchitectureCase`, and raises `CheckFailure`.

Shapes: V the vocabulary's size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np

from textforge.architectures.base import Architecture, Weight
from textforge.bundle.parts import read_arrays, write_arrays
from textforge.errors import BundleError
from textforge.model import Arrays, SavedModel
from textforge.testing import component_checks
from textforge.testing.failures import NotApplicable, describe_error, fail
from textforge.testing.model_cases import ArchitectureCase
from textforge.training.settings import TrainingSettings

SIZES = (1, 2, 7, 40)
SEED = 3


def check_weights(case: ArchitectureCase) -> None:
    """Check that each weight has a name and a shape of whole numbers, the same whenever it is asked for."""
    for size in SIZES:
        weights = case.component.weights(size)
        for name, weight in weights.items():
            if not isinstance(name, str) or not name.strip() or not isinstance(weight, Weight):
                got = f"{type(weight).__name__} for {name!r}"
                fail("a Weight for each name", got, "return {'output.weight': Weight((V, H), glorot()), …}")
            if not _is_shape(weight.shape):
                fail(f"a shape of whole numbers >= 1 for {name}", repr(weight.shape), "compute it from the options")
        again = case.component.weights(size)
        if _shapes(weights) != _shapes(again):
            fail(
                f"the same weights whenever those of {size} tokens are asked for",
                _difference(_shapes(weights), _shapes(again)),
                "let names, shapes and their order follow from the options and the vocabulary's size alone",
            )


def check_first_values(case: ArchitectureCase) -> None:
    """First values are finite numbers of the shape that is declared, in float32, for any vocabulary."""
    for size in SIZES:
        declared = _weights(case, size)
        arrays = _create(case, size).arrays
        if arrays.keys() != declared.keys():
            got = ", ".join(sorted(arrays.keys() ^ declared.keys()))
            fail("first values of each weight that is declared, and of no other", got, "leave create as it is")
        for name, array in arrays.items():
            if array.shape != declared[name].shape:
                got = f"shape {array.shape}"
                fail(f"first values of {name} of shape {declared[name].shape}", got, "let `initial` give that shape")
            if array.dtype != np.float32 or not np.isfinite(array).all():
                got = str(array.dtype) if array.dtype != np.float32 else f"NaN or infinity with {size} tokens"
                fail(f"finite first values of {name}, in float32", got, "mind shapes of a single row or column")


def check_seeds(case: ArchitectureCase) -> None:
    """Check that the same seed gives the same first values, bit for bit, and another seed gives others."""
    size = SIZES[-1]
    first, second, other = (_create(case, size, seed).arrays for seed in (SEED, SEED, SEED + 1))
    changed = [name for name in first if not np.array_equal(first[name], second[name])]
    if changed:
        fail(
            "the same first values from the same seed",
            f"others of {', '.join(changed)}",
            "draw them from the generator that `initial` is given, and no other",
        )
    if _weights(case, size) and all(np.array_equal(first[name], other[name]) for name in first):
        fail(
            "other first values from another seed",
            "the same of every weight",
            "draw them from the generator that `initial` is given: equal units would learn alike for ever",
        )


def check_vocabulary_axes(case: ArchitectureCase) -> None:
    """Check that one token more makes each weight longer by one along its `vocabulary_axis`, and changes no other."""
    for size in SIZES[1:]:
        smaller, larger = _weights(case, size), case.component.weights(size + 1)
        if list(smaller) != list(larger):
            fail(
                f"the same weights with {size} tokens as with {size + 1}",
                _difference(_shapes(smaller), _shapes(larger)),
                "let no name depend on the vocabulary's size",
            )
        for name, weight in smaller.items():
            wanted = _grown(name, weight)
            if larger[name].shape != wanted:
                fail(
                    f"{name}, of shape {weight.shape} with {size} tokens and vocabulary_axis={weight.vocabulary_axis}, "
                    f"to have shape {wanted} with one token more",
                    str(larger[name].shape),
                    "name the axis along which each token has a row: Weight((V, H), …, vocabulary_axis=0)",
                )


def check_growth(case: ArchitectureCase) -> None:
    """Check that a model for a larger vocabulary is a sound one, and keeps the values it had."""
    for size in SIZES[1:]:
        saved = _create(case, size)
        try:
            grown = case.component.grow(saved, size + 2, SEED + 1)
            arrays = case.component.check(grown)
        except Exception as error:
            fail(
                f"a model of {size} tokens to be grown to one of {size + 2} that check accepts",
                describe_error(error),
                "leave grow as it is inherited, or let it give the arrays that check expects",
            )
        if grown.vocabulary_size != size + 2:
            fail(f"a model of {size + 2} tokens", f"{grown.vocabulary_size}", "set the vocabulary's size")
        for name in _weights(case, size):
            old = saved.arrays[name]
            if not np.array_equal(arrays[name][tuple(map(slice, old.shape))], old):
                fail(
                    f"{name} to keep its values in the first places",
                    "others",
                    "add what is new behind them: the ids there were stay",
                )


def check_state(case: ArchitectureCase) -> None:
    """Check that each array of the state has whole numbers for its shape, and None in one place, for the rows."""
    for name, shape in case.component.state().items():
        sizes = tuple(size for size in shape if size is not None)
        if len(shape) - len(sizes) != 1 or not _is_shape(sizes):
            fail(
                f"one None, for the rows, among the whole numbers of the shape of {name}",
                repr(tuple(shape)),
                "return {'hidden': (num_layers, None, hidden_size)}, say",
            )
    if case.component.state() != case.component.state():
        fail("the same state whenever it is asked for", "another", "let it follow from the options alone")


def check_options_saved(case: ArchitectureCase) -> None:
    """Check that a model that was saved, written as a bundle has it and read back, has the same options and weights."""
    saved = _create(case, SIZES[-1])
    try:
        options = json.loads(json.dumps(dict(saved.options)))
        arrays = read_arrays(write_arrays(saved.arrays))
    except (TypeError, ValueError) as error:
        fail("options that are JSON and arrays that safetensors holds", describe_error(error), "declare plain options")
    read = attrs.evolve(saved, options=options, arrays=arrays)
    mend = "leave create, check and of as they are inherited, or let each take up all that the other gives"
    try:
        again = case.component.replace(**type(case.component).of(read).option_values())  # it knows its parts
        weights = again.check(read)
    except Exception as error:
        fail("the saved model to be read back", describe_error(error), mend)
    given = {name: value for name, value in case.component.option_values().items() if value is not None}
    kept = all(getattr(again, name) == value for name, value in given.items())  # what is None may be settled
    if not kept or saved.architecture != case.component.name:
        fail(f"the saved model to be one of {case.component.spec}", f"{saved.architecture}, {again!r}", mend)
    if not _is_equal(weights, saved.arrays):
        fail("check to give the weights that were saved", "others", mend)


def check_damage_refused(case: ArchitectureCase) -> None:
    """Check that a model with a weight missing, left over, misshapen or not finite is a `BundleError`."""
    saved = _create(case, SIZES[-1])
    kept = saved.arrays
    damaged: dict[str, Arrays] = {"with a weight too many": {**kept, "no.such.weight": np.zeros(1, np.float32)}}
    for name, array in kept.items():
        damaged |= {
            f"without {name}": {other: values for other, values in kept.items() if other != name},
            f"with {name} of another shape": {**kept, name: array[..., np.newaxis]},
        }
        if array.size and np.issubdtype(array.dtype, np.floating):
            damaged[f"with NaN in {name}"] = {**kept, name: np.full_like(array, np.nan)}
    for what, arrays in damaged.items():
        _expect_refusal(case.component, attrs.evolve(saved, arrays=arrays), what)


def check_window(case: ArchitectureCase) -> None:
    """Check that a model's window is None or a whole number of tokens, and is what a new model has."""
    window = case.component.model_window
    if window is not None and (not isinstance(window, int) or isinstance(window, bool) or window < 1):
        fail("a model_window of None or a whole number >= 1", repr(window), "return None where a state is carried on")
    saved = case.component.create(SIZES[-1], SEED)
    if saved.window != window:
        fail(f"a new model to have the window {window}", repr(saved.window), "leave create as it is inherited")


def check_training_defaults(case: ArchitectureCase) -> None:
    """Check that the training settings that it prefers are settings there are, with values they take."""
    try:
        TrainingSettings(**{"seed": SEED, **case.component.training_defaults})
    except (TypeError, ValueError) as error:
        fail(
            "training_defaults to be training settings", describe_error(error), "see `textforge train --help` for them"
        )


CHECKS = (
    component_checks.check_use,
    check_weights,
    check_first_values,
    check_seeds,
    check_vocabulary_axes,
    check_growth,
    check_state,
    check_options_saved,
    check_damage_refused,
    check_window,
    check_training_defaults,
    *component_checks.CHECKS,
)


def _weights(case: ArchitectureCase, size: int) -> Mapping[str, Weight]:
    weights = case.component.weights(size)
    if not weights:
        raise NotApplicable("it declares no weights")
    return weights


def _create(case: ArchitectureCase, size: int, seed: int = SEED) -> SavedModel:
    return case.component.create(size, seed)


def _grown(name: str, weight: Weight) -> tuple[int, ...]:
    """Return the shape with one token more."""
    axis = weight.vocabulary_axis
    if axis is None:
        return weight.shape
    if not 0 <= axis < len(weight.shape):
        fail(f"a vocabulary_axis from 0 to {len(weight.shape) - 1} for {name}", str(axis), "count axes from 0")
    return tuple(length + (place == axis) for place, length in enumerate(weight.shape))


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and all(type(size) is int and size >= 1 for size in shape)


def _shapes(weights: Mapping[str, Weight]) -> list[tuple[str, tuple[int, ...]]]:
    """Return names and shapes, in order."""
    return [(name, weight.shape) for name, weight in weights.items()]


def _difference(one: list[tuple[str, tuple[int, ...]]], other: list[tuple[str, tuple[int, ...]]]) -> str:
    changed = sorted(set(one) ^ set(other))
    return ", ".join(f"{name} {shape}" for name, shape in changed[:4]) or "another order"


def _is_equal(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def _expect_refusal(architecture: Architecture, saved: SavedModel, what: str) -> None:
    try:
        architecture.check(saved)
    except BundleError:
        return
    except Exception as error:
        got = describe_error(error)
    else:
        got = "no error"
    fail(f"a model {what} to be refused with a BundleError", got, "leave check as it is inherited, or call super()'s")
