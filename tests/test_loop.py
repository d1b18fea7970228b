"""The training loop, with a NumPy model small enough to train in milliseconds."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from bigram_plugin import BigramModel, make_bigram
from hypothesis import given
from hypothesis import strategies as st
from loop_runs import Recorder, assert_same_model, make_data, make_settings, run, without_times
from support import LettersEncoder

from textforge.errors import StopTraining, TrainingError
from textforge.training import loop, validating
from textforge.training.data import TrainingData
from textforge.training.divergence import Judge
from textforge.training.events import EpochResult
from textforge.training.losses import Losses
from textforge.training.settings import TrainingSettings


@pytest.mark.parametrize("sequences", ["stream", "windows"])
def test_learns_what_can_be_learnt(sequences: str) -> None:
    saved, recorder, model = run(make_settings(sequences=sequences, window=10, stride=1))
    results = recorder.results
    assert [result.epoch for result in results] == [1, 2, 3]
    assert results[0].validation_loss is not None
    assert results[-1].validation_loss == pytest.approx(math.log(2), abs=0.08)
    assert saved.window == (10 if sequences == "windows" else None)
    assert recorder.finished == 1
    assert recorder.checkpoints[-1].position.finished
    assert {call["shape"] for call in model.calls} == {(4, 10)}
    assert [call["step"] for call in model.calls] == list(range(results[-1].step))


def test_the_last_step_is_always_validated_and_the_run_described() -> None:
    _, recorder, model = run(make_settings(epochs=2))
    assert recorder.results[-1].step == len(model.calls) == 2 * recorder.runs[0].steps_per_epoch
    start = recorder.runs[0]
    assert (start.train_tokens, start.validation_tokens, start.vocabulary_size, start.epochs) == (1080, 120, 5, 2)
    assert start.parameters == 50
    assert start.sequences == 4 * start.steps_per_epoch


def test_windows_are_counted_also_where_they_dont_fill_a_batch() -> None:
    _, recorder, _ = run(make_settings(epochs=1, sequences="windows", window=10, stride=7))
    start = recorder.runs[0]
    assert start.sequences == len(range(0, 1080 - 10, 7)) == 153
    assert (start.batch_size, start.steps_per_epoch) == (4, 38)


class Stop(Exception):
    pass


@pytest.mark.parametrize("stop_at", [1, 13, 25, 26, 27, 29, 40, 51])
@pytest.mark.parametrize("sequences", ["stream", "windows"])
def test_resumed_is_as_never_interrupted(monkeypatch: pytest.MonkeyPatch, stop_at: int, sequences: str) -> None:
    settings = make_settings(sequences=sequences, window=10, stride=9, batch_size=4, epochs=2)
    whole, recorder, model = run(settings)
    assert len(model.calls) > 51

    step = BigramModel.train_step

    def stepping(self: BigramModel, *arguments: Any, **keywords: Any) -> Any:
        if keywords["step"] == stop_at - 1:
            import signal

            signal.raise_signal(signal.SIGINT)
        return step(self, *arguments, **keywords)

    monkeypatch.setattr(BigramModel, "train_step", stepping)
    interrupted = Recorder()
    with pytest.raises(KeyboardInterrupt):
        loop.fit(make_bigram(5, 1), make_data(), settings, interrupted)
    monkeypatch.undo()
    checkpoint = interrupted.checkpoints[-1]
    assert checkpoint.position.step == stop_at
    assert interrupted.finished == 1

    resumed, after, _ = run(settings, checkpoint=checkpoint)
    assert_same_model(resumed, whole)
    assert_same_model(after.checkpoints[-1].model, recorder.checkpoints[-1].model)
    assert without_times(after.checkpoints[-1].history) == without_times(recorder.results)


def test_more_epochs_go_on_where_the_run_ended() -> None:
    _, recorder, _ = run(make_settings(epochs=2, schedule="constant"))
    resumed, after, _ = run(make_settings(epochs=4, schedule="constant"), checkpoint=recorder.checkpoints[-1])
    whole, _, _ = run(make_settings(epochs=4, schedule="constant"))
    assert_same_model(resumed, whole)
    assert [result.epoch for result in after.results] == [3, 4]


def test_the_best_weights_are_kept_and_patience_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([2.0, 1.0, 1.5, 1.4, 1.3, 0.5])
    monkeypatch.setattr(loop.TrainingRun, "_validation_loss", lambda self: next(losses))
    saved, recorder, model = run(make_settings(epochs=6, patience=3))
    assert [result.best for result in recorder.results] == [True, True, False, False, False]
    assert_same_model(saved, recorder.checkpoints[1].model)
    assert recorder.checkpoints[-1].position.best_epoch == 2
    assert not np.array_equal(saved.arrays["last"], model.weights["last"])


def test_without_validation_the_last_weights_are_the_best() -> None:
    saved, recorder, model = run(make_settings(validation=0.0), make_data(validation=0.0))
    assert [result.validation_loss for result in recorder.results] == [None] * 3
    np.testing.assert_array_equal(saved.arrays["last"], model.weights["last"])


@pytest.mark.parametrize("at", [0, 40])
def test_a_loss_that_is_not_finite_stops_and_leaves_the_last_good_weights(at: int) -> None:
    model, recorder = make_bigram(5, 1), Recorder()
    model.fail_at = at
    with pytest.raises(TrainingError, match=r"loss became nan.*learning_rate, now 0\.5.*clip_norm, now 1") as error:
        loop.fit(model, make_data(), make_settings(), recorder)
    assert recorder.finished == 1
    if at:
        assert "what was saved at step 26 is kept" in str(error.value)
        assert recorder.checkpoints[-1].position.epoch == 0
    else:
        assert "nothing was saved" in str(error.value)
        assert not recorder.checkpoints


def test_weights_that_are_not_finite_are_never_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    model, recorder = make_bigram(5, 1), Recorder()
    monkeypatch.setattr(validating, "token_loss", lambda *_, **__: type("Loss", (), {"mean": 1.0}))
    model.weights["last"][0, 0] = np.inf
    model._loss = lambda inputs, targets, state: (1.0, state, {})  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="weights"):
        loop.fit(model, make_data(), make_settings(), recorder)
    assert not recorder.checkpoints


def test_the_loss_is_read_seldom() -> None:
    class Slow:
        reads = 0

        def __float__(self) -> float:
            Slow.reads += 1
            return 1.0

    settings = make_settings(epochs=1)
    model = make_bigram(5, 1)
    step = model.train_step
    model.train_step = lambda *a, **k: (Slow(), step(*a, **k)[1])  # type: ignore[method-assign, assignment]
    recorder = Recorder()
    loop.fit(model, make_data(), settings, recorder)
    assert Slow.reads == len(model.calls)
    assert recorder.results[0].train_loss == 1.0


def test_asked_for_more_a_run_that_ran_out_of_patience_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop.TrainingRun, "_validation_loss", lambda self: float(self.position.step))
    _, recorder, _ = run(make_settings(epochs=9, patience=2))
    assert [result.epoch for result in recorder.results] == [1, 2, 3]
    _, after, _ = run(make_settings(epochs=9, patience=2), checkpoint=recorder.checkpoints[-1])
    assert [result.epoch for result in after.results] == [4, 5]


@pytest.mark.parametrize(("asked", "advice"), [(1, 3), (2, 4)])
def test_where_nothing_is_left_to_learn_it_says_what_to_ask_for(asked: int, advice: int) -> None:
    _, recorder, _ = run(make_settings(epochs=2))
    after, checkpoint = Recorder(), recorder.checkpoints[-1]
    with pytest.raises(TrainingError) as error:
        loop.fit(BigramModel(checkpoint.model), make_data(), make_settings(epochs=asked), after, checkpoint)
    assert str(error.value) == (
        f"nothing is left to learn: 2 epochs are done, and epochs, now {asked}, is the run's total; "
        f"for {asked} more ask for epochs={advice}"
    )
    assert f"--epochs {advice}" in error.value.command_line
    assert (after.checkpoints, after.runs, after.finished) == ([], [], 1)


def test_what_a_checkpoint_by_time_saved_is_said_to_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    model, recorder = make_bigram(5, 1), Recorder()
    model.fail_at = 8
    with pytest.raises(TrainingError, match="what was saved at step 8 is kept"):
        loop.fit(model, make_data(), make_settings(), recorder)
    assert recorder.checkpoints[-1].position.step == 8


def test_an_epoch_is_saved_before_it_is_told_of() -> None:
    class Failing(Recorder):
        def epoch(self, result: EpochResult, model: Any) -> None:
            raise ZeroDivisionError

    recorder = Failing()
    with pytest.raises(ZeroDivisionError):
        loop.fit(make_bigram(5, 1), make_data(), make_settings(), recorder)
    assert recorder.checkpoints[-1].history[-1].epoch == 1


def test_a_checkpoint_of_other_batches_is_refused() -> None:
    _, recorder, _ = run(make_settings(epochs=1))
    with pytest.raises(TrainingError, match="of batches of 4 x 10, but the settings make them 3 x 10"):
        run(make_settings(epochs=2, batch_size=3), checkpoint=recorder.checkpoints[-1])


def test_a_run_killed_between_its_last_step_and_its_validation_is_still_validated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    whole, recorder, model = run(make_settings(epochs=1))
    last = len(model.calls)
    stopped = next(c for c in recorder.checkpoints if c.position.step == last and c.position.evaluated_step < last)
    resumed, after, _ = run(make_settings(epochs=1), checkpoint=stopped)
    assert_same_model(resumed, whole)
    assert without_times(after.results) == without_times(recorder.results)
    assert after.checkpoints[-1].position.finished


GUESS = math.log(5)


def diverging(learning_rate: float = 1e6, **changes: Any) -> TrainingSettings:
    return make_settings(learning_rate=learning_rate, clip_norm=None, schedule="constant", **changes)


def test_a_run_that_only_makes_a_model_worse_than_guessing_is_an_error() -> None:
    recorder, messages = Recorder(), []
    recorder.message = messages.append  # type: ignore[method-assign]
    with pytest.raises(TrainingError) as error:
        loop.fit(make_bigram(5, 1), make_data(), diverging(), recorder)
    assert re.fullmatch(
        r"training diverged: its loss is [\d.e+]+ nats, a guess among 5 tokens costs 1\.609; lower the learning rate "
        r"\(--learning-rate, now 1e\+06\) or clip gradients \(--clip-norm, now none\); nothing was saved",
        error.value.command_line,
    )
    assert messages[0].startswith("training diverges: its loss is")
    assert not recorder.checkpoints
    assert not any(result.best for result in recorder.results)
    assert len(recorder.results) == 1  # it is hopeless to go on


def test_the_last_sound_weights_of_a_run_that_diverges_are_kept() -> None:
    sound, before, _ = run(make_settings(epochs=1, schedule="constant", learning_rate=0.5))
    recorder, messages = Recorder(), []
    recorder.message = messages.append  # type: ignore[method-assign]
    model = BigramModel(before.checkpoints[-1].model)
    kept = loop.fit(model, make_data(), diverging(epochs=3), recorder, before.checkpoints[-1])
    assert_same_model(kept, sound)
    assert not recorder.checkpoints  # what was saved when it was sound is what to go on from
    assert [result.best for result in recorder.results] == [False]
    assert messages[-1].startswith("training ended diverged; the last sound weights are kept, of a loss of ")


def test_a_validation_text_unlike_the_rest_is_no_divergence() -> None:
    tokens = np.array([0, 1] * 600 + [0] * 120, dtype=np.uint8)
    recorder, messages = Recorder(), []
    recorder.message = messages.append  # type: ignore[method-assign]
    data = TrainingData(tokens[:1200], tokens[1200:], LettersEncoder())
    loop.fit(make_bigram(5, 1), data, make_settings(epochs=20, patience=None), recorder)
    assert recorder.results[-1].train_loss < 0.1
    assert recorder.results[-1].judged_loss > GUESS
    assert recorder.checkpoints[-1].position.finished
    assert messages == []  # its first weights, the best, are better than guessing


def test_a_run_of_a_few_steps_is_no_divergence() -> None:
    recorder, messages = Recorder(), []
    recorder.message = messages.append  # type: ignore[method-assign]
    settings = make_settings(epochs=1, batch_size=50, learning_rate=1e-6)
    loop.fit(make_bigram(5, 1, scale=1.0), make_data(600), settings, recorder)
    assert recorder.results[0].step <= 2
    assert recorder.results[0].judged_loss > GUESS
    assert recorder.checkpoints[-1].position.finished
    assert len(messages) == 1
    assert messages[0].startswith("the model is worse than guessing: its loss is")


@given(train=st.floats(0, 50), latest=st.floats(0, 50), first=st.floats(0.1, 10), judged=st.floats(0, 50))
def test_weights_are_unsound_only_where_training_made_them_worse_than_guessing(
    train: float, latest: float, first: float, judged: float
) -> None:
    losses = Losses(first=first)
    for loss in (2 * train - latest, latest):
        losses.add(loss)
    losses.read()
    judge = Judge(5, "tokens", make_settings())
    judge.judge(losses, judged)
    if judged <= GUESS or max(losses.mean, latest) <= max(GUESS, first):
        assert judge.sound
    if judged > GUESS and losses.mean > 1.06 * max(GUESS, first):
        assert not judge.sound
    assert not (judge.sound and judge.hopeless)


class Stopping(Recorder):
    """Stops the run at an event's so many-th time."""

    def __init__(self, event: str, at: int) -> None:
        super().__init__()
        self.messages: list[str] = []
        inner, calls = getattr(self, event), iter(range(1, 1000))

        def stop(*arguments: Any) -> None:
            inner(*arguments)
            if next(calls) == at:
                raise StopTraining("enough")

        setattr(self, event, stop)

    def message(self, text: str) -> None:
        self.messages.append(text)


