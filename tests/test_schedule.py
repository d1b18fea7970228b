from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textforge.training.checkpoint import Position
from textforge.training.plan import Plan
from textforge.training.schedule import FLOOR, begin_course, learning_rate
from textforge.training.settings import TrainingSettings


def rates(total: int, **settings: Any) -> list[float]:
    made = TrainingSettings(seed=0, learning_rate=2.0, **settings)
    course = begin_course(made)
    return [learning_rate(made, Position(step=step, total_steps=total, course=course)) for step in range(total)]


@given(total=st.integers(1, 500), schedule=st.sampled_from(["cosine", "wsd"]))
def test_the_rate_rises_then_falls_to_the_floor(total: int, schedule: str) -> None:
    values = rates(total, epochs=1, schedule=schedule)
    top = values.index(max(values))
    assert values[: top + 1] == sorted(values[: top + 1])
    assert values[top:] == sorted(values[top:], reverse=True)
    assert all(0 < value <= 2.0 for value in values)
    if total >= 100:
        assert max(values) == pytest.approx(2.0, rel=1e-3)
        assert values[-1] == pytest.approx(2.0 * FLOOR, rel=0.15)


def test_cosine_is_the_formula_after_the_warm_up() -> None:
    values = rates(1000, epochs=1, schedule="cosine")
    assert values[:3] == pytest.approx([2 / 20, 4 / 20, 6 / 20])
    middle = 20 + 490
    assert values[middle] == pytest.approx(2 * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi / 2)) / 2))


def test_wsd_stays_at_the_highest_rate_and_falls_by_the_cosine() -> None:
    values = rates(1000, epochs=1)
    assert values[20 : 20 + 588] == [2.0] * 588
    for share in (0.25, 0.5, 0.75):
        expected = 2 * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * share)) / 2)
        assert values[20 + 588 + int(392 * share)] == pytest.approx(expected)


def test_constant_is_constant() -> None:
    assert set(rates(100, schedule="constant")) == {2.0}


@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 0.01), ("rmsprop", 0.003), ("sgd", 0.5)])
def test_each_optimizer_has_its_default_rate(optimizer: str, rate: float) -> None:
    assert TrainingSettings(seed=0, optimizer=optimizer).peak_learning_rate == rate


class FewBatches:
    """As much of batches as a plan asks for."""

    rows, length, sequences, carries_state = 4, 10, 0, True
    tokens_per_step = 40

    def __init__(self, steps_per_epoch: int) -> None:
        self.steps_per_epoch = steps_per_epoch

    def batch(self, epoch: int, step: int) -> Any:
        raise NotImplementedError


@given(
    epoch=st.integers(1, 60),
    step=st.integers(1, 300),
    steps=st.integers(0, 900),
    since=st.integers(0, 300),
)
def test_the_evaluations_that_a_plan_counts_on_are_those_that_are_due(
    epoch: int, step: int, steps: int, since: int
) -> None:
    plan = Plan(TrainingSettings(seed=0, minutes=1), FewBatches(epoch))
    position = Position(step=step, evaluated_step=max(0, step - since), total_steps=step + steps)
    expected = plan.count_evaluations(position, steps)
    due = 0
    for at in range(step, step + steps + 1):
        in_epoch = (at - 1) % epoch + 1
        position = attrs.evolve(position, step=at, step_in_epoch=in_epoch)
        if plan.evaluation_is_due(position):
            due += 1
            position = attrs.evolve(position, evaluated_step=at)
    assert expected == due
