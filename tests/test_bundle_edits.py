"""A bundle whose manifest was edited: it works, or says what is wrong with it."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import attrs
import bigram_plugin
import pytest
from bundle_samples import assert_holds, contents, letters_plugins

import textforge
from textforge.bundle import Bundle, BundleContents, BundleWriter
from textforge.bundle.parts import read_checkpoint, write_checkpoint
from textforge.errors import BundleError, TextforgeError
from textforge.plugins.registry import Plugins
from textforge.training.checkpoint import Checkpoint, Position
from textforge.training.report import Report

VALUES = [0, -1, 10**9, 1.5, "x", None, {}, []]


class Enough(TextforgeError):
    """A run was stopped that would have gone on for long."""


class Stop(Report):
    """Stops a run at one of its checkpoints."""

    def __init__(self, at: int) -> None:
        self.left = at

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        self.left -= 1
        if not self.left:
            raise Enough


def plugins() -> Plugins:
    return Plugins([bigram_plugin], disabled="all")


@pytest.fixture
def often(monkeypatch):
    """A checkpoint is saved after every step, and not waited for."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr("textforge.training.loop.SECONDS_BETWEEN_CHECKPOINTS", 0.0)


@pytest.fixture(params=["stream", "windows"])
def stopped(request, often, tmp_path):
    """A bundle whose run was stopped in the middle of an epoch."""
    (tmp_path / "book.txt").write_text("to be or not to be, that is the question " * 5)
    with pytest.raises(Enough):
        textforge.train(
            tmp_path / "book.txt",
            backend="bigram",
            output=tmp_path / "model",
            plugins=plugins(),
            report=Stop(3),
            seed=1,
            epochs=2,
            batch_size=4,
            sequence_length=8,
            sequences=request.param,
            window=8,
        )
    return tmp_path / "model"


def places(value, at=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from places(inner, (*at, key))


def edit(folder: Path, place: tuple[str | int, ...], value: object) -> None:
    manifest = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    inner = manifest
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (folder / "config.json").write_text(json.dumps(manifest), encoding="utf-8")


def outcome(action: Callable[[Path], object], folder: Path) -> str:
    """Nothing, or the error's line; anything but a `TextforgeError` is raised."""
    message = ""
    try:
        action(folder)
    except Enough:
        pass
    except TextforgeError as error:
        message = str(error)
    assert message.isprintable()
    return message


def generate(folder: Path) -> None:
    textforge.load(folder, plugins=plugins()).generate(max_tokens=3, seed=1)


def resume(folder: Path) -> None:
    textforge.train(resume=True, output=folder, plugins=plugins(), report=Stop(2))


def copy(folder: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    return shutil.copytree(folder, to)


def test_whatever_value_is_edited_the_bundle_works_or_says_what_is_wrong(stopped, tmp_path):
    manifest = json.loads((stopped / "config.json").read_text(encoding="utf-8"))
    edited = tmp_path / "edited"
    assert {outcome(generate, copy(stopped, edited)), outcome(resume, edited)} == {""}
    assert Bundle.open(edited).position.step > Bundle.open(stopped).position.step
    if manifest["model"]["window"] is not None:  # all else is as in streams
        manifest = {name: manifest[name] for name in ("model", "position", "settings")}
    found, failed = set(), []
    for place, value in itertools.product(places(manifest), VALUES):
        edit(copy(stopped, edited), place, value)
        actions = [Bundle.open] if outcome(Bundle.open, edited) else [generate, resume]
        try:
            found |= {outcome(action, edited) for action in actions}
        except Exception as error:
            failed.append((place, value, repr(error)))
    assert failed == []
    assert len(found) > 50


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("model.window", 0, "model.window must be none or between 1 and 1048576, got 0"),
        ("model.window", -5, "model.window must be none or between 1 and 1048576, got -5"),
        ("model.window", 10**9, "model.window must be none or between 1 and 1048576, got 1000000000"),
        ("position.step", -1, "position.step must be between 0 and"),
        ("position.step", 10**30, "position.step must be between 0 and"),
        ("position.loss_count", -1, "position.loss_count must be between 0"),
        ("position.seconds", -0.5, "position.seconds must be between 0"),
        ("position.best_epoch", -0.5, "position.best_epoch must be between 0"),
        ("position.total_steps", 0, "position.total_steps must be between 1 and"),
        ("position.evaluated_step", 9, "position.evaluated_step must be <= step, 2, got 9"),
        ("position.loss_sum", math.inf, "is no number that JSON may have"),
        ("position.best_loss", math.nan, "is no number that JSON may have"),
        pytest.param("position.best_loss", 10**400, "position.best_loss must be a number, got 1000", id="digits"),
    ],
)
def test_an_edited_manifest_is_refused_when_it_is_opened(tmp_path, place, value, message):
    BundleWriter.prepare(tmp_path).commit(contents(2))
    edit(tmp_path, tuple(place.split(".")), value)
    with pytest.raises(BundleError, match=re.escape(message)) as caught:
        Bundle.open(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'config.json'} is damaged: ")
    assert str(caught.value).endswith("; copy the model again, or train it again")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "settings.seed is missing"),
        ({"epochs": 3}, "settings.seed is missing"),
        ({"seed": 1, "sed": 2}, "there is no option 'sed'"),
        ({"seed": None}, "seed must be a whole number, got None"),
        ({"seed": 1, "sequences": 3}, "sequences must be text, got 3"),
        ({"seed": 1, "sequences": "x"}, "sequences must be "),
        ({"seed": 1, "batch_size": 0}, "batch_size must be >= 1, got 0"),
        ({"seed": 1, "sequences": "windows"}, "settings.sequences is windows of 60, but model.window is None"),
    ],
)
def test_settings_that_are_none_of_training_are_refused_where_it_would_go_on(tmp_path, settings, message):
    BundleWriter.prepare(tmp_path).commit(contents(2))
    edit(tmp_path, ("settings",), settings)
    bundle = Bundle.open(tmp_path)
    with pytest.raises(BundleError, match=re.escape(message)) as caught:
        bundle.contents(letters_plugins())
    assert str(caught.value).startswith(f"{tmp_path / 'config.json'} is damaged: ")
    assert bundle.contents(letters_plugins(), resumable=False).settings == settings


