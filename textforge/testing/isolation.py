"""Isolation of checks from each other and from the global generators of random numbers."""

from __future__ import annotations

import pickle
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

SEED = 918_273
"""No component is likely to seed a generator with this one: a state that it sets differs from ours."""


@contextmanager
def silence_warnings() -> Iterator[None]:
    """Suppress warnings."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def guard_generators(seed: int = 0) -> Iterator[None]:
    """Suppress warnings, and let the global generators, which nobody should use, give the same numbers each time."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    np.random.seed(seed)
    random.seed(seed)
    try:
        with silence_warnings():
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


@contextmanager
def keep_frameworks() -> Iterator[None]:
    """Move the global generators of the imported frameworks on, and put them back afterwards.

    A state that a component has set already would else stay as it is when it is set again.
    """
    states = [(module, module.get_rng_state()) for module in _frameworks().values()]
    for module, _ in states:
        module.rand(1)
    try:
        yield
    finally:
        for module, state in states:
            module.set_rng_state(state)


def generator_states() -> dict[str, bytes]:
    """Return the states of the global generators: Python's, NumPy's, and those of the frameworks that are imported."""
    states = {"random": pickle.dumps(random.getstate()), "numpy.random": pickle.dumps(np.random.get_state())}
    for name, module in _frameworks().items():
        states[name] = np.asarray(module.get_rng_state()).tobytes()
    return states


def _frameworks() -> dict[str, Any]:
    """Return the imported packages that have a global generator, known by the functions that give and take its state.

    A framework counts only where it is imported: nothing is imported to look.
    """
    needed = ("get_rng_state", "set_rng_state", "rand")
    return {
        name: module
        for name, module in list(sys.modules.items())
        if "." not in name and all(callable(getattr(module, "__dict__", {}).get(one)) for one in needed)
    }
