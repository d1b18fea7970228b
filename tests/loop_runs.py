"""Runs of the training loop with a NumPy model small enough to train in milliseconds, by a clock that is scripted."""

from __future__ import annotations

import functools
from typing import Any

import attrs
import numpy as np
import pytest
from bigram_plugin import BigramModel, make_bigram
from support import LettersEncoder

import textforge
from textforge.training import loop
from textforge.training.checkpoint import Checkpoint
from textforge.training.clock import Clock
from textforge.training.data import TrainingData
from textforge.training.events import EpochResult, Progress, RunStart
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


class SimulatedTime:
    """A clock that goes on by what a model costs."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class TimedModel(BigramModel):
    """A model whose steps and losses take time by a scripted clock; `slowness` is a factor by the time that it is."""

    time: SimulatedTime
    step_seconds = 0.01
    loss_seconds = 0.003
    slow_steps = 0
    compiling = 0.0
    validating = 0.0
    learns = True
    """False: nothing is computed, so that a run of many steps is fast."""

    @classmethod
    def at(cls, time: SimulatedTime, data: Any = None) -> TimedModel:
        model = cls(data or make_bigram(5, 1).save())
        model.time = time
        return model

    def slowness(self, now: float) -> float:
        return 1.0

    def train_step(self, *arguments: Any, **keywords: Any) -> Any:
        slow = self.slowness(self.time.now) * (5 if keywords["step"] < self.slow_steps else 1)
        self.time.now += self.step_seconds * slow
        if not self.learns:
            self.calls.append(keywords)
            return 1.0, arguments[2]
        return super().train_step(*arguments, **keywords)

    def loss(self, *arguments: Any) -> Any:
        seconds = self.loss_seconds / 40 * arguments[0].size * self.slowness(self.time.now)
        self.time.now += seconds + self.compiling
        self.validating += seconds
        self.compiling = 0.0
        return super().loss(*arguments) if self.learns else (1.0, arguments[2])


class TimedRecorder(Recorder):
    """A recorder that takes time to save, and to tell of an epoch."""

    def __init__(self, time: SimulatedTime, saving: float = 0.0, telling: float = 0.0) -> None:
        super().__init__()
        self.time, self.saving, self.telling = time, saving, telling

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        self.time.now += self.saving
        super().checkpoint(checkpoint)

    def epoch(self, result: EpochResult, model: Any) -> None:
        self.time.now += self.telling
        super().epoch(result, model)


def fit_timed(
    model: TimedModel, recorder: Recorder, minutes: float, tokens: int = 30_000, checkpoint: Any = None, **changes: Any
) -> None:
    """Train by the model's clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "Clock", functools.partial(Clock, now=model.time))
        made = make_settings(**{"epochs": None, "minutes": minutes, "patience": None, **changes})
        loop.fit(model, make_data(tokens), made, recorder, checkpoint)
