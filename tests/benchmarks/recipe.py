"""The search that an LSTM's recipe is read from: ``python -m tests.benchmarks.recipe``.

Corpora are the beginnings of texts, of several lengths. From what the recipe chooses for a corpus and a time, one
option or setting at a time is tried lower and higher, each trial over several seeds, and the best of all is gone on
from, until no neighbour is better. A trial is a whole run of textforge's, judged on what follows in the text; its time
is told by a clock that counts what its tokens cost at a declared speed, so that the figures are the same on a busy
machine and an idle one. The table says for each corpus and time what the recipe chose, what the search found, and how
far apart they end.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import attrs
import click

from tests.benchmarks.measure import ROOT, machine
from textforge.architectures.lstm import LSTM
from textforge.architectures.lstm_recipe import Size
from textforge.architectures.recipe import Budget, CorpusSize

DATA = ROOT.parent / "shared" / "data"
HELD_OUT = 60_000
"""Characters that a trial is judged on, which follow those of the corpus."""
EVALUATION_SPEED = 2.5
"""The speed of a prediction for validation as a multiple of training's."""
STEPS: Mapping[str, Sequence[Any]] = {
    "epochs": (2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48),
    "hidden_size": (32, 64, 96, 128, 192, 256, 384, 512, 768),
    "num_layers": (1, 2, 3),
    "dropout": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
    "batch_size": (1, 2, 4, 8, 16, 32, 64),
    "sequence_length": (16, 32, 64, 128),
    "learning_rate": (0.003, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03),
    "weight_decay": (0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3),
}
"""The values on which the search goes up and down."""
OPTIONS = ("hidden_size", "num_layers", "dropout")
"""Those that are the architecture's."""


@attrs.frozen
class Task:
    """A corpus and a time."""

    path: str
    characters: int
    seconds: float


@attrs.frozen
class Trial:
    """One run: a task, what the recipe's choice is changed to, and a seed."""

    task: Task
    changes: tuple[tuple[str, Any], ...]
    seed: int


