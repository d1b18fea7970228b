"""One side: what one backend computes, in a process of its own. ``python -m parity.side FOLDER NAME``

Reads ``NAME.json``, a list of jobs, and writes ``NAME.npz``, an array for each result.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import textforge
from textforge.backends.choose import load_model
from textforge.encoders.char import CharEncoder
from textforge.model import Arrays, Model, Optimizer, SavedModel
from textforge.training.batches import StreamBatches
from textforge.training.reports import Reports
from textforge.training.settings import complete_settings

ROWS, LENGTH = 16, 64
"""The batches that losses are measured on."""
TOKENS = 1000
WINDOW = 60


class Stop(textforge.Report):
    """Interrupts a run after so many epochs, as Ctrl-C does."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs

    def epoch(self, result: Any, model: Any) -> None:
        if result.epoch >= self._epochs:
            raise KeyboardInterrupt


class Side:
    """A backend, and the folder in which models and results lie."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plugins = textforge.Plugins()

    def text(self) -> str:
        """The corpus of all measurements: the language reference, in small letters."""
        from pydoc_data.topics import topics

        text = "\n".join(topics[name] for name in sorted(topics)).lower()
        return "".join(character for character in text if character.isascii() and character not in "{}[]|^~\\")

    def encoder(self) -> CharEncoder:
        return CharEncoder().fit([self.text()])

    def load(self, backend: str, saved: SavedModel) -> Any:
        return load_model(self.plugins, self.plugins.backend(backend), saved)

    def architecture(self, job: dict[str, Any]) -> Any:
        return self.plugins.architecture(job["architecture"]).replace(**job["options"])

    def model(self, job: dict[str, Any]) -> Model:
        """A model whose weights lie in the folder, loaded once: what a framework compiles takes longer than its use."""
        return self._loaded(job["backend"], job["model"])

    @functools.lru_cache(maxsize=1)  # noqa: B019 -- there is one side in a process
    def _loaded(self, backend: str, model: str) -> Model:
        return self.load(backend, self.saved(model))  # type: ignore[no-any-return]

    def saved(self, name: str) -> SavedModel:
        about = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        with np.load(self.folder / f"{name}.weights.npz") as arrays:
            return SavedModel(**about, arrays=dict(arrays))

    def keep(self, name: str, saved: SavedModel) -> None:
        about = {field: getattr(saved, field) for field in ("architecture", "options", "vocabulary_size")}
        (self.folder / f"{name}.json").write_text(json.dumps(about), encoding="utf-8")
        np.savez(self.folder / f"{name}.weights.npz", **saved.arrays)  # type: ignore[arg-type]

    def train(self, job: dict[str, Any]) -> Arrays:
        """Make a model and train it for some steps, none of them for fresh weights; gives the losses."""
        encoder = self.encoder()
        fresh = self.architecture(job).create(encoder.vocabulary_size, job["seed"])
        model = self.load(job["backend"], fresh)
        name = job["optimizer"]
        model.begin(Optimizer(name=name, epsilon=job.get("epsilon", 1e-8)), job["seed"])
        batches = StreamBatches(encoder.encode(self.text()).astype(np.uint8), ROWS, LENGTH, job["seed"])
        state, losses = model.start(ROWS), []
        preferred = complete_settings({"optimizer": name}, self.architecture(job).training_defaults)
        rate = job.get("rate") or preferred["learning_rate"]
        for step in range(job["steps"]):
            loss, state = model.train_step(
                *batches.batch(*divmod(step, batches.steps_per_epoch)), state, learning_rate=rate, step=step
            )
            losses.append(float(loss))
        if "model" in job:
            self.keep(job["model"], model.save())
        first = np.concatenate([array.ravel() for array in fresh.arrays.values()])
        return {"losses": np.array(losses), "first_weights": first}

    def logits(self, job: dict[str, Any]) -> Arrays:
        """Logits over a thousand tokens: a stream read in pieces and then token by token, or in windows."""
        model = self.model(job)
        random = np.random.default_rng(job["rows"])
        if job.get("window"):
            count = job["rows"] * (TOKENS // WINDOW if job["rows"] == 1 else 1)
            ids = random.integers(0, model.vocabulary_size, (count, WINDOW))
            parts = np.split(ids, count // job["rows"])
            windows = [model.forward(part, model.start(len(part)), last_only=True) for part in parts]
            return {"logits": np.concatenate(windows)}
        ids = random.integers(0, model.vocabulary_size, (job["rows"], TOKENS))
        state = model.start(job["rows"])
        cuts = (0, 400, TOKENS - 100)
        pieces = [model.forward(ids[:, a:b], state) for a, b in itertools.pairwise(cuts)]
        steps = [model.step(ids[:, t], state).copy()[:, None] for t in range(cuts[-1], TOKENS)]
        return {"logits": np.concatenate([*pieces, *steps], axis=1)}

    def texts(self, job: dict[str, Any]) -> Arrays:
        """Texts of a model."""
        model = self.model(job)
        generator = textforge.TextGenerator(model, self.encoder())
        request = {name: job[name] for name in ("samplers", "max_tokens", "count", "seed")}
        return {"texts": np.array(generator.generate(job["prompt"], **request))}

    def run(self, job: dict[str, Any]) -> Arrays:
        """Train by the library, from the beginning or from where another backend stopped; gives validation losses."""
        watch = Losses()
        corpus = self.folder / "corpus.txt"
        corpus.write_text(self.text()[: job["characters"]], encoding="utf-8")
        settings = {"seed": 1, "epochs": job["epochs"]}
        output = self.folder / job["output"]
        if job.get("resume"):
            textforge.train(output=output, resume=True, backend=job["backend"], report=watch)
        else:
            stop = Stop(job["stop"]) if "stop" in job else textforge.Report()
            made = {"architecture": self.architecture(job), "backend": job["backend"]}
            with contextlib.suppress(KeyboardInterrupt):
                textforge.train(corpus, output=output, report=Reports([watch, stop]), **made, **settings)
        return {"losses": np.array(watch.losses)}


class Losses(textforge.Report):
    """The validation losses of a run."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def epoch(self, result: Any, model: Any) -> None:
        self.losses.append(result.validation_loss)


def main(folder: str, name: str) -> None:
    """Do the jobs of a file."""
    side = Side(Path(folder))
    results: Arrays = {}
    for number, job in enumerate(json.loads((side.folder / f"{name}.json").read_text(encoding="utf-8"))):
        for key, array in getattr(side, job["kind"])(job).items():
            results[f"{job.get('key', number)}/{key}"] = array
    np.savez(side.folder / f"{name}.npz", **results)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
