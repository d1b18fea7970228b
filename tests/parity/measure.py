"""The measurements: which jobs each side does, and how far apart the results are."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from parity.side import Side
from textforge.generation.randomness import DrawNumbers
from textforge.model import Arrays

ARCHITECTURES = ("lstm", "conv", "gpt")
OPTIONS: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "lstm": {
        f"{layers} x {'one-hot' if embedding is None else 'embedding'}": {
            "hidden_size": 48,
            "num_layers": layers,
            "embedding_size": embedding,
        }
        for layers, embedding in itertools.product((1, 2, 3), (16, None))
    },
    "conv": {
        f"{layers} x {'one-hot' if embedding is None else 'embedding'}": {
            "channels": 32,
            "num_layers": layers,
            "kernel_size": kernel_size,
            "embedding_size": embedding,
        }
        for (layers, kernel_size), embedding in itertools.product(((1, 2), (2, 3), (3, 3)), (16, None))
    },
    "gpt": {
        f"{layers} x window of {window}": {"hidden_size": 48, "num_layers": layers, "num_heads": 3, "window": window}
        for layers, window in itertools.product((1, 2, 3), (32, 100))
    },
}
SMALLER: Mapping[str, dict[str, Any]] = {
    "lstm": {"hidden_size": 64},
    "conv": {"channels": 48},
    "gpt": {"hidden_size": 64, "num_heads": 4, "num_layers": 2, "window": 64},
}
"""The model that writes the texts, and the one whose training changes its backend."""
LOSSES: Mapping[str, dict[str, Any]] = {"lstm": {}, "conv": {}, "gpt": SMALLER["gpt"]}
"""The model whose losses are compared: by default the default one, but where that would take minutes."""
TAME = {"adam": {"rate": 0.005}, "rmsprop": {"rate": 0.001}, "sgd": {"rate": 0.1}}
"""Rates at which fifty steps amplify no rounding."""
TEXTS = {
    "prompt": "the ",
    "samplers": "top-k:30 | temperature:0.8",
    "max_tokens": 2000,
    "count": 50,
    "seed": 11,
    "model": "writer",
}
BOUNDARY = 1e-4
"""The distance of a draw from the boundary between two tokens at which texts may part."""
SWAP = {"epochs": 4, "characters": 80_000}


@attrs.frozen
class Parted:
    """The place at which two texts that should be equal are not."""

    text: int
    place: int
    distance: float
    """From the draw to the boundary between the two tokens, in probability."""


class Parity:
    """Every measurement of one architecture."""

    def __init__(
        self, architecture: str, folder: Path, texts: dict[str, Any] | None = None, models: Sequence[int] = range(6)
    ) -> None:
        self.architecture = architecture
        options = list(OPTIONS[architecture].items())
        self.options = dict(options[number] for number in models)
        self.folder = folder
        self.texts_job = {**TEXTS, **(texts or {})}
        self.results: dict[str, Arrays] = {}

    def measure(self) -> Parity:
        """Do all jobs: PyTorch's, which train the models, then Keras's, then what PyTorch goes on with, and NumPy's."""
        own = [*self._models(), *self._losses(), *self._logits(), *self._texts()]
        self._run("torch", [*own, *self._runs("torch")])
        common = [*self._losses(), *self._logits(), *self._texts()]
        self._run("keras", [*common, *self._runs("keras"), self._resumed("torch-half", "swapped-to-keras")])
        self._run("torch", [self._resumed("keras-half", "swapped-to-torch")])
        self._run("numpy", [*self._logits(), *self._texts()])
        return self

    def _run(self, framework: str, jobs: list[dict[str, Any]]) -> None:
        ready = [{**job, "architecture": self.architecture, "backend": _spec(framework, job)} for job in jobs]
        name = f"{framework}-jobs"
        (self.folder / f"{name}.json").write_text(json.dumps(ready), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "parity.side", str(self.folder), name],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        if done.returncode:
            raise RuntimeError(f"the side {framework} failed:\n{done.stderr}")
        with np.load(self.folder / f"{name}.npz") as arrays:
            self.results.setdefault(framework, {}).update(arrays)

    def _models(self) -> Iterator[dict[str, Any]]:
        base = {"kind": "train", "optimizer": "adam", "seed": 3}
        for name, options in self.options.items():
            for kind, steps in (("fresh", 0), ("trained", 150)):
                yield {**base, "steps": steps, "options": options, "model": f"{name} {kind}", "key": f"{name} {kind}"}
        yield {**base, "steps": 400, "options": SMALLER[self.architecture], "model": "writer", "key": "writer"}

    def _losses(self) -> Iterator[dict[str, Any]]:
        for optimizer in TAME:
            base = {"kind": "train", "optimizer": optimizer, "options": LOSSES[self.architecture], "seed": 5}
            yield {**base, "steps": 5, "key": f"first {optimizer}"}
            yield {**base, "steps": 50, "key": f"tame {optimizer}", **TAME[optimizer]}

    def _logits(self) -> Iterator[dict[str, Any]]:
        models = itertools.product(self.options, ("fresh", "trained"), ("float32", "float64"))
        for name, kind, precision in models:
            for rows, window in itertools.product((1, 16), (None, 60)):
                job = {"kind": "logits", "model": f"{name} {kind}", "precision": precision}
                yield {**job, "rows": rows, "window": window, "key": f"{kind} {precision} {name} {rows} {window}"}

    def _texts(self) -> Iterator[dict[str, Any]]:
        for precision in ("float32", "float64"):
            yield {"kind": "texts", "precision": precision, "key": f"texts {precision}", **self.texts_job}

    def _runs(self, framework: str) -> list[dict[str, Any]]:
        run = {"kind": "run", "options": SMALLER[self.architecture], **SWAP}
        return [
            {**run, "output": f"{framework}-whole", "key": "whole"},
            {**run, "output": f"{framework}-half", "stop": 2, "key": "half"},
        ]

    def _resumed(self, output: str, key: str) -> dict[str, Any]:
        return {"kind": "run", "output": output, "resume": True, "key": key, **SWAP}

    def logit_distance(self, kind: str, precision: str) -> dict[str, float]:
        """The largest distance between two backends' logits, for each pair."""
        found: dict[str, float] = {}
        for one, other in itertools.combinations(self.results, 2):
            keys = [key for key in self.results["numpy"] if key.startswith(f"{kind} {precision} ")]
            distances = [np.abs(self.results[one][key] - self.results[other][key]).max() for key in keys]
            found[f"{one} and {other}"] = float(max(distances))
        return found

    def loss_distance(self, key: str) -> float:
        """The largest distance between the losses of PyTorch's and Keras's steps."""
        return float(np.abs(self._of("torch", key, "losses") - self._of("keras", key, "losses")).max())

    def first_weights_are_equal(self) -> bool:
        keys = [key for key in self.results["keras"] if key.endswith("/first_weights")]
        return bool(keys) and all(
            np.array_equal(self.results["torch"][key], self.results["keras"][key]) for key in keys
        )

    def _of(self, framework: str, key: str, what: str) -> Any:
        return self.results[framework][f"{key}/{what}"]

    def swapped(self) -> dict[str, float]:
        """Return how far a run that changed its backend halfway ends from one that didn't, by the validation loss."""
        ends = {
            "torch, then keras": self._of("keras", "swapped-to-keras", "losses")[-1],
            "keras, then torch": self._of("torch", "swapped-to-torch", "losses")[-1],
        }
        wholes = [self._of(framework, "whole", "losses")[-1] for framework in ("torch", "keras")]
        return {name: float(max(abs(end / whole - 1) for whole in wholes)) for name, end in ends.items()}

    def parted(self, precision: str) -> dict[str, list[Parted]]:
        """Return where the texts of two backends part, for each pair."""
        found: dict[str, list[Parted]] = {}
        for one, other in itertools.combinations(self.results, 2):
            texts = [self._of(side, f"texts {precision}", "texts").tolist() for side in (one, other)]
            pairs = [(n, *both) for n, both in enumerate(zip(*texts, strict=True)) if both[0] != both[1]]
            found[f"{one} and {other}"] = [self._parted(*pair) for pair in pairs]
        return found

    def _parted(self, number: int, one: str, other: str) -> Parted:
        """Return how near to a boundary the draw was, by the logits of NumPy in float64."""
        place = next(n for n, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
        side = Side(self.folder)
        job = {"model": self.texts_job["model"], "backend": "numpy:precision=float64"}
        model, encoder = side.model(job), side.encoder()
        ids = encoder.encode(self.texts_job["prompt"] + one[:place])
        logits = np.asarray(model.forward(ids[None], model.start(1), last_only=True)[:, -1], dtype=np.float64)
        for sampler in side.plugins.chain(self.texts_job["samplers"]):
            logits = sampler(logits, None)  # neither looks at its context
        sums = np.exp(logits[0] - logits.max()).cumsum()
        drawn = DrawNumbers(self.texts_job["seed"], [number]).at(place)[0]
        between = sums[min(int(encoder.encode(text[place])[0]) for text in (one, other))]
        return Parted(number, place, abs(float(drawn - between / sums[-1])))


def _spec(backend: str, job: dict[str, Any]) -> str:
    return f"{backend}:precision={job['precision']}" if "precision" in job else backend
