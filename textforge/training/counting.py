"""Training of models that learn in one reading of the text."""

from __future__ import annotations

import time

from textforge.errors import TrainingError
from textforge.evaluation.evaluation import token_loss
from textforge.model import CountingModel, SavedModel
from textforge.training.checkpoint import Checkpoint, Position
from textforge.training.data import TrainingData
from textforge.training.report import EpochResult, Report, RunStart
from textforge.training.settings import TrainingSettings

TRAIN_LOSS_TOKENS = 100_000
"""The training loss is measured on the text's beginning."""

IGNORED = (
    "epochs",
    "minutes",
    "batch_size",
    "sequence_length",
    "sequences",
    "window",
    "stride",
    "optimizer",
    "learning_rate",
    "schedule",
    "clip_norm",
    "patience",
    "sample_every",
)
"""The training settings of models that learn step by step."""


def fit_counting(
    model: CountingModel,
    data: TrainingData,
    settings: TrainingSettings,
    report: Report,
    checkpoint: Checkpoint | None = None,
) -> SavedModel:
    """Let a model count the training tokens, and return it; say which settings mean nothing to that.

    With a checkpoint there is nothing left to learn. Raises `TrainingError` for a text of a single token.
    """
    if len(data.train) < 2:
        raise TrainingError(
            f"the corpus is too short: 2 {data.encoder.unit} to train on are needed, got {len(data.train)}"
        )
    try:
        if checkpoint:
            report.message("nothing is left to learn: the corpus was counted once")
            report.checkpoint(checkpoint)
            return checkpoint.best
        _tell_ignored(settings, report)
        return _count(model, data, report)
    finally:
        report.finish()


def _tell_ignored(settings: TrainingSettings, report: Report) -> None:
    options = settings.options()
    if names := [name for name in IGNORED if getattr(settings, name) != options[name].default]:
        verb = "is" if len(names) == 1 else "are"
        report.message(f"the model counts the corpus once: {', '.join(names)} {verb} ignored")


def _count(model: CountingModel, data: TrainingData, report: Report) -> SavedModel:
    report.message(f"counting {len(data.train):,} {data.encoder.unit}")
    began = time.perf_counter()
    trained = model.count(data.train)
    seconds = time.perf_counter() - began
    saved = trained.save()
    report.start(_run_start(trained, saved, data))
    result = _result(trained, data, seconds)
    report.checkpoint(_checkpoint(saved, result))  # first, so that no failing report loses the model
    report.epoch(result, trained)
    return saved


def _run_start(model: CountingModel, saved: SavedModel, data: TrainingData) -> RunStart:
    return RunStart(
        parameters=getattr(model, "parameters", sum(array.size for array in saved.arrays.values())),
        vocabulary_size=model.vocabulary_size,
        train_tokens=len(data.train),
        validation_tokens=len(data.validation),
        unit=data.encoder.unit,
        epochs=None,
        minutes=None,
        steps_per_epoch=1,
        batch_size=1,
        sequence_length=len(data.train),
        epoch=0.0,
    )


def _result(model: CountingModel, data: TrainingData, seconds: float) -> EpochResult:
    return EpochResult(
        epoch=1.0,
        step=1,
        train_loss=token_loss(model, data.train[:TRAIN_LOSS_TOKENS]).mean,
        validation_loss=token_loss(model, data.validation).mean if len(data.validation) > 1 else None,
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
        best_loss=result.train_loss if result.validation_loss is None else result.validation_loss,
        best_epoch=1.0,
        total_steps=1,
        seconds=result.seconds,
        finished=True,
    )
    return Checkpoint(position, saved, saved, {}, (result,))
