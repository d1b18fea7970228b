"""What keeps a check from finding another check's fault."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def silenced() -> Iterator[None]:
    """Warnings say nothing."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def undisturbed(seed: int = 0) -> Iterator[None]:
    """Warnings say nothing, and the global generators, which nobody should use, give the same numbers each time."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    np.random.seed(seed)
    random.seed(seed)
    try:
        with silenced():
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