def choose(task: Task, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the recipe chooses where these options and settings are given."""
    size, _, _ = _read(task)
    given = {name: value for name, value in changes.items() if name not in OPTIONS}
    options = {name: value for name, value in changes.items() if name in OPTIONS}
    recipe = LSTM(**options).sized(size, Budget(minutes=task.seconds / 60, settings=given))
    values = {**recipe.settings, **given, **recipe.architecture.option_values()}
    return {name: values[name] for name in STEPS if values.get(name) is not None}


def learn(trial: Trial) -> float:
    """Return the loss, in nats a character, of a run on the text that follows its corpus."""
    import torch

    from textforge.backends.choose import load_model
    from textforge.evaluation.loss import token_loss
    from textforge.plugins.registry import Plugins
    from textforge.training import loop
    from textforge.training.clock import Clock
    from textforge.training.data import TrainingData
    from textforge.training.report import Report
    from textforge.training.settings import TrainingSettings

    torch.set_num_threads(1)
    size, encoder, text = _read(trial.task)
    values = choose(trial.task, dict(trial.changes))
    architecture = LSTM(**{name: values[name] for name in OPTIONS})
    settings = TrainingSettings(
        seed=trial.seed,
        minutes=None if "epochs" in values else trial.task.seconds / 60,
        **{name: value for name, value in values.items() if name not in OPTIONS},
    )
    plugins = Plugins()
    backend = plugins.backend("torch:device=cpu").mix_precision()
    first = architecture.create(encoder.vocabulary_size, trial.seed)
    model = load_model(plugins, backend, first, architecture)
    time = Time(model, _make_size(architecture, size).seconds_a_token)
    data = TrainingData.split(encoder.encode(text[: trial.task.characters]), encoder, 0.1)
    loop.Clock = functools.partial(Clock, now=time)  # type: ignore[misc, assignment]
    best = loop.fit(model, data, settings, Report())  # type: ignore[arg-type]
    judged = load_model(plugins, plugins.backend("torch:device=cpu"), best, architecture)
    unseen = text[trial.task.characters :][:HELD_OUT]
    return token_loss(judged, encoder.encode(unseen), rows=8).mean


class Time:
    """The seconds that a model's tokens would have taken at a declared speed."""

    def __init__(self, model: Any, seconds_a_token: float) -> None:
        self._seconds = 0.0
        train_step, loss = model.train_step, model.loss

        def timed_step(inputs: Any, *rest: Any, **keywords: Any) -> Any:
            self._seconds += inputs.size * seconds_a_token
            return train_step(inputs, *rest, **keywords)

        def timed_loss(inputs: Any, *rest: Any, **keywords: Any) -> Any:
            self._seconds += inputs.size * seconds_a_token / EVALUATION_SPEED
            return loss(inputs, *rest, **keywords)

        model.train_step, model.loss = timed_step, timed_loss

    def __call__(self) -> float:
        return self._seconds


@functools.cache
def _read(task: Task) -> tuple[CorpusSize, Any, str]:
    """Return the size of what is learnt from, the encoder, and the text with what follows it, of known characters."""
    from textforge.encoders.char import CharEncoder

    text = Path(task.path).read_text(encoding="utf-8")
    encoder = CharEncoder().fit([text[: task.characters]])
    known = set(text[: task.characters])
    after = "".join(character for character in text[task.characters :] if character in known)
    return CorpusSize(int(task.characters * 0.9), encoder.vocabulary_size), encoder, text[: task.characters] + after


def _make_size(architecture: LSTM, corpus: CorpusSize) -> Size:
    return Size(architecture.hidden_size, architecture.num_layers, architecture.embedding_size, corpus.vocabulary_size)


class Search:
    """The search for the best that a task allows, one value at a time."""

    def __init__(self, task: Task, seeds: int, pool: ProcessPoolExecutor, kept: Path | None) -> None:
        self._task, self._seeds, self._pool, self._kept = task, seeds, pool, kept
        self._losses: dict[tuple[tuple[str, Any], ...], list[float]] = _read_kept(kept, task)

    def measure(self, candidates: Sequence[Mapping[str, Any]]) -> list[float]:
        """Return the mean loss of each candidate over the seeds; what was measured before isn't again."""
        keys = [tuple(sorted(candidate.items())) for candidate in candidates]
        new = [key for key in dict.fromkeys(keys) if key not in self._losses]
        trials = [Trial(self._task, key, seed) for key in new for seed in range(1, self._seeds + 1)]
        losses = iter(list(self._pool.map(learn, trials)))
        for key in new:
            self._losses[key] = list(itertools.islice(losses, self._seeds))
            self._tell(key)
        return [statistics.mean(self._losses[key]) for key in keys]

    def run(self, names: Sequence[str], rounds: int) -> tuple[dict[str, Any], float, dict[str, Any], float]:
        """Return what the recipe chooses with its loss, and the best that was found with its."""
        chosen = choose(self._task, {})
        [first] = self.measure([chosen])
        best, loss = chosen, first
        for _ in range(rounds):
            before = loss
            for name in [name for name in names if name in best]:
                candidates = [{**best, name: value} for value in _neighbours(name, best[name])]
                for candidate, found in zip(candidates, self.measure(candidates), strict=True):
                    if found < loss:
                        best, loss = candidate, found
            if loss == before:
                break
        return chosen, first, best, loss

    def _tell(self, key: tuple[tuple[str, Any], ...]) -> None:
        line = {"task": attrs.asdict(self._task), "settings": dict(key), "losses": self._losses[key]}
        print(json.dumps(line), file=sys.stderr, flush=True)
        if self._kept is not None:
            with self._kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def _read_kept(kept: Path | None, task: Task) -> dict[tuple[tuple[str, Any], ...], list[float]]:
    if kept is None or not kept.exists():
        return {}
    lines = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    return {tuple(sorted(line["settings"].items())): line["losses"] for line in lines if Task(**line["task"]) == task}


def _neighbours(name: str, value: Any) -> Iterator[Any]:
    """The values of a setting next below and above."""
    lower = [each for each in STEPS[name] if each < value]
    higher = [each for each in STEPS[name] if each > value]
    return iter([*lower[-1:], *higher[:1]])


def _write(values: Mapping[str, Any]) -> str:
    size = f"{values['num_layers']}x{values['hidden_size']}"
    streams = f"{values['batch_size']} x {values['sequence_length']}"
    rates = f"rate {values['learning_rate']:g}, decay {values['weight_decay']:g}"
    epochs = f", {values['epochs']} epochs" if "epochs" in values else ""
    return f"{size}, dropout {values['dropout']:g}, {streams}, {rates}{epochs}"


@click.command()
@click.option(
    "--corpus",
    "paths",
    type=click.Path(exists=True),
    multiple=True,
    default=[str(path) for path in (DATA / "tinyshakespeare.txt", DATA / "nietzsche.txt") if path.exists()],
    help="A text to take beginnings of; more than one may be given.",
)
@click.option("--characters", multiple=True, type=int, default=(2_000, 20_000, 200_000, 1_000_000))
@click.option("--seconds", multiple=True, type=float, default=(10.0, 87.0))
@click.option("--seeds", default=3, show_default=True)
@click.option("--rounds", default=3, show_default=True, help="Times to go through all settings; 0: the recipe alone.")
@click.option("--name", "names", multiple=True, type=click.Choice(list(STEPS)), default=list(STEPS))
@click.option(
    "--keep", type=click.Path(path_type=Path), help="A file of trials, one JSON object a line, to go on from."
)
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True)
def main(
    paths: Sequence[str],
    characters: Sequence[int],
    seconds: Sequence[float],
    seeds: int,
    rounds: int,
    names: Sequence[str],
    keep: Path | None,
    jobs: int,
) -> None:
    """Search around what the recipe chooses, and print the table."""
    print(f"{machine()}; {seeds} seeds each; seconds are those of the declared speed\n")
    print("| text | characters | seconds | the recipe's choice | loss | the search's | loss | apart |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for path, length, limit in itertools.product(paths, characters, seconds):
            task = Task(path, min(length, len(Path(path).read_text(encoding="utf-8")) - HELD_OUT), limit)
            chosen, first, best, loss = Search(task, seeds, pool, keep).run(names, rounds)
            cells = (Path(path).stem, f"{task.characters:,}", f"{limit:g}", _write(chosen), f"{first:.3f}")
            print(f"| {' | '.join(cells)} | {_write(best)} | {loss:.3f} | {first - loss:.3f} |", flush=True)


if __name__ == "__main__":
    main()
