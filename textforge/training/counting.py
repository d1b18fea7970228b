"""The training of models that learn in one reading of the text, such as n-grams."""

from __future__ import annotations

import contextlib
import time

from textforge.errors import StopTraining, TrainingError
from textforge.evaluation.loss import token_loss
from textforge.model import CountingModel, SavedModel
from textforge.training.checkpoint import Checkpoint, Position
from textforge.training.data import Tokens, TrainingData
from textforge.training.events import EpochResult, RunStart
from textforge.training.report import Report
from textforge.training.settings import TrainingSettings

TRAIN_LOSS_TOKENS = 100_000
"""The tokens of the text's beginning that the training loss is measured on."""
USED = ("seed", "validation", "validation_part", "validation_corpus", "replay", "sample", "mix")
"""The settings that mean something to such a model; `sample_every` doesn't, for there is one epoch."""


def fit_counting(
    model: CountingModel,
    data: TrainingData,
    settings: TrainingSettings,
    report: Report,
    checkpoint: Checkpoint | None = None,
) -> SavedModel:
    """Let a model count the training tokens, and return the model that has learnt them.

    `report` is told which settings mean nothing to that, and has the checkpoint before the result, so that no failing
    report loses the model. The seconds and the speed are those of all the work. With a checkpoint, nothing is left to
    learn.

    Raises `TrainingError` for a text of a single token.
    """
    try:
        if len(data.train) < 2:
            raise TrainingError(
                f"the corpus is too short: 2 {data.encoder.token_name} to train on are needed, got {len(data.train)}"
            )
        if checkpoint:
            report.message(f"nothing is left to learn: {_name(model)} reads the text once")
            report.checkpoint(checkpoint)
            return checkpoint.best
        return _count(model, data, settings, report)
    finally:
        report.finish()


def _count(model: CountingModel, data: TrainingData, settings: TrainingSettings, report: Report) -> SavedModel:
    began = time.perf_counter()
    with contextlib.suppress(StopTraining):  # nothing to stop: the text is read once, and what is learnt is kept
        _tell_ignored(model, settings, report)
        report.message(f"counting {len(data.train):,} {data.encoder.token_name}")
    trained = model.count(data.train)
    with contextlib.suppress(StopTraining):
        for note in trained.notes:
            report.message(note)
        report.start(_describe(trained, data))
    train_loss = token_loss(trained, data.train[:TRAIN_LOSS_TOKENS]).mean
    validation_loss, replay_loss = _loss(trained, data.validation), _loss(trained, data.replayed)
    saved = trained.save()
    result = _result(data, train_loss, validation_loss, replay_loss, time.perf_counter() - began)
    with contextlib.suppress(StopTraining):
        report.checkpoint(_checkpoint(saved, result))
    with contextlib.suppress(StopTraining):
        report.epoch(result, trained)
    return saved


def _name(model: CountingModel) -> str:
    return model.save().architecture


def _loss(model: CountingModel, tokens: Tokens | None) -> float | None:
    """Return the mean loss on tokens; None where there are too few."""
    return token_loss(model, tokens).mean if tokens is not None and len(tokens) > (model.window or 1) else None


def _tell_ignored(model: CountingModel, settings: TrainingSettings, report: Report) -> None:
    usual = TrainingSettings(seed=settings.seed, optimizer=settings.optimizer)
    changed = [
        name
        for name, declared in settings.options().items()
        if name not in USED and getattr(settings, name) != declared.default
    ]
    if settings.peak_learning_rate == usual.peak_learning_rate and "learning_rate" in changed:
        changed.remove("learning_rate")  # recorded in full, but not given
    if changed:
        verb = "is" if len(changed) == 1 else "are"
        report.message(f"{_name(model)} reads the text once: {', '.join(changed)} {verb} ignored")


def _describe(model: CountingModel, data: TrainingData) -> RunStart:
    return RunStart(
        parameters=model.parameters,
        vocabulary_size=model.vocabulary_size,
        train_tokens=len(data.train),
        validation_tokens=len(data.validation),
        unit=data.encoder.token_name,
        epochs=None,
        minutes=None,
        steps_per_epoch=1,
        batch_size=1,
        sequence_length=len(data.train),
        epoch=0.0,
    )


def _result(
    data: TrainingData, train_loss: float, validation_loss: float | None, replay_loss: float | None, seconds: float
) -> EpochResult:
    return EpochResult(
        epoch=1.0,
        step=1,
        train_loss=train_loss,
        validation_loss=validation_loss,
        replay_loss=replay_loss,
        learning_rate=0.0,
        tokens_per_second=len(data.train) / max(seconds, 1e-9),
        seconds=seconds,
        best=True,
    )


def _checkpoint(saved: SavedModel, result: EpochResult) -> Checkpoint:
    position = Position(
        step=1,
        step_in_epoch=1,
        evaluated_step=1,
        best_loss=result.judged_loss,
        best_epoch=1.0,
        total_steps=1,
        seconds=result.seconds,
        finished=True,
    )
    return Checkpoint(position, saved, saved, {}, (result,))
