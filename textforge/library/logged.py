"""A training run's messages through Python's `logging`."""

from __future__ import annotations

import logging

from textforge.model import Model
from textforge.training.events import EpochResult
from textforge.training.report import Report

LOGGER = logging.getLogger("textforge.training")


class LoggingReport(Report):
    """A report that logs messages and epochs at the level INFO, by the name ``textforge.training``."""

    def message(self, text: str) -> None:
        LOGGER.info("%s", text)

    def epoch(self, result: EpochResult, model: Model) -> None:
        validated = "" if result.validation_loss is None else f", validation loss {result.validation_loss:.4f}"
        LOGGER.info("epoch %.4g: training loss %.4f%s", result.epoch, result.train_loss, validated)
