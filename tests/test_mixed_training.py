"""Runs that count a model beside the one that they train, and mix both at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import textforge
from textforge.architectures.composite import Part
from textforge.bundle import Bundle
from textforge.bundle.mixing import split_mix
from textforge.errors import BundleError, OptionError, StopTraining, TrainingError, UnknownComponent
from textforge.library import mixed_training
from textforge.library.mixed_training import Counted, leave_time
from textforge.training.report import Report
from textforge.training.settings import TrainingSettings

TEXT = "It is a truth that the text is short. Is it? It is so, and that is that. Was it so? It was, it is.\n" * 60
SMALL = "lstm:hidden_size=8,embedding_size=4,dropout=0.2"
Train = Callable[..., textforge.TextGenerator]


class Notes(Report):
    """A report that keeps what it is told, in order; it stops the run, or interrupts it, at an epoch's end."""

    def __init__(self, stop_at: float = 0, error: type[BaseException] = StopTraining) -> None:
        self.messages: list[str] = []
        self.finished = False
        self._stop_at = stop_at
        self._error = error

    def message(self, text: str) -> None:
        assert not self.finished
        self.messages.append(text)

    def epoch(self, result: Any, model: Any) -> None:
        if result.epoch == self._stop_at:
            raise self._error

    def finish(self) -> None:
        assert not self.finished
        self.finished = True


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def train(book: Path, tmp_path: Path) -> Train:
    """Trains a small model, and mixes it with a counted one unless told otherwise."""

    def run(name: str, **settings: Any) -> textforge.TextGenerator:
        usual = {"architecture": SMALL, "mix": "ngram:order=3", "epochs": 2, "seed": 1}
        return textforge.train(book, output=tmp_path / name, **{**usual, **settings})

    return run


def weights_of(part: Part | Any) -> dict[str, bytes]:
    arrays = part.saved.arrays if isinstance(part, Part) else part.arrays
    return {name: array.tobytes() for name, array in arrays.items()}


def test_a_run_ends_with_the_mixture_of_what_it_trained_and_counted(train: Train, tmp_path: Path) -> None:
    notes = Notes()
    mixed = train("m", report=notes)
    plain = train("plain", mix=())
    counted = train("counted", architecture="ngram:order=3", mix=(), epochs=None)
    first, second = split_mix(mixed.contents.model)
    assert weights_of(first) == weights_of(plain.contents.model)
    assert weights_of(second) == weights_of(counted.contents.model)
    mixing = mixed.contents.mixing
    assert mixing is not None
    assert mixing.trained
    assert mixing.names == (SMALL, "ngram:order=3")
    assert mixing.loss is not None
    assert mixing.loss < min(mixing.losses or ())
    assert notes.finished
    assert [line.split()[0] for line in notes.messages[-4:-2]] == [SMALL, "ngram:order=3"]
    assert textforge.load(tmp_path / "m").generate("It", seed=1, max_tokens=40) == mixed.generate(
        "It", seed=1, max_tokens=40
    )


def test_it_is_what_mixing_by_hand_gives(train: Train, tmp_path: Path) -> None:
    mixed = train("m")
    train("plain", mix=())
    train("counted", architecture="ngram:order=3", mix=(), epochs=None)
    by_hand = textforge.mix([tmp_path / "plain", tmp_path / "counted"])
    assert by_hand.contents.model.options["kind"] == mixed.contents.model.options["kind"]
    found, wanted = (each.contents.model.options["coefficients"] for each in (mixed, by_hand))
    assert found == pytest.approx(wanted, abs=1e-3)  # one read by what trained it, one by NumPy


