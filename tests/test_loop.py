"""The training loop, with a NumPy model small enough to train in milliseconds."""

from __future__ import annotations

import functools
import math
import re
from typing import Any

import attrs
import numpy as np
import pytest
from bigram_plugin import BigramModel, make_bigram
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import LettersEncoder

import textforge
from textforge.errors import StopTraining, TrainingError
from textforge.evaluation.loss import token_loss
from textforge.training import loop, validating
from textforge.training.checkpoint import Checkpoint
from textforge.training.clock import Clock
from textforge.training.data import TrainingData
from textforge.training.divergence import Judge
from textforge.training.events import EpochResult, Progress, RunStart
from textforge.training.losses import Losses
from textforge.training.plan import LEAST_VALIDATION
from textforge.training.settings import TrainingSettings


class Recorder(textforge.Report):
    def __init__(self) -> None:
        self.runs: list[RunStart] = []
        self.progress: list[Progress] = []
        self.results: list[EpochResult] = []
        self.checkpoints: list[Checkpoint] = []
        self.finished = 0

    def start(self, run: RunStart) -> None:
        self.runs.append(run)

    def step(self, progress: Progress) -> None:
        self.progress.append(progress)

    def epoch(self, result: EpochResult, model: Any) -> None:
        self.results.append(result)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        self.checkpoints.append(checkpoint)

    def finish(self) -> None:
        self.finished += 1


def make_data(count: int = 1200, validation: float = 0.1) -> TrainingData:
    random = np.random.default_rng(0)
    tokens = (np.cumsum(random.integers(1, 3, count)) % 5).astype(np.uint8)  # a walk: half of it can be learnt
    return TrainingData.split(tokens, LettersEncoder(), validation)


def make_settings(**changes: Any) -> TrainingSettings:
    return TrainingSettings(
        **{
            "seed": 3,
            "epochs": 3,
            "batch_size": 4,
            "sequence_length": 10,
            "learning_rate": 0.5,
            "optimizer": "sgd",
            **changes,
        }
    )


def run(
    settings: TrainingSettings, data: TrainingData | None = None, checkpoint: Checkpoint | None = None
) -> tuple[textforge.SavedModel, Recorder, BigramModel]:
    model = make_bigram(5, 1) if checkpoint is None else BigramModel(checkpoint.model)
    recorder = Recorder()
    return loop.fit(model, data or make_data(), settings, recorder, checkpoint), recorder, model


def assert_same_model(first: textforge.SavedModel, second: textforge.SavedModel) -> None:
    assert first.arrays.keys() == second.arrays.keys()
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(array, second.arrays[name])


def without_times(history: tuple[EpochResult, ...] | list[EpochResult]) -> list[EpochResult]:
    return [attrs.evolve(result, seconds=0.0, tokens_per_second=0.0) for result in history]


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


def test_a_run_by_time_fixes_its_steps_and_keeps_to_the_time() -> None:
    settings = make_settings(epochs=None, minutes=1.5 / 60)
    _, recorder, model = run(settings, make_data(20_000))
    last = recorder.checkpoints[-1].position
    assert last.total_steps == last.step == len(model.calls)
    assert 0.5 < last.seconds < 4
    assert recorder.results[-1].step == last.step
    assert len(recorder.results) <= 52
    rates = [call["learning_rate"] for call in model.calls]
    assert rates[: len(rates) // 30] == [0.5] * (len(rates) // 30)
    assert rates[-1] < 0.02


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
    loop.fit(make_bigram(5, 1), data, make_settings(epochs=20), recorder)
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


class SimulatedTime:
    """A clock that goes on by what a model costs."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class TimedModel(BigramModel):
    time: SimulatedTime
    step_seconds = 0.01
    loss_seconds = 0.003
    slow_steps = 0
    compiling = 0.0
    validating = 0.0

    @classmethod
    def at(cls, time: SimulatedTime, data: Any = None) -> TimedModel:
        model = cls(data or make_bigram(5, 1).save())
        model.time = time
        return model

    def train_step(self, *arguments: Any, **keywords: Any) -> Any:
        self.time.now += self.step_seconds * (5 if keywords["step"] < self.slow_steps else 1)
        return super().train_step(*arguments, **keywords)

    def loss(self, *arguments: Any) -> Any:
        self.time.now += self.loss_seconds * arguments[0].size / 40 + self.compiling
        self.validating += self.loss_seconds * arguments[0].size / 40
        self.compiling = 0.0
        return super().loss(*arguments)


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
    made = make_settings(epochs=None, minutes=minutes)
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


@given(count=st.integers(1, 5000), size=st.integers(1, 6000), seed=st.integers(0, 9))
def test_a_part_is_made_of_pieces_of_the_text(count: int, size: int, seed: int) -> None:
    tokens = np.arange(count)
    part = validating.draw_part(tokens, size, seed)
    assert np.array_equal(part, validating.draw_part(tokens, size, seed))
    assert len(set(part.tolist())) == len(part) <= count
    assert len(part) >= min(size, count) - validating.PIECES
    assert (np.diff(part) > 0).all()
    assert np.count_nonzero(np.diff(part) > 1) < max(1, size // validating.PIECE_TOKENS)