@pytest.mark.parametrize("event", ["start", "step", "epoch", "checkpoint"])
def test_a_report_ends_a_run_well(event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_REPORTS", 0.0)
    report = Stopping(event, at=1 if event == "start" else 2)
    settings = make_settings(epochs=4, schedule="constant")
    saved = loop.fit(make_bigram(5, 1), make_data(), settings, report)
    last = report.checkpoints[-1]
    assert report.messages[0] == "training stops, as a report asked for: enough"
    assert (last.position.finished, report.finished) == (True, 1)
    assert last.position.step == last.position.evaluated_step == {"start": 0, "step": 2}.get(event, 52)
    assert_same_model(saved, last.best)
    whole, _, _ = run(settings)
    resumed, _, _ = run(settings, checkpoint=last)
    if event in ("epoch", "checkpoint"):  # a validation in the middle of an epoch changes what is best, not the steps
        assert_same_model(resumed, whole)


@given(count=st.integers(1, 5000), size=st.integers(1, 6000), seed=st.integers(0, 9))
def test_a_part_is_made_of_pieces_of_the_text(count: int, size: int, seed: int) -> None:
    tokens = np.arange(count)
    part = validating.draw_part(tokens, size, seed)
    assert np.array_equal(part, validating.draw_part(tokens, size, seed))
    assert len(set(part.tolist())) == len(part) <= count
    assert len(part) >= min(size, count) - validating.PIECES
    assert (np.diff(part) > 0).all()
    assert np.count_nonzero(np.diff(part) > 1) < max(1, size // validating.PIECE_TOKENS)
