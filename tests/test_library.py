"""The library's doors, and what a run leaves on disk."""

from __future__ import annotations

import io
import logging
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import bigram_plugin
import numpy as np
import pytest

import textforge
from textforge.bundle import Bundle
from textforge.errors import BackendError, BundleError, EncodingError, OptionError, TrainingError
from textforge.plugins.registry import Plugins
from textforge.training.events import Sample

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
    trained = textforge.train(book, architecture="ngram", seed=1)
    text = trained.generate("It is ", max_tokens=80, seed=2)
    trained.save(tmp_path / "a")
    loaded = textforge.load(tmp_path / "a")
    assert loaded.generate("It is ", max_tokens=80, seed=2) == text
    loaded.save(tmp_path / "b")
    assert textforge.load(tmp_path / "b").generate("It is ", max_tokens=80, seed=2) == text
    assert Bundle.open(tmp_path / "b").corpora == Bundle.open(tmp_path / "a").corpora
    with pytest.raises(BundleError, match="overwrite=True"):
        loaded.save(tmp_path / "b")
    loaded.save(tmp_path / "b", overwrite=True)


def test_corpora_are_paths_specs_objects_or_several_of_them(book: Path) -> None:
    for corpus in (str(book), book, f"files:{book}", Letters(), [Letters(), book]):
        assert textforge.train(corpus, architecture="ngram", seed=1).generate(max_tokens=3, seed=1)


def test_a_generator_made_by_hand_is_saved_too(tmp_path: Path, registry: Plugins) -> None:
    encoder = registry.encoder("char").fit(["abc"])
    model = bigram_plugin.make_bigram(3, seed=1)
    textforge.TextGenerator(model, encoder, plugins=registry).save(tmp_path / "m")
    loaded = textforge.load(tmp_path / "m", plugins=registry)
    np.testing.assert_array_equal(loaded.model.save().arrays["last"], model.save().arrays["last"])
    with pytest.raises(BackendError, match=r"no installed backend runs .*'bigram' of the plugin 'bigram_plugin'"):
        textforge.load(tmp_path / "m", plugins=Plugins(disabled="all"))


def test_a_missing_plugin_is_named(tmp_path: Path, registry: Plugins, book: Path) -> None:
    textforge.train(book, backend="bigram", epochs=1, seed=1, output=tmp_path / "m", plugins=registry)
    with pytest.raises(BackendError, match="architecture 'bigram' of the plugin 'bigram_plugin': install the plugin"):
        textforge.load(tmp_path / "m", plugins=Plugins(disabled="all"))


def test_what_is_wrong_is_said_before_anything_is_read(tmp_path: Path, registry: Plugins) -> None:
    missing = tmp_path / "missing.txt"
    with pytest.raises(OptionError, match=r"no option 'epoch'; .*did you mean 'epochs'"):
        textforge.train(missing, epoch=3, plugins=registry)
    with pytest.raises(BackendError, match="only runs trained models"):
        textforge.train(missing, architecture="lstm", backend="numpy", plugins=registry)
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


def test_several_texts_are_documents(tmp_path: Path) -> None:
    names = ["emma", "olivia", "ava", "", "mia"] * 30
    generator = textforge.train(text=iter(names), architecture="ngram:order=6", seed=1, output=tmp_path / "m")
    assert generator.encoder.end_of_text is not None
    written = [text.text for text in generator.complete(count=20, seed=3)]
    assert set(written) <= {"emma", "olivia", "ava", "mia"}
    (record,) = Bundle.open(tmp_path / "m").corpora
    assert (record.documents, record.characters) == (120, len("".join(names)) + 120)
    again = textforge.train(text=names, architecture="ngram:order=6", seed=1)
    assert again.contents.corpora == generator.contents.corpora


@pytest.mark.parametrize("text", [5, b"bytes", Path("book.txt"), ["one", 2], [b"one"]])
def test_what_is_no_text(text: Any) -> None:
    with pytest.raises(TrainingError, match=r"^text must be the text to learn from, or several as documents, got "):
        textforge.train(text=text)


def test_evaluate(book: Path) -> None:
    generator = textforge.train(book, architecture="ngram", seed=1)
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


class Failing(textforge.Sampler):
    """Fails at the third token."""

    name = "failing"

    def __call__(self, logits: Any, context: Any) -> Any:
        if context.step == 3:
            raise textforge.TextforgeError("enough")
        return logits


