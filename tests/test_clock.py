from __future__ import annotations

import pytest

from textforge.training.clock import Clock


class Time:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def train(clock: Clock, time: Time, steps: int, seconds: float) -> None:
    for _ in range(steps):
        time.now += seconds
        clock.count_step()


def test_the_speed_is_that_of_training_alone() -> None:
    time = Time()
    clock = Clock(5.0, time)
    clock.start()
    train(clock, time, 2, 3.0)  # a framework gets ready
    for _ in range(3):
        train(clock, time, 50, 0.01)
        with clock.pause():
            time.now += 0.4
            with clock.pause():
                time.now += 0.2
            assert clock.steps_per_second == pytest.approx(100)
            assert clock.take_rate() == pytest.approx(100)
        assert clock.steps_per_second == pytest.approx(100)
    train(clock, time, 50, 0.02)
    assert clock.take_rate() == pytest.approx(50)
    assert clock.steps_per_second == pytest.approx(200 / 2.5)
    assert clock.seconds == pytest.approx(5 + 6 + 1.5 + 1.8 + 1)


def test_nothing_measured_is_no_speed() -> None:
    time = Time()
    clock = Clock(0.0, time)
    assert (clock.steps_per_second, clock.take_rate()) == (0, 0)
    train(clock, time, 2, 1.0)
    assert (clock.steps_per_second, clock.take_rate()) == (0, 0)


def test_a_pause_before_the_first_steps_counts_for_nothing() -> None:
    time = Time()
    clock = Clock(0.0, time)
    with clock.pause():
        time.now += 7
    train(clock, time, 12, 0.5)
    assert clock.steps_per_second == pytest.approx(2)


def test_intervals() -> None:
    time = Time()
    clock = Clock(0.0, time)
    clock.start()
    assert not clock.is_due("a", 1.0)
    time.now += 1
    assert clock.is_due("a", 1.0)
    assert not clock.is_due("a", 1.0)
    assert clock.is_due("b", 1.0)
