"""A small encoder, and contents of a bundle in which every part tells the step it is of."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import attrs
import numpy as np

import textforge
from textforge.bundle import Bundle, BundleContents, BundleWriter
from textforge.encoders.base import Encoder
from textforge.model import SavedModel
from textforge.plugins.registry import Plugins, Source
from textforge.training.checkpoint import Checkpoint, Position, Turn
from textforge.training.data import CorpusRecord
from textforge.training.events import EpochResult


class Letters(Encoder):
    """One id a code point."""

    name = "letters"
    lowercase: bool = textforge.option(default=False, help="Lower-case.")
    weights: tuple[float, ...] = textforge.option(default=(), help="A list, to be saved.")
    vocabulary: str = textforge.learned(default="")
    pairs: tuple[tuple[str, int], ...] = textforge.learned(default=())

    @property
    def vocabulary_size(self):
        return len(self.vocabulary)

    def fit(self, chunks):
        return self.replace(vocabulary="".join(sorted(set("".join(chunks)))))

    def encode(self, text, *, unknown="error"):
        return np.array([self.vocabulary.index(character) for character in text], dtype=np.int64)

    def decode(self, ids):
        return "".join(self.vocabulary[id] for id in ids)


@textforge.hookimpl
def register_encoders(register):
    register(Letters)


def letters_plugins() -> Plugins:
    return Plugins(sources=[Source("letters", "textforge-letters", "1.0", lambda: sys.modules[__name__])])


def epoch(number: int, best: bool = True) -> EpochResult:
    return EpochResult(
        epoch=float(number),
        step=10 * number,
        train_loss=3.0 / number,
        validation_loss=None if number % 2 else 3.1 / number,
        learning_rate=0.01,
        tokens_per_second=1000.5,
        seconds=number * 1.25,
        best=best,
    )


def saved(step: int, size: int = 5) -> SavedModel:
    arrays = {
        "output.weight": np.full((size, 40), step, dtype=np.float32).T,
        "steps": np.asarray(step),
        "empty": np.zeros((0, 3), dtype=np.uint8),
        "mask": np.array([True, False]),
    }
    return SavedModel("lstm", {"hidden_size": 8, "sizes": (1, 2), "deep": {"a": None}}, size, arrays, window=None)


def turn(step: int) -> Turn:
    """The moment at which the rate began to fall, half of the steps before."""
    arrays = {"adam.first": np.arange(step, dtype=np.float64), "state/0": np.float16([[-step]])}
    return Turn(Position(step=(step + 1) // 2, best_loss=1.5), saved(step + 2000), arrays)


def contents(step: int, *, resumable: bool = True, own_weights: bool = True, **changes: object) -> BundleContents:
    """Contents whose every part tells `step`, with `step` epochs of history."""
    encoder = Letters(weights=(0.5, 1.0), vocabulary="abcd" + chr(1000 + step), pairs=(("x", step),))
    best = saved(step)
    history = tuple(epoch(number) for number in range(1, step + 1))
    checkpoint = Checkpoint(
        position=Position(step=step, epoch=step, best_loss=1.5, total_steps=step * 7 or None, seconds=0.1 * step),
        model=saved(step + 1000) if own_weights else best,
        best=best,
        arrays={"adam.first": np.arange(step + 1, dtype=np.float64), "state/0": np.float16([[step]])},
        history=history,
        turn=turn(step) if step and step % 2 == 0 else None,
    )
    whole = BundleContents(
        encoder=encoder,
        model=best,
        backend=f"torch:hidden_size={step}",
        corpora=(CorpusRecord("files:a.txt", "ab" * 32, step),),
        settings={"seed": step, "sample": ("greedy", "top-k:3"), "clip_norm": None, "validation": 0.1},
        versions={"textforge": "0.1.0", "step": str(step)},
        checkpoint=checkpoint if resumable else None,
        history=history,
        encoder_plugin="textforge-letters",
        backend_plugin="textforge-torch",
    )
    return attrs.evolve(whole, **changes)


def assert_same_model(found: SavedModel, expected: SavedModel) -> None:
    for name in ("architecture", "vocabulary_size", "window"):
        assert getattr(found, name) == getattr(expected, name)
    assert dict(found.options) == dict(expected.options)
    assert_same_arrays(found.arrays, expected.arrays)


def assert_same_arrays(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()
        assert found[name].flags.writeable


def assert_holds(path: Path, expected: BundleContents) -> None:
    """The bundle has exactly these contents, and its folder no file of a bundle's beside them."""
    bundle = Bundle.open(path)
    found = bundle.contents(letters_plugins())
    for name in ("encoder", "backend", "corpora", "settings", "versions", "history", "encoder_plugin"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found.backend_plugin == expected.backend_plugin
    assert_same_model(found.model, expected.model)
    assert (found.checkpoint is None) == (expected.checkpoint is None)
    if expected.checkpoint is not None:
        assert found.checkpoint.position == expected.checkpoint.position
        assert found.checkpoint.history == expected.checkpoint.history
        assert_same_model(found.checkpoint.model, expected.checkpoint.model)
        assert_same_model(found.checkpoint.best, expected.checkpoint.best)
        assert_same_arrays(found.checkpoint.arrays, expected.checkpoint.arrays)
        assert (found.checkpoint.turn is None) == (expected.checkpoint.turn is None)
        if expected.checkpoint.turn is not None:
            assert found.checkpoint.turn.position == expected.checkpoint.turn.position
            assert_same_model(found.checkpoint.turn.model, expected.checkpoint.turn.model)
            assert_same_arrays(found.checkpoint.turn.arrays, expected.checkpoint.turn.arrays)


def step_of(path: Path) -> int:
    """The step of a bundle, all of whose parts agree."""
    step = Bundle.open(path).position.step
    expected = contents(step)
    if Bundle.open(path).settings["clip_norm"] is not None:  # made by `commit_forever`, in a run that overwrites
        expected = other_run(step)
    assert_holds(path, expected)
    return step


def other_run(step: int) -> BundleContents:
    """Contents whose history isn't the beginning of `contents`'s."""
    whole = contents(step)
    history = tuple(epoch(number, best=False) for number in range(1, step + 1))
    settings = {**whole.settings, "clip_norm": 2.5}
    checkpoint = attrs.evolve(whole.checkpoint, history=history)
    return attrs.evolve(whole, history=history, settings=settings, checkpoint=checkpoint)


def commit_forever(path: str) -> None:
    """Commit one step after another, from time to time as another run that overwrites; until killed."""
    print("started", flush=True)
    for run in itertools.count():
        writer = BundleWriter.prepare(path, overwrite=True)
        for step in range(1 + run % 3, 6):
            writer.commit((other_run if run % 2 else contents)(step))
