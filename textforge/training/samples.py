"""Texts written after an epoch, which show what the loss can't."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textforge.components.spec import write_chain
from textforge.errors import TextforgeError
from textforge.generation.loop import write_text
from textforge.generation.request import Request
from textforge.generation.task import make_task
from textforge.model import Model
from textforge.samplers.base import Sampler
from textforge.training.data import TrainingData
from textforge.training.events import EpochResult, RunStart, Sample
from textforge.training.report import Report
from textforge.training.settings import TrainingSettings

PROMPT_TOKENS = 60


class SampleWriter(Report):
    """A report that continues a random snippet of the corpus under each of several chains, every so many epochs."""

    def __init__(
        self, chains: Sequence[Sequence[Sampler]], data: TrainingData, settings: TrainingSettings, show: Report
    ) -> None:
        self._chains = tuple(tuple(chain) for chain in chains)
        self._data = data
        self._settings = settings
        self._show = show
        self._every = settings.sample_every

    def start(self, run: RunStart) -> None:
        if run.epochs is None and run.minutes is None:
            self._every = 1  # counted in one epoch, which is the only one to show

    def epoch(self, result: EpochResult, model: Model) -> None:
        if not self._chains or int(result.epoch) % self._every:
            return
        try:
            self._show.samples(self._write(result, model))
        except TextforgeError as error:  # what was learnt is worth more than a sample of it
            self._show.message(f"no sample could be written: {error}")

    def _write(self, result: EpochResult, model: Model) -> list[Sample]:
        prompt = self._snippet(result.step, model.window or PROMPT_TOKENS)
        request = Request(prompt, seed=self._settings.seed + result.step, unknown="skip")
        return [
            Sample(
                epoch=result.epoch,
                chain=write_chain(chain),
                prompt=prompt,
                text=write_text(make_task(model, self._data.encoder, request.replace(samplers=chain))),
            )
            for chain in self._chains
        ]

    def _snippet(self, step: int, length: int) -> str:
        """Return a snippet of the training text, drawn from seed and step, so that a resumed run draws it again."""
        tokens = self._data.train
        random = np.random.Generator(np.random.PCG64([self._settings.seed, step]))
        start = int(random.integers(max(1, len(tokens) - length)))
        return self._data.encoder.decode(tokens[start : start + length].tolist())
