"""Runs limited by time, with a scripted clock: they use their minutes, whatever the machine does."""

from __future__ import annotations

import functools
import itertools
import signal
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from loop_runs import (
    Recorder,
    SimulatedTime,
    TimedModel,
    TimedRecorder,
    assert_same_model,
    fit_timed,
    make_data,
    make_settings,
    run,
)

from textforge.errors import TrainingError
from textforge.evaluation.loss import token_loss
from textforge.training import loop, validating
from textforge.training.batches import make_batches
from textforge.training.checkpoint import Course, Position
from textforge.training.clock import Clock
from textforge.training.costs import Costs
from textforge.training.plan import LEAST_VALIDATION, Plan
from textforge.training.schedule import find_pace, find_progress, learning_rate


def test_a_run_by_time_keeps_to_the_time_and_ends_at_the_lowest_rate() -> None:
    settings = make_settings(epochs=None, minutes=1.5 / 60)
    _, recorder, model = run(settings, make_data(20_000))
    last = recorder.checkpoints[-1].position
    assert last.total_steps == last.step == len(model.calls)
    assert 0.5 < last.seconds < 4
    assert recorder.results[-1].step == last.step
    assert len(recorder.results) <= 52
    rates = [call["learning_rate"] for call in model.calls]
    assert max(rates[: len(rates) // 10]) == pytest.approx(0.5, rel=0.02)
    assert rates[-1] < 0.02


def make_slowness(changes: list[tuple[float, float]], seconds: float) -> Callable[[float], float]:
    """Return a slowness that becomes a factor at each share of so many seconds."""

    def slowness(now: float) -> float:
        factor = 1.0
        for share, then in sorted(changes):
            factor = then if now >= share * seconds else factor
        return factor

    return slowness


FACTORS = st.sampled_from([1 / 3, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0])
CHANGES = st.lists(st.tuples(st.floats(0, 1), FACTORS), min_size=1, max_size=4).filter(
    # from one to the next no more than threefold
    lambda changes: all(
        1 / 3.01 <= after[1] / before[1] <= 3.01 for before, after in itertools.pairwise([(0.0, 1.0), *sorted(changes)])
    )
)


@settings(max_examples=20, deadline=None)
@example(minutes=0.3, changes=[(0.95, 3.0)], tokens=30_000, step_seconds=0.01, saving=0.05, telling=0.0)
@example(minutes=0.3, changes=[(0.99, 3.0)], tokens=30_000, step_seconds=0.01, saving=0.05, telling=0.0)
@example(minutes=0.3, changes=[(0.9, 1 / 3)], tokens=30_000, step_seconds=0.01, saving=0.0, telling=0.1)
@given(
    minutes=st.floats(0.25, 0.7),
    changes=CHANGES,
    tokens=st.sampled_from([1200, 30_000, 400_000]),
    step_seconds=st.floats(0.005, 0.02),
    saving=st.sampled_from([0.0, 0.02, 0.1]),
    telling=st.sampled_from([0.0, 0.05]),
)
def test_a_run_uses_its_minutes_though_the_speed_changes_threefold(
    minutes: float,
    changes: list[tuple[float, float]],
    tokens: int,
    step_seconds: float,
    saving: float,
    telling: float,
) -> None:
    time = SimulatedTime()
    model, recorder = TimedModel.at(time), TimedRecorder(time, saving, telling)
    model.learns = False
    model.step_seconds, model.loss_seconds = step_seconds, step_seconds / 3
    model.slowness = make_slowness(changes, 60 * minutes)  # type: ignore[method-assign]
    fit_timed(model, recorder, minutes, tokens)
    assert time.now == pytest.approx(60 * minutes, rel=0.05)
    rates = [call["learning_rate"] for call in model.calls]
    assert rates[-1] < 0.5 * 0.03  # the end is annealed
    warm = rates.index(max(rates))
    assert rates[warm:] == sorted(rates[warm:], reverse=True)
    assert max(abs(np.diff(rates[warm:]))) < 0.5 * 0.05


@pytest.mark.parametrize("drift", [3.0, 1 / 3])
def test_a_run_uses_its_minutes_though_the_speed_drifts(drift: float) -> None:
    time = SimulatedTime()
    model, recorder = TimedModel.at(time), Recorder()
    model.learns = False
    model.slowness = lambda now: drift ** (now / 30)  # type: ignore[method-assign]
    fit_timed(model, recorder, 0.5, schedule="cosine")
    assert time.now == pytest.approx(30, rel=0.02)
    rates = [call["learning_rate"] for call in model.calls]
    middle = next(p.learning_rate for p in recorder.progress if p.seconds >= 15)
    assert middle == pytest.approx(0.255, rel=0.1), "half of the schedule is done in half of the time"
    assert rates[-1] < 0.5 * 0.03


def test_a_stall_of_the_machine_changes_little() -> None:
    time = SimulatedTime()
    model, recorder = TimedModel.at(time), Recorder()
    model.learns = False
    model.slowness = lambda now: 200.0 if 9 < now < 9.1 else 1.0  # type: ignore[method-assign]
    fit_timed(model, recorder, 0.5)
    assert time.now == pytest.approx(30, rel=0.02)
    rates = [call["learning_rate"] for call in model.calls]
    assert max(abs(np.diff(rates[200:]))) < 0.5 * 0.005


@pytest.mark.parametrize("interrupted", [1, 3, 4, 333, 1500])
def test_resumed_it_decides_as_if_never_interrupted(monkeypatch: pytest.MonkeyPatch, interrupted: int) -> None:
    def make() -> TimedModel:
        model = TimedModel.at(SimulatedTime())
        model.step_seconds, model.loss_seconds = 1 / 64, 40 / 2**13  # sums of these have no rounding
        model.slowness = make_slowness([(0.3, 3.0), (0.6, 0.5), (0.9, 1.0)], 30.0)  # type: ignore[method-assign]
        return model

    whole, recorder = make(), Recorder()
    fit_timed(whole, recorder, 0.5)
    stopped, first = make(), Recorder()
    step = TimedModel.train_step

    def stepping(self: TimedModel, *arguments: Any, **keywords: Any) -> Any:
        if keywords["step"] == interrupted - 1:
            signal.raise_signal(signal.SIGINT)
        return step(self, *arguments, **keywords)

    monkeypatch.setattr(TimedModel, "train_step", stepping)
    with pytest.raises(KeyboardInterrupt):
        fit_timed(stopped, first, 0.5)
    monkeypatch.undo()
    checkpoint = first.checkpoints[-1]
    assert checkpoint.position.step == interrupted
    resumed = make()
    resumed.weights = {name: array.copy() for name, array in checkpoint.model.arrays.items()}
    resumed.time.now = stopped.time.now
    after = Recorder()
    fit_timed(resumed, after, 0.5, checkpoint=checkpoint)
    assert [call["learning_rate"] for call in stopped.calls + resumed.calls] == [
        call["learning_rate"] for call in whole.calls
    ]
    assert_same_model(after.checkpoints[-1].model, recorder.checkpoints[-1].model)
    assert after.checkpoints[-1].position == recorder.checkpoints[-1].position


def test_minutes_too_few_for_a_step_are_refused() -> None:
    time = SimulatedTime()
    model, recorder = TimedModel.at(time), Recorder()
    model.step_seconds = 3.0
    with pytest.raises(TrainingError) as error:
        fit_timed(model, recorder, 0.02)
    assert str(error.value) == (
        "0.02 minutes are too few: the first step was done after 0.05; give more minutes, or epochs=1"
    )
    assert recorder.checkpoints == []


@given(
    step=st.integers(4, 900),
    total=st.integers(901, 3000),
    progress=st.floats(0.05, 0.9),
    seconds=st.floats(0, 59),
    speed=st.floats(0.001, 1),
)
def test_a_correction_changes_no_rate_but_its_slope(
    step: int, total: int, progress: float, seconds: float, speed: float
) -> None:
    made = make_settings(epochs=None, minutes=1)
    plan = Plan(made, make_batches(make_data().train, made))
    course = Course(step=step // 2, progress=progress, seconds=seconds / 2)
    position = Position(step=step, total_steps=total, course=course, costs=Costs(step=speed))
    corrected = plan.correct(position, seconds, seconds)
    assert corrected.total_steps is not None
    if corrected.total_steps > step:
        assert learning_rate(made, corrected) == pytest.approx(learning_rate(made, position), rel=1e-9)
        end = attrs.evolve(corrected, step=corrected.total_steps - 1)
        last = find_progress(made, end) + find_pace(made, end)
        assert last == pytest.approx(1.0)


def count_calls(patch: pytest.MonkeyPatch, cls: type, name: str) -> list[Any]:
    """Return a list that grows by one with each call of a method."""
    calls: list[Any] = []
    method = getattr(cls, name)

    def counting(*arguments: Any) -> Any:
        calls.append(arguments)
        return method(*arguments)

    patch.setattr(cls, name, counting)
    return calls


@settings(max_examples=15, deadline=None)
@example(minutes=0.25, tokens=30_000, slow=0.0, step_seconds=1 / 64, loss_share=0.125, compiling=0.4, windows=False)
@example(minutes=0.25, tokens=30_000, slow=0.0, step_seconds=3 / 128, loss_share=1.0, compiling=0.0, windows=True)
@given(
    minutes=st.floats(0.2, 0.7),
    tokens=st.sampled_from([1200, 30_000, 400_000]),
    slow=st.floats(0, 0.4),
    step_seconds=st.floats(0.01, 0.03),
    loss_share=st.floats(0.05, 1),
    compiling=st.sampled_from([0.0, 0.4]),
    windows=st.booleans(),
)
def test_a_run_by_time_ends_in_time(
    minutes: float,
    tokens: int,
    slow: float,
    step_seconds: float,
    loss_share: float,
    compiling: float,
    windows: bool,
) -> None:
    time = SimulatedTime()
    model = TimedModel.at(time)
    model.step_seconds = step_seconds
    # of 40 tokens; a step has 4 x 10, or 4 x 20 in windows, and predicting a token costs no more than training on it
    model.loss_seconds = loss_share * step_seconds / (2 if windows else 1)
    model.slow_steps = int(slow * 0.05 * 60 * minutes / (5 * step_seconds))  # as it gets up to speed
    model.compiling = compiling
    recorder = Recorder()
    made = make_settings(epochs=None, minutes=minutes, patience=None)
    if windows:
        made = made.replace(sequences="windows", window=20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "Clock", functools.partial(Clock, now=time))
        validations = count_calls(patch, validating.Validation, "loss")
        loop.fit(model, make_data(tokens), made, recorder)
    # where a step more would end an epoch, and so ask for a validation more, the time of one is left over
    one_validation = model.validating / len(validations)
    tolerance = 0.05 * 60 * minutes + one_validation
    assert recorder.checkpoints[-1].position.seconds == pytest.approx(60 * minutes, abs=tolerance)
    reads = (LEAST_VALIDATION + made.window) * (made.window / made.stride if windows else 1)
    least = reads / 40 * model.loss_seconds  # below that, a loss says little
    assert one_validation < max(0.1 * 60 * minutes, 1.01 * least)
    assert recorder.results[0].seconds < 0.1 * 60 * minutes + 3  # its first line comes early
    assert len(recorder.results) <= 53


def test_minutes_too_are_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings(epochs=None, minutes=0.5 / 60)
    recorder, time = Recorder(), SimulatedTime()
    monkeypatch.setattr(loop, "Clock", functools.partial(Clock, now=time))
    loop.fit(TimedModel.at(time), make_data(), settings, recorder)
    with pytest.raises(TrainingError, match=r"0\.0\d+ minutes are done.* for 0\.008333 more ask for minutes=0\.0\d+"):
        run(settings, checkpoint=recorder.checkpoints[-1])
    position = attrs.evolve(recorder.checkpoints[-1].position, total_steps=None)
    checkpoint = attrs.evolve(recorder.checkpoints[-1], position=position)
    with pytest.raises(TrainingError, match="nothing is left to learn"):
        run(make_settings(epochs=None, minutes=1e-5), checkpoint=checkpoint)


def test_validation_by_time_reads_a_part_of_a_long_text_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[Any] = []

    def loss(model: Any, tokens: Any, **keywords: Any) -> Any:
        parts.append(tokens)
        return token_loss(model, tokens, **keywords)

    monkeypatch.setattr(validating, "token_loss", loss)
    time = SimulatedTime()
    monkeypatch.setattr(loop, "Clock", functools.partial(Clock, now=time))
    recorder, messages = Recorder(), []
    recorder.message = messages.append  # type: ignore[method-assign]
    data = make_data(6_000_000, validation=0.5)
    model = TimedModel.at(time)
    settings = make_settings(epochs=None, minutes=1 / 60)
    loop.fit(model, data, settings, recorder)
    last = recorder.checkpoints[-1]
    assert last.position.seconds < 1.5
    assert {len(part) for part in parts} == {last.position.validation_tokens}
    assert all(np.array_equal(part, parts[0]) for part in parts)
    assert len(parts[0]) < 3_000_000 / 5
    assert f"on {len(parts[0]):,} of 3,000,000 tokens: the same part each time" in messages[0]
    more = make_settings(epochs=None, minutes=1.2 / 60)
    position = attrs.evolve(last.position, total_steps=None)
    loop.fit(TimedModel.at(time, last.model), data, more, Recorder(), attrs.evolve(last, position=position))
    assert np.array_equal(parts[-1], parts[0])


@pytest.mark.parametrize(("epochs", "minutes", "ends_by"), [(3, 5.0, "epochs"), (1000, 0.3, "minutes")])
def test_of_epochs_and_minutes_the_first_to_end_ends_the_run(
    epochs: int, minutes: float, ends_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, recorder = SimulatedTime(), Recorder()
    monkeypatch.setattr(loop, "Clock", functools.partial(Clock, now=time))
    settings = make_settings(epochs=epochs, minutes=minutes, patience=None)
    loop.fit(TimedModel.at(time), make_data(8_000), settings, recorder)
    last, last_model = recorder.checkpoints[-1].position, recorder.checkpoints[-1].model
    if ends_by == "epochs":
        assert (last.epoch, last.step) == (epochs - 1, last.step_in_epoch * epochs)
        assert last.seconds < 0.5 * 60 * minutes
        assert [result.epoch for result in recorder.results] == [1, 2, 3]
    else:
        assert last.seconds == pytest.approx(60 * minutes, rel=0.05)
    assert learning_rate(settings, last) < 0.05 * settings.peak_learning_rate
    with pytest.raises(TrainingError, match=f"nothing is left to learn: .* {ends_by} are done"):
        loop.fit(TimedModel.at(time, last_model), make_data(8_000), settings, Recorder(), recorder.checkpoints[-1])


def test_a_run_of_both_limits_that_is_resumed_ends_where_it_was_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings(epochs=3, minutes=5.0, patience=None)
    whole, stopped = Recorder(), Recorder()
    time = SimulatedTime()
    monkeypatch.setattr(loop, "Clock", functools.partial(Clock, now=time))
    loop.fit(TimedModel.at(time), make_data(8_000), settings, whole)
    half = whole.checkpoints[0]
    loop.fit(TimedModel.at(time, half.model), make_data(8_000), settings, stopped, half)
    assert stopped.checkpoints[-1].position.total_steps == whole.checkpoints[-1].position.total_steps
    assert stopped.checkpoints[-1].position.step == whole.checkpoints[-1].position.step