def with_window(window: int | None, **changes: object) -> BundleContents:
    whole = contents(2)
    model = attrs.evolve(whole.model, window=window)
    checkpoint = attrs.evolve(whole.checkpoint, model=model, best=model)
    return attrs.evolve(whole, model=model, checkpoint=checkpoint, **changes)


def test_the_window_is_the_one_that_was_trained_with(tmp_path):
    windows = {"seed": 1, "sequences": "windows", "window": 8}
    for window in (None, 7, 8):
        BundleWriter.prepare(tmp_path, overwrite=True).commit(with_window(window, settings=windows))
        refused = outcome(lambda folder: Bundle.open(folder).contents(letters_plugins()), tmp_path)
        assert (refused == "") == (window == 8)


def test_a_backend_that_counts_goes_by_no_settings(tmp_path):
    (tmp_path / "book.txt").write_text("to be or not to be, " * 20)
    registry = plugins()
    keywords = {"output": tmp_path / "model", "plugins": registry}
    made = textforge.train(
        tmp_path / "book.txt", architecture="ngram", sequences="windows", window=5, seed=1, **keywords
    )
    assert Bundle.open(tmp_path / "model").contents(registry).model.window is None
    again = textforge.train(resume=True, **keywords)
    assert again.generate(max_tokens=9, seed=1) == made.generate(max_tokens=9, seed=1)


def test_a_model_that_has_a_window_by_its_nature_may_learn_from_streams(tmp_path):
    BundleWriter.prepare(tmp_path).commit(with_window(8))
    assert Bundle.open(tmp_path).contents(letters_plugins()).model.window == 8


def test_what_would_not_load_is_not_saved(tmp_path):
    writer = BundleWriter.prepare(tmp_path)
    writer.commit(contents(1))
    with pytest.raises(BundleError, match=r"can't save the model in .*: model\.window must be .*; what was saved"):
        writer.commit(with_window(1 << 21))
    assert_holds(tmp_path, contents(1))


def test_a_checkpoints_own_position_is_checked(tmp_path):
    whole = contents(2)
    best = whole.model
    for position in (Position(step=-1), Position(step=1, evaluated_step=2), Position(total_steps=0)):
        data = write_checkpoint(attrs.evolve(whole.checkpoint, position=position), best)
        with pytest.raises(ValueError, match=r"^position\."):
            read_checkpoint(data, best, ())
