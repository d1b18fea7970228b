"""Rounds of the schedule: a run that is asked for more, and one that comes to an early end."""

from __future__ import annotations

import itertools
import signal
from typing import Any

import attrs
import numpy as np
import pytest
from bigram_plugin import BigramModel, make_bigram
from loop_runs import (
    Recorder,
    SimulatedTime,
    TimedModel,
    assert_same_model,
    fit_timed,
    make_data,
    make_settings,
    run,
)

from textforge.training import loop
from textforge.training.checkpoint import Checkpoint, Course, Position
from textforge.training.costs import Costs
from textforge.training.resuming import change_limit, change_schedule
from textforge.training.schedule import HOLD
from textforge.training.trend import Trend


class Telling(Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def go_on(checkpoint: Checkpoint, **changes: Any) -> tuple[list[float], Telling]:
    """Return the rates of a run that goes on, and what it told."""
    model, report = BigramModel(checkpoint.model), Telling()
    loop.fit(model, make_data(), make_settings(**changes), report, checkpoint)
    return [call["learning_rate"] for call in model.calls], report


def interrupt(monkeypatch: pytest.MonkeyPatch, at: int, **changes: Any) -> Checkpoint:
    """Return the checkpoint of a run that was interrupted after so many steps."""
    step, recorder = BigramModel.train_step, Recorder()

    def stepping(self: BigramModel, *arguments: Any, **keywords: Any) -> Any:
        if keywords["step"] == at - 1:
            signal.raise_signal(signal.SIGINT)
        return step(self, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(BigramModel, "train_step", stepping)
        with pytest.raises(KeyboardInterrupt):
            loop.fit(make_bigram(5, 1), make_data(), make_settings(**changes), recorder)
    return recorder.checkpoints[-1]


def rates_of(model: BigramModel) -> list[float]:
    return [call["learning_rate"] for call in model.calls]


@pytest.mark.parametrize("done", [1, 4])
def test_a_run_at_its_end_that_is_asked_for_more_warms_up_again_and_says_so(done: int) -> None:
    _, recorder, _ = run(make_settings(epochs=done, schedule="cosine"))
    rates, report = go_on(recorder.checkpoints[-1], epochs=6, schedule="cosine")
    assert rates.index(0.5) <= 0.03 * len(rates)
    assert rates.count(0.5) == pytest.approx(0.98 * HOLD * len(rates), abs=2)
    assert rates[-1] < 0.05 * 0.5
    [message] = report.messages
    assert message == (
        "the learning rate had come to its end: it rises to 0.5 again, stays there for 60% of the new steps, "
        "and falls until epoch 6"
    )
    assert report.checkpoints[-1].position.trend.began == recorder.checkpoints[-1].position.step


def ask_for_more(checkpoint: Checkpoint, before: dict[str, Any], now: dict[str, Any]) -> tuple[Recorder, Telling]:
    """Return the recorder of a run that goes on with another limit, as `textforge.train` has it."""
    changed = change_limit(checkpoint, make_settings(**before), make_settings(**now))
    report = Telling()
    loop.fit(BigramModel(changed.model), make_data(), make_settings(**now), report, changed)
    return report, report


@pytest.mark.parametrize("totals", [[1, 6], [1, 2, 3, 4, 5, 6], [5, 6], [2, 8]], ids=str)
def test_asked_for_more_a_run_ends_as_if_all_had_been_asked_for_at_once(totals: list[int]) -> None:
    more: dict[str, Any] = {"warm_up": 0.0}  # whose share of the steps would differ
    _, recorder, _ = run(make_settings(epochs=totals[0], **more))
    for before, now in itertools.pairwise(totals):
        recorder, _ = ask_for_more(recorder.checkpoints[-1], {"epochs": before, **more}, {"epochs": now, **more})
    _, at_once, _ = run(make_settings(epochs=totals[-1], **more))
    last, expected = recorder.checkpoints[-1], at_once.checkpoints[-1]
    assert_same_model(last.model, expected.model)
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(last.arrays[name], array)
    assert recorder.results[-1].validation_loss == at_once.results[-1].validation_loss
    assert recorder.results[-1].train_loss == at_once.results[-1].train_loss
    assert last.history[-1].epoch == totals[-1]
    assert last.position.best_loss <= expected.position.best_loss  # an older one may have been better


def test_that_it_goes_back_is_said() -> None:
    _, recorder, _ = run(make_settings(epochs=1))
    _, report = ask_for_more(recorder.checkpoints[-1], {"epochs": 1}, {"epochs": 6})
    [message] = report.messages
    assert message == (
        "the learning rate had begun to fall: training goes back to epoch 0.615, where it was still 0.5; "
        "it stays so for 60% of all steps, and falls until epoch 6"
    )
    epochs = [result.epoch for result in report.checkpoints[-1].history]
    assert epochs == [1, 1, 2, 3, 4, 5, 6]  # the fall that was taken back happened too


def test_interrupted_in_its_fall_and_asked_for_more_it_goes_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    more: dict[str, Any] = {"warm_up": 0.0}
    checkpoint = interrupt(monkeypatch, 90, epochs=4, **more)
    recorder, _ = ask_for_more(checkpoint, {"epochs": 4, **more}, {"epochs": 8, **more})
    _, at_once, _ = run(make_settings(epochs=8, **more))
    assert_same_model(recorder.checkpoints[-1].model, at_once.checkpoints[-1].model)


@pytest.mark.parametrize("at", [61, 62, 63, 64, 70, 90, 103])
def test_the_turn_is_kept_by_a_run_that_is_interrupted_after_it(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    more: dict[str, Any] = {"warm_up": 0.0}
    checkpoint = interrupt(monkeypatch, at, epochs=4, **more)
    _, recorder = go_on(checkpoint, epochs=4, **more)
    again, _ = ask_for_more(recorder.checkpoints[-1], {"epochs": 4, **more}, {"epochs": 5, **more})
    _, at_once, _ = run(make_settings(epochs=5, **more))
    assert_same_model(again.checkpoints[-1].model, at_once.checkpoints[-1].model)


def test_with_fewer_epochs_and_then_more_it_goes_back_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = interrupt(monkeypatch, 52, epochs=4)
    recorder, _ = ask_for_more(checkpoint, {"epochs": 4}, {"epochs": 3})
    assert recorder.checkpoints[-1].turn is not None
    _, report = ask_for_more(recorder.checkpoints[-1], {"epochs": 3}, {"epochs": 8})
    assert report.messages[0].startswith("the learning rate had begun to fall")


def test_a_turn_of_an_older_round_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, RISING)
    _, recorder, _ = run(make_settings(epochs=100))
    ended = recorder.checkpoints[-1]
    assert ended.turn is not None
    again, _ = go_on(ended, epochs=100), None
    last = again[1].checkpoints[0]
    assert last.position.trend.began == ended.position.step
    assert last.turn is None or last.turn.is_of(last.position)


def test_after_an_early_end_more_epochs_train_further(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, RISING)
    _, recorder, _ = run(make_settings(epochs=100))
    ended = recorder.checkpoints[-1]
    further, _ = ask_for_more(ended, {"epochs": 100}, {"epochs": 200})
    assert further.checkpoints[-1].position.step > 1.2 * ended.position.step


def test_a_patience_measures_by_what_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    falling = [1.5, 1.4, 1.3, 1.2]  # as the rate falls, after six epochs at the highest
    scripted(monkeypatch, [2.0, 1.9, 1.8, 1.7, 1.65, 1.6, *falling])
    _, recorder, _ = run(make_settings(epochs=10, patience=3))
    assert recorder.checkpoints[-1].turn is not None
    scripted(monkeypatch, [1.6] * 6 + [1.59 - 0.01 * epoch for epoch in range(24)])
    before, now = {"epochs": 10, "patience": 3}, {"epochs": 30, "patience": 3}
    further, _ = ask_for_more(recorder.checkpoints[-1], before, now)
    assert further.results[-1].epoch == 30
    assert further.checkpoints[-1].position.best_loss == 1.2


def test_another_schedule_is_followed_from_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = interrupt(monkeypatch, 40, epochs=4, schedule="cosine")
    now = make_settings(epochs=4, schedule="wsd")
    changed = change_schedule(checkpoint, now)
    rates, _ = go_on(changed, epochs=4, schedule="wsd")
    _, _, whole = run(now)
    assert rates == rates_of(whole)[40:]


@pytest.mark.parametrize(("minutes", "goes_back"), [(0.21, False), (0.27, False), (0.3, True), (0.6, True)])
def test_minutes_too_few_to_come_further_again_are_another_round(minutes: float, goes_back: bool) -> None:
    time = SimulatedTime()
    model, recorder = TimedModel.at(time), Recorder()
    fit_timed(model, recorder, 0.2)
    last = recorder.checkpoints[-1]
    before, now = ({"epochs": None, "minutes": limit, "patience": None} for limit in (0.2, minutes))
    changed = change_limit(last, make_settings(**before), make_settings(**now))
    assert changed.goes_back is goes_back
    again, after = TimedModel.at(time, changed.model), Telling()
    fit_timed(again, after, minutes, checkpoint=changed)
    assert time.now == pytest.approx(60 * minutes, rel=0.05)
    rates = rates_of(again)
    assert max(rates) == pytest.approx(0.5, rel=0.02)
    assert rates[-1] < 0.02
    steps = after.checkpoints[-1].position.step
    assert steps > last.position.step, "it comes further than before"
    highest = sum(rate == max(rates) for rate in rates)
    assert after.messages[0].startswith("the learning rate had begun to fall") == goes_back
    if goes_back:
        began = changed.position.step
        assert (began + highest) / steps == pytest.approx(0.02 + 0.98 * HOLD, abs=0.03)


def test_a_round_that_is_interrupted_is_resumed_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    _, recorder, _ = run(make_settings(epochs=2))
    before = recorder.checkpoints[-1]
    whole, _, model = run(make_settings(epochs=5), checkpoint=before)
    step = BigramModel.train_step

    def stepping(self: BigramModel, *arguments: Any, **keywords: Any) -> Any:
        if keywords["step"] == before.position.step + 20:
            signal.raise_signal(signal.SIGINT)
        return step(self, *arguments, **keywords)

    stopped, first = Recorder(), BigramModel(before.model)
    with monkeypatch.context() as patch:
        patch.setattr(BigramModel, "train_step", stepping)
        with pytest.raises(KeyboardInterrupt):
            loop.fit(first, make_data(), make_settings(epochs=5), stopped, before)
    rates, report = go_on(stopped.checkpoints[-1], epochs=5)
    assert rates_of(first) + rates == rates_of(model)
    assert_same_model(report.checkpoints[-1].best, whole)
    assert report.messages == []


@pytest.mark.parametrize("epochs", [2, 8])
def test_interrupted_and_asked_for_other_epochs_it_goes_on_from_its_rate(
    monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    checkpoint = interrupt(monkeypatch, 40, epochs=4)
    _, _, whole = run(make_settings(epochs=4))
    rates, report = go_on(checkpoint, epochs=epochs)
    assert rates[0] == pytest.approx(rates_of(whole)[40], rel=0.1)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.02
    assert report.messages == [f"the learning rate goes on from where it is, and falls until epoch {epochs}"]


def test_a_constant_rate_stays_constant_and_nothing_is_said() -> None:
    _, recorder, _ = run(make_settings(epochs=1, schedule="constant"))
    rates, report = go_on(recorder.checkpoints[-1], epochs=2, schedule="constant")
    assert set(rates) == {0.5}
    assert report.messages == []


def test_a_bundle_of_an_older_version_goes_on_too(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = interrupt(monkeypatch, 40, epochs=4, schedule="cosine")
    older = {"training_seconds": 0.0, "course": Course(), "costs": Costs(), "trend": Trend()}
    position = attrs.evolve(checkpoint.position, **older)
    _, _, whole = run(make_settings(epochs=4, schedule="cosine"))
    rates, _ = go_on(attrs.evolve(checkpoint, position=position), epochs=4, schedule="cosine")
    assert rates == rates_of(whole)[40:]


@pytest.mark.parametrize("total", [None, 900])
def test_a_run_by_time_of_an_older_version_goes_on_in_time(total: int | None) -> None:
    time = SimulatedTime()
    model, recorder = TimedModel.at(time), Recorder()
    fit_timed(model, recorder, 0.1)
    last = recorder.checkpoints[-1]
    older = Position(
        step=300,
        evaluated_step=0,
        total_steps=total,
        seconds=3.3,
        rows=4,
        length=10,
        epoch=300 // 674,
        step_in_epoch=300,
    )
    again, after, began = TimedModel.at(time, last.model), Telling(), time.now
    fit_timed(again, after, 0.2, checkpoint=attrs.evolve(last, position=older, history=()))
    assert 3.3 + time.now - began == pytest.approx(12, rel=0.05)
    rates = rates_of(again)
    assert rates[-1] < 0.02
    assert max(abs(np.diff(rates))) < 0.02


def test_more_minutes_after_the_end_are_another_round() -> None:
    time = SimulatedTime()
    model, recorder = TimedModel.at(time), Recorder()
    fit_timed(model, recorder, 0.2)
    position = attrs.evolve(
        recorder.checkpoints[-1].position,
        total_steps=None,
        course=attrs.evolve(recorder.checkpoints[-1].position.course, progress=1.0),
    )
    again, after = TimedModel.at(time, recorder.checkpoints[-1].model), Telling()
    fit_timed(again, after, 0.4, checkpoint=attrs.evolve(recorder.checkpoints[-1], position=position))
    assert time.now == pytest.approx(24, rel=0.05)
    rates = rates_of(again)
    assert max(rates) == pytest.approx(0.5, rel=0.02)
    assert rates[-1] < 0.02
    assert after.messages[0].endswith("and falls until 0.4 minutes")


def scripted(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> None:
    """Give the validation after each epoch its loss, whatever the weights are."""
    monkeypatch.setattr(
        loop.TrainingRun, "_validation_loss", lambda self: losses[min(round(self.epoch), len(losses)) - 1]
    )


RISING = [2.0, 1.5, 1.4, *(1.5 + 0.01 * epoch for epoch in range(100))]


def test_a_run_that_has_stopped_getting_better_comes_to_an_early_end_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scripted(monkeypatch, RISING)
    model, report = make_bigram(5, 1), Telling()
    loop.fit(model, make_data(), make_settings(epochs=100), report)
    [message] = report.messages
    assert message == (
        "validation has not got better since epoch 3: the run comes to an early end at epoch 7.69; "
        "a patience of none would let it go on"
    )
    rates = rates_of(model)
    assert rates[-1] < 0.5 * 0.03  # annealed
    assert max(abs(np.diff(rates[60:]))) < 0.1
    last = report.checkpoints[-1]
    assert last.position.finished
    assert last.position.best_epoch == 3


@pytest.mark.parametrize(("patience", "epochs"), [(None, 30), (20, 23), (2, 5)])
def test_the_patience_that_is_given_wins(monkeypatch: pytest.MonkeyPatch, patience: int | None, epochs: int) -> None:
    scripted(monkeypatch, RISING)
    _, recorder, _ = run(make_settings(epochs=30, patience=patience))
    assert recorder.results[-1].epoch == epochs


def test_an_early_end_that_is_interrupted_is_resumed_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, RISING)
    _, recorder, model = run(make_settings(epochs=100))
    checkpoint = interrupt(monkeypatch, 190, epochs=100)
    assert checkpoint.position.course.ends_early
    rates, report = go_on(checkpoint, epochs=100)
    assert rates == rates_of(model)[190:]
    assert_same_model(report.checkpoints[-1].model, recorder.checkpoints[-1].model)


def test_at_a_constant_rate_there_is_nothing_to_come_down_from(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, RISING)
    _, recorder, _ = run(make_settings(epochs=100, schedule="constant"))
    assert recorder.results[-1].epoch == 7


def test_after_an_early_end_it_can_be_asked_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, RISING)
    _, recorder, _ = run(make_settings(epochs=100))
    rates, report = go_on(recorder.checkpoints[-1], epochs=100)
    assert max(rates) > 0.2
    assert report.messages[0].startswith("the learning rate had come to its end: it rises to 0.5 again")