def test_a_resumed_run_is_the_one_that_was_never_interrupted(train: Train, tmp_path: Path) -> None:
    whole = train("whole", epochs=3)
    notes = Notes(1, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        train("cut", epochs=3, report=notes)
    assert notes.messages[-1] == "stopped before the mixture with ngram:order=3, which ends the run"
    cut = Bundle.open(tmp_path / "cut")
    assert (cut.architecture, cut.mixing) == ("lstm", None)
    assert textforge.load(tmp_path / "cut").generate("It", seed=1, max_tokens=5)
    resumed = textforge.train(output=tmp_path / "cut", resume=True)
    assert weights_of(resumed.contents.model) == weights_of(whole.contents.model)
    assert resumed.contents.model.options == whole.contents.model.options
    for name in ("cut", "whole"):
        checkpoint = Bundle.open(tmp_path / name).checkpoint()
        assert checkpoint is not None
        assert weights_of(checkpoint.best) == weights_of(split_mix(whole.contents.model)[0])
        assert checkpoint.model.architecture == "lstm"


def test_a_mixture_goes_on_to_more_epochs(train: Train, tmp_path: Path) -> None:
    train("m", schedule="constant")
    with pytest.raises(TrainingError, match="nothing is left to learn"):
        textforge.train(output=tmp_path / "m", resume=True)
    more = textforge.train(output=tmp_path / "m", resume=True, epochs=4)
    at_once = train("once", epochs=4, schedule="constant")
    assert weights_of(more.contents.model) == weights_of(at_once.contents.model)
    assert [result.epoch for result in Bundle.open(tmp_path / "m").history()] == [1, 2, 3, 4]


def test_a_finished_run_that_was_not_mixed_is_only_mixed(train: Train, tmp_path: Path, monkeypatch: Any) -> None:
    whole = train("whole")

    def interrupt(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mixed_training, "join_models", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train("m")
    assert Bundle.open(tmp_path / "m").architecture == "lstm"
    mixed = textforge.train(output=tmp_path / "m", resume=True)
    assert weights_of(mixed.contents.model) == weights_of(whole.contents.model)


def test_another_architecture_is_mixed_in_later(train: Train, tmp_path: Path) -> None:
    train("m")
    mixed = textforge.train(output=tmp_path / "m", resume=True, mix=["ngram:order=1", "ngram:order=2"])
    assert [part.saved.architecture for part in split_mix(mixed.contents.model)] == ["lstm", "ngram", "ngram"]
    assert Bundle.open(tmp_path / "m").settings["mix"] == ("ngram:order=1", "ngram:order=2")


def test_a_report_that_stops_the_run_leaves_it_to_be_mixed(train: Train) -> None:
    notes = Notes(1)
    mixed = train("m", epochs=5, report=notes)
    assert mixed.contents.mixing is not None
    assert notes.finished
    assert len(mixed.contents.history) == 1


def test_what_is_counted_is_mixed_too(train: Train, tmp_path: Path) -> None:
    mixed = train("m", architecture="ngram:order=1", epochs=None)
    assert [part.saved.options["order"] for part in split_mix(mixed.contents.model)] == [1, 3]
    again = textforge.train(output=tmp_path / "m", resume=True)
    assert weights_of(again.contents.model) == weights_of(mixed.contents.model)


def test_a_run_goes_on_from_the_part_that_was_trained(train: Train, tmp_path: Path) -> None:
    train("m")
    other = tmp_path / "other.txt"
    other.write_text(TEXT + "Öl." * 10, encoding="utf-8")
    grown = textforge.train(other, from_model=tmp_path / "m", epochs=1, seed=1)
    assert grown.contents.model.architecture == "lstm"
    assert grown.contents.lineage[0].model == str(tmp_path / "m")
    mixed = textforge.train(other, from_model=tmp_path / "m", epochs=1, seed=1, mix="ngram:order=2")
    assert weights_of(split_mix(mixed.contents.model)[0]) == weights_of(grown.contents.model)


@pytest.mark.parametrize("settings", [{"validation_part": "slices"}, {"replay": "old.txt:0.2"}, {"validation": 0.3}])
def test_every_way_to_hold_out(train: Train, tmp_path: Path, monkeypatch: Any, settings: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.txt").write_text("That is it.\n" * 100, encoding="utf-8")
    mixing = train("m", epochs=1, **settings).contents.mixing
    assert mixing is not None
    assert (mixing.losses or ())[0] == pytest.approx(
        Bundle.open(tmp_path / "m").history()[-1].validation_loss, abs=0.02
    )


def test_windows_are_mixed_with_what_is_counted(train: Train, tmp_path: Path) -> None:
    mixed = train("m", epochs=1, sequences="windows", window=6, stride=20)
    assert split_mix(mixed.contents.model)[0].saved.window == 6
    checkpoint = Bundle.open(tmp_path / "m").checkpoint()
    assert checkpoint is not None
    assert checkpoint.model.window == 6
    assert textforge.train(output=tmp_path / "m", resume=True, epochs=2).contents.mixing


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"mix": "lstm"}, TrainingError, "lstm is trained step by step, .* train it by itself, and mix both"),
        ({"mix": "nothing"}, UnknownComponent, "there is no architecture 'nothing'"),
        ({"mix": "ngram:ordre=3"}, OptionError, "there is no option 'ordre'"),
        ({"mix": 3}, OptionError, "mix"),
        ({"mix": ("ngram", "mix")}, textforge.BackendError, "'mix' is made of trained ones"),
        ({"validation": 0.0}, TrainingError, "mix needs text to fit the weights to, and none is kept: .* validation"),
        ({"validation": 0.0001}, TrainingError, "2 characters held out are needed .* got 0; give a longer text"),
    ],
)
def test_what_can_not_be_mixed_is_said_before_training(
    train: Train, tmp_path: Path, settings: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train("m", **settings)
    assert not (tmp_path / "m").exists()


def test_a_run_by_time_leaves_time_to_count_and_to_fit(train: Train) -> None:
    notes = Notes()
    mixed = train("m", epochs=None, minutes=0.05, report=notes)
    [line] = [line for line in notes.messages if "counting and mixing take" in line]
    assert line.startswith("of 0.05 minutes, counting and mixing take ")
    assert mixed.contents.settings["minutes"] == 0.05
    assert mixed.contents.mixing is not None


@pytest.mark.parametrize(("seconds", "minutes"), [(6.0, 0.9), (0.0, 1.0), (600.0, 0.1)])
def test_the_time_that_is_left(seconds: float, minutes: float) -> None:
    left = leave_time(TrainingSettings(seed=1, minutes=1.0), Counted((), (), 10, seconds), Report())
    assert left.minutes == pytest.approx(minutes)
    epochs = TrainingSettings(seed=1, epochs=3)
    assert leave_time(epochs, Counted((), (), 10, seconds), Report()) is epochs


def test_a_short_time_fits_weights_to_fewer_tokens(monkeypatch: Any) -> None:
    from mix_samples import LSTM, NGRAM, TOKENS, load

    from textforge.encoders.char import CharEncoder
    from textforge.training.data import TrainingData

    data = TrainingData(TOKENS, np.tile(TOKENS, 100).astype(np.uint8), CharEncoder().fit(["abcdefg"]))
    monkeypatch.setattr(mixed_training, "_time", lambda action: 4.096)  # a millisecond a token
    models = [load(LSTM), load(NGRAM)]
    assert mixed_training._plan_fit(models, data, 100.0) == (10_000, pytest.approx(10.0))
    assert mixed_training._plan_fit(models, data, 1.0) == (mixed_training.LEAST, pytest.approx(1.0))
    assert mixed_training._plan_fit(models, data, 1e6)[0] == 30_000  # all there are


def test_a_bundle_whose_mixture_was_edited_is_told(train: Train, tmp_path: Path) -> None:
    train("m")
    manifest = tmp_path / "m" / "config.json"
    sound = json.loads(manifest.read_text(encoding="utf-8"))
    model = {**sound["model"], "options": {"hidden_size": 8}}
    manifest.write_text(json.dumps({**sound, "model": model}), encoding="utf-8")
    with pytest.raises(BundleError, match="configuration lacks parts"):
        textforge.train(output=tmp_path / "m", resume=True, epochs=3)