class Preset(textforge.Sampler):
    """Stands for one that refuses every encoder."""

    name = "doomed"

    def __call__(self, logits: Any, context: Any) -> Any:
        return logits

    def expand(self) -> Any:
        class Picky(Failing):
            name = "picky"

            def check(self, encoder: Any) -> None:
                raise textforge.TextforgeError("never")

        return (Picky(),)


class Messages(textforge.Report):
    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def with_sampler(*classes: type[textforge.Sampler]) -> Plugins:
    module = types.ModuleType("sampler_plugin")

    @textforge.hookimpl
    def register_samplers(register: Any) -> None:
        for cls in classes:
            register(cls)

    module.register_samplers = register_samplers  # type: ignore[attr-defined]
    return Plugins([bigram_plugin, module], disabled="all")


def test_a_sample_that_fails_costs_no_training(book: Path, tmp_path: Path) -> None:
    report = Messages()
    textforge.train(
        book, backend="bigram", epochs=2, sample="failing", output=tmp_path / "m", report=report,
        plugins=with_sampler(Failing),
    )  # fmt: skip
    assert [text for text in report.messages if "sample" in text] == ["no sample could be written: enough"] * 2
    assert Bundle.open(tmp_path / "m").results.epochs == 2


def test_presets_are_checked_before_training(book: Path, tmp_path: Path) -> None:
    with pytest.raises(textforge.TextforgeError, match="never"):
        textforge.train(
            book, backend="bigram", epochs=2, sample="doomed", output=tmp_path / "m", plugins=with_sampler(Preset)
        )
    assert not (tmp_path / "m").exists()


def test_chains_of_samples_may_be_a_spec_an_object_or_several(book: Path, registry: Plugins) -> None:
    sampler = registry.sampler("top-k:3")
    for given, chains in (
        ("greedy", ["greedy"]),
        (sampler, ["top-k:3"]),
        (["greedy", [sampler, "temperature:2"]], ["greedy", "top-k:3 | temperature:2.0"]),
    ):
        shown: list[str] = []
        report = Messages()
        report.samples = lambda samples: shown.extend(sample.chain for sample in samples)  # type: ignore[method-assign]  # noqa: B023
        textforge.train(book, backend="bigram", epochs=1, sample=given, seed=None, report=report, plugins=registry)
        assert shown == chains


def test_resuming_takes_the_model_as_it_is(book: Path, tmp_path: Path, registry: Plugins) -> None:
    textforge.train(book, backend="bigram:4", epochs=1, seed=1, output=tmp_path / "m", plugins=registry)
    for wrong in ({"encoder": "char"}, {"overwrite": True}):
        with pytest.raises(TrainingError, match="neither encoder, architecture, from_model nor overwrite"):
            textforge.train(resume=True, output=tmp_path / "m", plugins=registry, **wrong)  # type: ignore[arg-type]
    textforge.train(resume=True, output=tmp_path / "m", plugins=registry, epochs=2)
    assert Bundle.open(tmp_path / "m").backend == "bigram:4"
    book.rename(tmp_path / "moved.txt")
    with pytest.raises(TrainingError, match=r"the corpus that the run began with: .*book\.txt.*name it anew"):
        textforge.train(resume=True, output=tmp_path / "m", plugins=registry, epochs=3)
    textforge.train(tmp_path / "moved.txt", resume=True, output=tmp_path / "m", plugins=registry, epochs=3)


def test_what_is_no_corpus_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"a corpus is expected.*got 3"):
        textforge.train(3)  # type: ignore[arg-type]


def test_a_run_from_standard_input_must_be_given_the_text_again(
    tmp_path: Path, registry: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    textforge.train("-", backend="bigram", epochs=1, seed=1, output=tmp_path / "m", plugins=registry)
    with pytest.raises(TrainingError, match="can't be read a second time: give the same text again"):
        textforge.train(resume=True, output=tmp_path / "m", plugins=registry, epochs=2)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    textforge.train("-", resume=True, output=tmp_path / "m", plugins=registry, epochs=2)


def test_a_model_that_is_counted_shows_its_samples_whatever_the_epochs(book: Path) -> None:
    shown: list[str] = []
    report = Messages()
    report.samples = lambda samples: shown.extend(sample.chain for sample in samples)  # type: ignore[method-assign]
    textforge.train(book, architecture="ngram", sample="greedy", sample_every=4, seed=1, report=report)
    assert shown == ["greedy"]


def test_a_text_may_be_given_in_a_corpus_s_place(book: Path, registry: Plugins) -> None:
    text = book.read_text(encoding="utf-8")
    from_text = textforge.train(text=text, architecture="ngram:order=3", seed=1, plugins=registry)
    from_file = textforge.train(book, architecture="ngram:order=3", seed=1, plugins=registry)
    assert from_text.generate("It", seed=1) == from_file.generate("It", seed=1)
    with pytest.raises(TrainingError, match="a corpus and a text were both given; give one of them"):
        textforge.train(book, text=text, plugins=registry)
    with pytest.raises(TrainingError, match="text must be the text to learn from, or several as documents, got 3"):
        textforge.train(text=3, plugins=registry)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["progress", "overwrite", "resume"])
