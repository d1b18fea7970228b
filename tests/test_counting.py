"""The training of models that count, with one that counts single tokens."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
from support import LettersEncoder
from test_loop import Recorder, make_data

import textforge
from textforge.errors import StopTraining, TrainingError
from textforge.model import CountingModel
from textforge.training.counting import fit_counting
from textforge.training.data import TrainingData
from textforge.training.settings import TrainingSettings


class UnigramModel(CountingModel):
    """Token frequencies, with one more of each."""

    delay = 0.0

    def __init__(self, counts: Any) -> None:
        self.counts = np.asarray(counts)
        self.vocabulary_size = len(self.counts)

    def start(self, batch_size: int) -> int:
        return batch_size

    def step(self, ids: Any, state: int) -> Any:
        return np.tile(np.log((self.counts + 1) / (self.counts + 1).sum()), (len(ids), 1))

    def select(self, state: int, rows: Any) -> int:
        return len(rows)

    def save(self) -> textforge.SavedModel:
        return textforge.SavedModel("unigram", {}, self.vocabulary_size, {"counts": self.counts.copy()})

    def count(self, tokens: Any) -> UnigramModel:
        time.sleep(self.delay)
        return type(self)(np.bincount(tokens, minlength=self.vocabulary_size))

    def loss(self, inputs: Any, targets: Any, state: int) -> tuple[float, int]:
        time.sleep(self.delay)
        return float(-self.step([0], 1)[0][targets].mean()), state


class SlowModel(UnigramModel):
    delay = 0.05


class Listener(Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def settings(**changes: Any) -> TrainingSettings:
    return TrainingSettings(seed=1, **changes)


def untrained(cls: type[UnigramModel] = UnigramModel) -> UnigramModel:
    return cls(np.zeros(5, dtype=np.int64))


def entropy(tokens: Any, counts: Any) -> float:
    return float(-np.log((counts[tokens] + 1) / (counts + 1).sum()).mean())


def test_the_text_is_counted_and_told_of_as_one_epoch() -> None:
    data, report = make_data(), Listener()
    model = fit_counting(untrained(), data, settings(), report)
    counts = np.bincount(data.train, minlength=5)
    np.testing.assert_array_equal(model.arrays["counts"], counts)
    [start], [result], [checkpoint] = report.runs, report.results, report.checkpoints
    assert (start.parameters, start.train_tokens, start.validation_tokens) == (5, 1080, 120)
    assert (start.epochs, start.minutes, start.vocabulary_size, start.unit) == (None, None, 5, "tokens")
    assert result.train_loss == pytest.approx(entropy(data.train[1:], counts))
    assert result.validation_loss == pytest.approx(entropy(data.validation[1:], counts))
    assert (result.epoch, result.best, result.seconds) == (1, True, checkpoint.position.seconds)
    assert checkpoint.position.finished
    assert checkpoint.position.best_loss == result.validation_loss
    assert checkpoint.history == (result,)
    np.testing.assert_array_equal(checkpoint.best.arrays["counts"], counts)
    assert report.messages == ["counting 1,080 tokens"]
    assert report.finished == 1


def test_the_seconds_and_the_speed_are_those_of_all_the_work() -> None:
    report = Listener()
    began = time.perf_counter()
    fit_counting(untrained(SlowModel), make_data(), settings(), report)
    taken = time.perf_counter() - began
    [result] = report.results
    assert 0.15 <= result.seconds <= taken  # counting, and a loss each of training and validation
    assert result.tokens_per_second == pytest.approx(1080 / result.seconds)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 3}, "unigram reads the text once: epochs is ignored"),
        ({"minutes": 1, "stride": 9}, "unigram reads the text once: minutes, stride are ignored"),
        ({"learning_rate": 0.02}, "unigram reads the text once: learning_rate is ignored"),
        ({"sample_every": 2, "sample": ("greedy",), "validation": 0.2}, "… sample_every is ignored"),
        ({"learning_rate": 0.01, "sample": ("greedy",), "validation": 0.2}, None),
    ],
)
def test_settings_that_mean_nothing_are_named(changes: dict[str, Any], message: str | None) -> None:
    report = Listener()
    fit_counting(untrained(), make_data(), settings(**changes), report)
    told = [text for text in report.messages if "ignored" in text]
    assert told == ([] if message is None else [message.replace("…", "unigram reads the text once:")])


def test_resumed_there_is_nothing_left_to_learn() -> None:
    first, again = Listener(), Listener()
    fit_counting(untrained(), make_data(), settings(), first)
    [checkpoint] = first.checkpoints
    assert fit_counting(untrained(), make_data(), settings(), again, checkpoint) is checkpoint.best
    assert again.messages == ["nothing is left to learn: unigram reads the text once"]
    assert (again.checkpoints, again.results, again.finished) == ([checkpoint], [], 1)


def test_without_validation_the_training_loss_judges() -> None:
    report = Listener()
    fit_counting(untrained(), make_data(validation=0.0), settings(), report)
    assert report.results[0].validation_loss is None
    assert report.checkpoints[0].position.best_loss == report.results[0].train_loss
    assert math.isfinite(report.results[0].train_loss)


def test_a_text_of_a_single_token() -> None:
    report, tokens = Listener(), np.zeros(1, np.uint8)
    with pytest.raises(TrainingError, match="too short: 2 tokens to train on are needed, got 1"):
        fit_counting(untrained(), TrainingData(tokens, tokens[:0], LettersEncoder()), settings(), report)
    assert report.finished == 1


@pytest.mark.parametrize("event", ["message", "start", "checkpoint", "epoch"])
def test_a_report_that_stops_the_run_stops_nothing(event: str) -> None:
    report = Listener()

    def stop(*_: object) -> None:
        raise StopTraining

    setattr(report, event, stop)
    model = fit_counting(untrained(), make_data(), settings(), report)
    assert model.arrays["counts"].sum() == 1080
    assert report.finished == 1
