"""The training loop, with a NumPy model small enough to train in milliseconds."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
import pytest
from bigram_plugin import BigramModel, make_bigram

import textforge
from textforge.errors import TrainingError
from textforge.training import loop
from textforge.training.checkpoint import Checkpoint
from textforge.training.data import TrainingData
from textforge.training.report import EpochResult, Progress, RunStart
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


class LettersEncoder(textforge.Encoder):
    name = "letters"
    vocabulary_size = 5

    def fit(self, chunks: Any) -> LettersEncoder:
        return self

    def encode(self, text: str, *, unknown: Any = "error") -> Any:
        return np.array([ord(c) - 97 for c in text])

    def decode(self, ids: Any) -> str:
        return "".join(chr(97 + i) for i in ids)


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
    with pytest.raises(TrainingError, match=r"loss became nan.*--learning-rate, now 0\.5.*--clip-norm, now 1") as error:
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
    monkeypatch.setattr(loop, "token_loss", lambda *_, **__: type("Loss", (), {"mean": 1.0}))
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


def test_where_nothing_is_left_to_learn_it_says_so_and_saves_nothing() -> None:
    _, recorder, _ = run(make_settings(epochs=2))
    messages: list[str] = []
    after = Recorder()
    after.message = messages.append  # type: ignore[method-assign]
    checkpoint = recorder.checkpoints[-1]
    saved = loop.fit(BigramModel(checkpoint.model), make_data(), make_settings(epochs=2), after, checkpoint)
    assert_same_model(saved, checkpoint.best)
    assert messages == ["nothing is left to learn: 2 epochs are done; ask for more"]
    assert not after.checkpoints


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