@pytest.mark.parametrize("value", [1, 0, "yes", None])
def test_what_is_neither_true_nor_false_is_refused(name: str, value: Any, book: Path, registry: Plugins) -> None:
    with pytest.raises(OptionError, match=rf"^{name} must be True or False, got {value!r}$"):
        textforge.train(book, plugins=registry, **{name: value})


@pytest.mark.parametrize("name", ["epochs", "batch_size", "seed", "patience"])
def test_true_is_no_whole_number(name: str, book: Path, registry: Plugins) -> None:
    with pytest.raises(OptionError, match=rf"^{name} must be a whole number.*, got true$"):
        textforge.train(book, plugins=registry, **{name: True})


def test_messages_are_logged_and_the_report_is_told_beside_the_progress(
    book: Path, registry: Plugins, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Messages()
    with caplog.at_level(logging.INFO, "textforge"):
        textforge.train(book, architecture="ngram:order=3", seed=1, progress=True, report=report, plugins=registry)
    assert {record.name for record in caplog.records} == {"textforge.training"}
    logged = [record.getMessage() for record in caplog.records]
    assert "ngram:order=3 by numpy:float32, seed 1" in logged
    assert [message for message in logged if message.startswith("epoch 1: training loss ")]
    assert set(report.messages) <= set(logged)
    assert "ngram:order=3 by numpy:float32, seed 1" in capsys.readouterr().err


def test_nothing_is_said_unless_it_is_asked_for(
    book: Path, registry: Plugins, capsys: pytest.CaptureFixture[str]
) -> None:
    textforge.train(book, architecture="ngram:order=3", seed=1, plugins=registry)
    assert capsys.readouterr() == ("", "")


class Unnamed(textforge.Sampler):
    """A sampler that no plugin registers."""

    name = "unnamed"

    def __call__(self, logits: Any, context: Any) -> Any:
        return logits


def test_a_chain_of_objects_is_not_read_back_from_its_text(book: Path, registry: Plugins) -> None:
    written: list[Sample] = []

    class Samples(textforge.Report):
        def samples(self, samples: Any) -> None:
            written.extend(samples)

    textforge.train(
        book, backend="bigram", epochs=1, seed=1, plugins=registry, sample=[[Unnamed()], "greedy"], report=Samples()
    )
    assert [sample.chain for sample in written] == ["unnamed", "greedy"]


WINDOWED = """
import attrs
import numpy as np
import textforge

class Counts(textforge.Architecture):
    "Frequencies of tokens, four of which it says that it looks back on."
    name = "counts"
    model_window = 4

    def weights(self, vocabulary_size):
        return {"counts": textforge.Weight((vocabulary_size,), textforge.zeros(), 0)}

class Counting(textforge.NumpyModel, textforge.CountingModel):
    def step(self, ids, state):
        return np.tile(np.log1p(self.weights["counts"]), (len(ids), 1))

    def count(self, tokens):
        counts = np.bincount(tokens, minlength=self.vocabulary_size).astype(np.float32)
        saved = attrs.evolve(self.save(), arrays={"counts": counts})
        return type(self)(saved, self.architecture)

    def save(self):
        return attrs.evolve(super().save(), window=None)

@textforge.hookimpl
def register_architectures(register):
    register(Counts)

@textforge.hookimpl
def register_implementations(register):
    register(backend="numpy", architecture="counts", by=f"{__name__}:Counting", trains=True)
"""


def test_a_window_that_a_model_loses_in_saving_is_the_architecture_s(tmp_path: Path) -> None:
    (tmp_path / "counts.py").write_text(WINDOWED, encoding="utf-8")
    plugins = textforge.Plugins([tmp_path / "counts.py"])
    textforge.train(text="abcab" * 100, architecture="counts", seed=1, output=tmp_path / "model", plugins=plugins)
    assert textforge.load(tmp_path / "model", plugins=plugins).model.window == 4
