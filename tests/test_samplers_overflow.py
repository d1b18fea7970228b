"""Overflow as an error: whatever NumPy's error state is outside, which stays as it was, and in many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from textforge.samplers import overflow

LARGE = np.array([1.0, 1e308])
BOTH = pytest.mark.parametrize("call", [overflow.raise_overflow, overflow._raise_overflow_anywhere])
"""By the context, and as NumPy 1 needs it."""


@BOTH
@pytest.mark.parametrize("outside", ["ignore", "warn", "raise"])
def test_overflow_is_an_error_whatever_the_state_outside_which_stays(call, outside):
    with np.errstate(over=outside):
        with pytest.raises(FloatingPointError, match="overflow"):
            call(np.divide, LARGE, 0.5)
        assert np.geterr()["over"] == outside


@BOTH
def test_what_is_computed_is_returned(call):
    assert call(np.divide, LARGE, np.array(2.0)).tolist() == [0.5, 5e307]


@BOTH
def test_other_errors_are_passed_on(call):
    with pytest.raises(ZeroDivisionError):
        call(lambda: 1 // 0)


@BOTH
def test_calls_may_be_nested_and_made_by_many_threads_at_once(call):
    def compute(number: int) -> float:
        return float(call(lambda: call(np.multiply, number, 2.0) + 1))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(compute, range(500))) == [2.0 * number + 1 for number in range(500)]
