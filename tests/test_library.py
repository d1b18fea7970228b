"""The library's doors, and what a run leaves on disk."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import bigram_plugin
import numpy as np
import pytest

import textforge
from textforge.bundle import Bundle
from textforge.errors import BackendError, BundleError, EncodingError, OptionError, TrainingError
from textforge.plugins import Plugins
from textforge.training.report import Sample

TEXT = "It is a truth that the text is short. Is it? It is so, and that is that.\n" * 12


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def registry() -> Plugins:
    return Plugins([bigram_plugin], disabled="all")


class Letters(textforge.Corpus):
    """A corpus that is no plugin."""

    name = "letters"

    def read(self) -> Any:
        yield from ["abcab", "cabc" * 40]


def test_train_save_and_load(book: Path, tmp_path: Path) -> None:
    trained = textforge.train(book, backend="ngram", seed=1)
    text = trained.generate("It is ", max_tokens=80, seed=2)
    trained.save(tmp_path / "a")
    loaded = textforge.load(tmp_path / "a")
    assert loaded.generate("It is ", max_tokens=80, seed=2) == text
    loaded.save(tmp_path / "b")
    assert textforge.load(tmp_path / "b").generate("It is ", max_tokens=80, seed=2) == text
    assert Bundle.open(tmp_path / "b").corpora == Bundle.open(tmp_path / "a").corpora
    with pytest.raises(BundleError, match="--overwrite"):
        loaded.save(tmp_path / "b")
    loaded.save(tmp_path / "b", overwrite=True)


def test_corpora_are_paths_specs_objects_or_several_of_them(book: Path) -> None:
    for corpus in (str(book), book, f"files:{book}", Letters(), [Letters(), book]):
        assert textforge.train(corpus, backend="ngram", seed=1).generate(max_tokens=3, seed=1)


def test_a_generator_made_by_hand_is_saved_too(tmp_path: Path, registry: Plugins) -> None:
    encoder = registry.encoder("char").fit(["abc"])
    model = registry.backend("bigram").create(3, seed=1)
    textforge.TextGenerator(model, encoder, plugins=registry).save(tmp_path / "m")
    loaded = textforge.load(tmp_path / "m", plugins=registry)
    np.testing.assert_array_equal(loaded.model.save().arrays["last"], model.save().arrays["last"])
    with pytest.raises(BackendError, match=r"no installed backend runs .*'bigram'; it was made by .*bigram_plugin"):
        textforge.load(tmp_path / "m", plugins=Plugins(disabled="all"))


def test_a_missing_plugin_is_named(tmp_path: Path, registry: Plugins, book: Path) -> None:
    textforge.train(book, backend="bigram", epochs=1, seed=1, output=tmp_path / "m", plugins=registry)
    with pytest.raises(BackendError, match="made by the backend 'bigram' of the plugin 'bigram_plugin'"):
        textforge.load(tmp_path / "m", plugins=Plugins(disabled="all"))


def test_what_is_wrong_is_said_before_anything_is_read(tmp_path: Path, registry: Plugins) -> None:
    missing = tmp_path / "missing.txt"
    with pytest.raises(OptionError, match=r"no option 'epoch'; .*did you mean 'epochs'"):
        textforge.train(missing, epoch=3, plugins=registry)
    with pytest.raises(BackendError, match="can't train"):
        textforge.train(missing, backend="numpy", plugins=registry)
    with pytest.raises(TrainingError, match="no corpus"):
        textforge.train(plugins=registry)
    with pytest.raises(TrainingError, match="output"):
        textforge.train(resume=True, plugins=registry)


def test_a_run_that_fails_leaves_no_folder_behind(tmp_path: Path, registry: Plugins) -> None:
    (tmp_path / "short.txt").write_text("ab", encoding="utf-8")
    with pytest.raises(TrainingError, match="too short"):
        textforge.train(tmp_path / "short.txt", backend="bigram", plugins=registry, output=tmp_path / "deep" / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["short.txt"]
    (tmp_path / "own").mkdir()
    with pytest.raises(TrainingError, match="too short"):
        textforge.train(tmp_path / "short.txt", backend="bigram", plugins=registry, output=tmp_path / "own")
    assert (tmp_path / "own").is_dir(), "a folder that was there stays"


def test_evaluate(book: Path) -> None:
    generator = textforge.train(book, backend="ngram", seed=1)
    result = generator.evaluate(book)
    assert result.characters == len(TEXT)
    assert result.bits_per_character == result.bits_per_byte < 1
    with pytest.raises(EncodingError, match="€"):
        generator.evaluate(textforge.Plugins().corpus(f"files:{_write(book.parent / 'e.txt', TEXT + '€')}"))
    assert generator.evaluate(book.parent / "e.txt", unknown="skip").skipped == 1


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_samples_are_from_one_snippet_the_same_for_every_chain(book: Path, registry: Plugins) -> None:
    class Watch(textforge.Report):
        def __init__(self) -> None:
            self.shown: list[tuple[Sample, ...]] = []

        def samples(self, samples: Any) -> None:
            self.shown.append(tuple(samples))

    watch = Watch()
    chains = ("temperature:0.2", "temperature:0.5", "temperature:1.0", "temperature:1.2")
    textforge.train(
        book, backend="bigram", epochs=4, seed=1, sample=chains, sample_every=2, report=watch, plugins=registry
    )
    assert [samples[0].epoch for samples in watch.shown] == [2, 4]
    for samples in watch.shown:
        assert [sample.chain for sample in samples] == list(chains)
        assert len({sample.prompt for sample in samples}) == 1
        assert samples[0].prompt in TEXT
        assert all(len(sample.text) == 400 for sample in samples)
    assert len({samples[0].prompt for samples in watch.shown}) == 2


def command(book: Path, output: Path, *more: str) -> list[str]:
    plugin = str(Path(bigram_plugin.__file__))
    base = [sys.executable, "-m", "textforge", "train", "-o", str(output), "--plugin", plugin, "--epochs", "60"]
    return [*base, *(more or (str(book), "--backend", "bigram", "--seed", "5"))]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(book: Path, tmp_path: Path, number: int) -> None:
    subprocess.run(command(book, tmp_path / "whole"), check=True, capture_output=True)
    with subprocess.Popen(command(book, tmp_path / "parts"), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        next(line for line in process.stderr if line.startswith("epoch 7"))
        process.send_signal(number)
        process.stderr.read()
    assert process.returncode == {signal.SIGINT: 130, signal.SIGKILL: -9}[signal.Signals(number)]
    position = Bundle.open(tmp_path / "parts").position
    assert position
    assert 6 <= position.epoch + 1 < 60
    subprocess.run(command(book, tmp_path / "parts", "--resume"), check=True, capture_output=True)
    models = [Bundle.open(tmp_path / name) for name in ("whole", "parts")]
    assert models[0].files["model"] == models[1].files["model"]
    assert [result.validation_loss for result in models[0].history()] == [
        result.validation_loss for result in models[1].history()
    ]
