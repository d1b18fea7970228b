from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from textforge.errors import GenerationError
from textforge.generation.drawing import Draw, UndrawableRow
from textforge.generation.randomness import RandomStreams

LARGEST = 1 - 2.0**-53


def draw(logits, uniform):
    logits = np.asarray(logits, dtype=np.float64)
    return Draw(*logits.shape).draw(logits, np.asarray(uniform, dtype=np.float64)).tolist()


def by_definition(logits, uniform):
    best = max(logits)
    sums, total = [], 0.0
    for logit in logits:
        total += float(np.exp(np.float64(logit - best)))
        sums.append(total)
    return next(id for id, sum_ in enumerate(sums) if sum_ > uniform * total)


@st.composite
def rows(draw):
    element = st.one_of(st.floats(-30, 30), st.just(-math.inf), st.integers(-2, 2).map(float))
    found = draw(hnp.arrays(np.float64, draw(st.tuples(st.integers(1, 5), st.integers(1, 20))), elements=element))
    found[:, draw(st.integers(0, found.shape[1] - 1))] = 1.5
    return found


UNIFORM = st.one_of(st.sampled_from([0.0, 0.5, LARGEST]), st.floats(0, LARGEST))


@given(rows(), st.data())
def test_one_row_many_rows_and_the_definition_agree(logits, data):
    uniform = data.draw(hnp.arrays(np.float64, len(logits), elements=UNIFORM))
    together = draw(logits, uniform)
    assert together == [draw(logits[row : row + 1], uniform[row : row + 1])[0] for row in range(len(logits))]
    assert together == [by_definition(*pair) for pair in zip(logits.tolist(), uniform.tolist(), strict=True)]
    assert all(logits[row, id] > -math.inf for row, id in enumerate(together))


def test_one_row_and_many_rows_agree_on_large_vocabularies():
    random = np.random.default_rng(1)
    logits, uniform = random.normal(size=(64, 3001)) * 4, random.random(64)
    assert draw(logits, uniform) == [draw(logits[i : i + 1], uniform[i : i + 1])[0] for i in range(64)]


@pytest.mark.parametrize("rows", [1, 3])
def test_what_has_no_probability_is_never_drawn(rows):
    logits = np.tile([-math.inf, -1000.0, 0.0, -math.inf, 0.0, -math.inf], (rows, 1))
    assert draw(logits, [0.0] * rows) == [2] * rows
    assert draw(logits, [LARGEST] * rows) == [4] * rows
    assert draw(logits, [0.5] * rows) == [4] * rows


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1.0])
def test_logits_of_any_size_can_be_drawn_from(scale):
    assert draw([[-scale, 0.0, scale / 2]], [LARGEST]) == [2]


def test_draws_follow_the_probabilities():
    probabilities = np.array([0.3, 0.0, 0.05, 0.2, 0.001, 0.149, 0.1, 0.2])
    with np.errstate(divide="ignore"):
        logits = np.tile(np.log(probabilities), (2000, 1)) + 3
    uniform = RandomStreams(1, range(20), 0).page(0, 10_000).reshape(100, 2000)
    drawing = Draw(2000, 8).draw
    counts = sum(np.bincount(drawing(logits, row), minlength=8) for row in uniform)
    possible = probabilities > 0
    expected = probabilities[possible] * 200_000
    assert counts.sum() == 200_000
    assert counts[1] == 0
    # chi-squared with 6 degrees of freedom: its tail is exp(-x/2) (1 + x/2 + x²/8)
    statistic = float(((counts[possible] - expected) ** 2 / expected).sum())
    assert math.exp(-statistic / 2) * (1 + statistic / 2 + statistic**2 / 8) > 1e-4


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ([0.0, math.nan, 1.0], "hold NaN"),
        ([math.nan] * 3, "hold NaN"),
        ([math.nan, math.inf, 0.0], "hold NaN"),
        ([0.0, math.inf, 1.0], "hold +inf"),
        ([math.inf, -math.inf, math.inf], "hold +inf"),
        ([-math.inf] * 3, "rule out every token"),
    ],
)
@pytest.mark.parametrize("others", [0, 2])
def test_bad_rows_are_refused(row, problem, others):
    logits = [[0.0, 1.0, 2.0]] * others + [row] + [[0.0, 1.0, 2.0]] * others
    with pytest.raises(GenerationError) as refused:
        draw(logits, [0.5] * len(logits))
    assert isinstance(refused.value, UndrawableRow)
    assert (refused.value.row, refused.value.problem) == (others, problem)
