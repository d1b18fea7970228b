"""Training of a model, by whichever way it learns."""

from __future__ import annotations

from textforge.errors import BackendError, advise
from textforge.model import CountingModel, GradientModel, Model, SavedModel
from textforge.training import counting, loop
from textforge.training.checkpoint import Checkpoint
from textforge.training.data import TrainingData
from textforge.training.report import Report
from textforge.training.settings import TrainingSettings


def fit(
    model: Model,
    data: TrainingData,
    settings: TrainingSettings,
    report: Report,
    checkpoint: Checkpoint | None = None,
) -> SavedModel:
    """Train a model and return the best it became, telling `report` how it goes; with a `checkpoint`, go on from there.

    Raises `BackendError` for a model that can't be trained.
    """
    if isinstance(model, CountingModel):
        return counting.fit_counting(model, data, settings, report, checkpoint)
    if isinstance(model, GradientModel):
        return loop.fit(model, data, settings, report, checkpoint)
    raise BackendError(
        f"{type(model).__name__} runs trained models but can't be trained: choose another ", advise("backend")
    )
