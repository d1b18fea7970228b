"""Mixing in the library, and the bundles that come of it."""

from __future__ import annotations

import json
import logging
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import textforge
from textforge.bundle import Bundle
from textforge.errors import (
    BackendError,
    BundleError,
    CorpusError,
    EncodingError,
    ExportError,
    OptionError,
    TrainingError,
)
from textforge.generation.tracing import trace
from textforge.library.mixing import choose_kind

TEXT = "It is a truth that the text is short. Is it? It is so, and that is that. Was it so? It was, it is.\n" * 30
HELD_OUT = "That is the truth. Is it so? It is, and it was.\n" * 8
Train = Callable[..., str]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(TEXT + HELD_OUT, encoding="utf-8")
    return path


@pytest.fixture
def train(book: Path, tmp_path: Path) -> Train:
    """Trains a model, counted unless told otherwise, into a folder, and gives its name."""

    def run(name: str, architecture: str = "ngram:order=2", corpus: Any = book, **settings: Any) -> str:
        output = tmp_path / name
        textforge.train(corpus, architecture=architecture, output=output, **{"seed": 1, **settings})
        return str(output)

    return run


def losses(generator: textforge.TextGenerator, text: str) -> float:
    return -generator.score(text).log_likelihood


def test_the_mixture_is_better_than_its_parts_on_what_all_have_kept(train: Train, caplog: Any) -> None:
    names = [train("short", "ngram:order=1"), train("long", "ngram:order=6")]
    with caplog.at_level(logging.INFO, "textforge.training"):
        mixed = textforge.mix(names)
    mixing = mixed.contents.mixing
    assert mixing is not None
    assert mixing.names == tuple(names)
    assert mixing.losses is not None
    assert mixing.loss is not None
    assert mixing.loss < min(mixing.losses)
    histories = [Bundle.open(name).history()[-1].validation_loss for name in names]
    assert list(mixing.losses) == pytest.approx(histories, abs=0.02)
    messages = [record.getMessage() for record in caplog.records]
    assert f"on {mixing.tokens:,} tokens held out, nats a token:" in messages
    assert any(line.split()[0] in ("linear", "geometric") and "weights" in line for line in messages)


def test_a_mixture_is_saved_loaded_and_saved_again(train: Train, tmp_path: Path) -> None:
    names = [train("a"), train("b", "lstm:8", epochs=1)]
    mixed = textforge.mix(names, output=tmp_path / "both")
    loaded = textforge.load(tmp_path / "both")
    assert loaded.generate("It", seed=1, max_tokens=60) == mixed.generate("It", seed=1, max_tokens=60)
    loaded.save(tmp_path / "again")
    again = Bundle.open(tmp_path / "again")
    assert again.mixing == mixed.contents.mixing
    assert again.files["model"].sha256 == Bundle.open(tmp_path / "both").files["model"].sha256
    assert [ancestor.model for ancestor in again.lineage] == names
    assert again.corpora == Bundle.open(names[0]).corpora


def test_the_text_is_what_the_mixed_probabilities_say(train: Train) -> None:
    parts = [textforge.load(train("a")), textforge.load(train("b", "ngram:order=4"))]
    mixed = textforge.mix(parts, weights=(0.25, 0.75))
    ids, states = [int(parts[0].encoder.encode("I")[0])], [part.model.start(1) for part in parts]
    for _ in range(30):
        logits = [part.model.step(np.array(ids[-1:]), state)[0] for part, state in zip(parts, states, strict=True)]
        probabilities = [np.exp(each) / np.exp(each).sum() for each in np.array(logits, dtype=np.float64)]
        ids.append(int((0.25 * probabilities[0] + 0.75 * probabilities[1]).argmax()))
    assert mixed.generate("I", samplers="greedy", max_tokens=30) == parts[0].encoder.decode(ids[1:])
    assert mixed.contents.mixing.loss is None  # type: ignore[union-attr]


def test_many_texts_are_the_same_as_one(train: Train) -> None:
    mixed = textforge.mix([train("a"), train("b", "lstm:8", epochs=1)], weights=(0.5, 0.5))
    one = mixed.generate("It", seed=3, max_tokens=40)
    assert mixed.generate("It", seed=3, max_tokens=40, count=5)[0] == one
    assert next(iter(mixed.complete_each(["It", "That is"], seed=3, max_tokens=40))).text == one


def test_a_mixture_is_mixed_again(train: Train, tmp_path: Path) -> None:
    names = [train("a"), train("b", "ngram:order=4"), train("c", "lstm:8", epochs=1)]
    textforge.mix(names[:2], output=tmp_path / "ab")
    found = textforge.mix([tmp_path / "ab", names[2]])
    inner = Bundle.open(tmp_path / "ab").mixing
    assert found.contents.mixing.losses[0] == pytest.approx(inner.loss)  # type: ignore[index, union-attr]
    assert len(found.contents.lineage) == 4  # its parts', and theirs
    assert found.generate("It", seed=1, max_tokens=20)


def test_a_trace_shows_what_each_part_says(train: Train) -> None:
    parts = [textforge.load(train("a")), textforge.load(train("b", "ngram:order=4"))]
    mixed = textforge.mix(parts, weights=(0.25, 0.75))
    drawn: list[Any] = []
    text = mixed.generate("It i", seed=1, max_tokens=5)
    assert next(mixed.complete("It i", seed=1, max_tokens=5, watch=drawn.append)).text == text
    for each in drawn:
        line = json.loads(json.dumps(trace(each, mixed.encoder)))
        said = [(part["part"], part["weight"]) for part in line["parts"]]
        assert said == [("ngram", 0.25), ("ngram", 0.75)]
        together = sum(part["weight"] * part["drawn"] for part in line["parts"])
        assert line["drawn"]["before"] == pytest.approx(together, rel=1e-4)
        assert line["parts"][0]["top"][0]["probability"] <= 1
    alone: list[Any] = []
    next(parts[0].complete("It i", seed=1, max_tokens=1, watch=alone.append))
    assert "parts" not in trace(alone[0], mixed.encoder)


def test_several_texts_are_traced_by_row(train: Train) -> None:
    mixed = textforge.mix([train("a"), train("b", "ngram:order=4")], weights=(0.25, 0.75))
    drawn: list[Any] = []
    list(mixed.complete("It", seed=1, max_tokens=6, count=3, stop="s", watch=drawn.append))
    assert len({each.number for each in drawn}) == 3
    for each in drawn:
        together = sum(part.weight * part.said.probabilities[each.id] for part in each.opinions)
        assert each.before.probabilities[each.id] == pytest.approx(together, rel=1e-6)


def test_a_corpus_is_fitted_to(train: Train, tmp_path: Path, caplog: Any) -> None:
    other = tmp_path / "other.txt"
    other.write_text(HELD_OUT * 2, encoding="utf-8")
    names = [train("a", validation=0.0), train("b", "ngram:order=4", validation=0.2)]
    for kind in ("linear", "geometric"):
        mixed = textforge.mix(names, corpus=other, kind=kind)
        assert mixed.contents.model.options["kind"] == kind
        own = mixed.evaluate(other).loss
        assert mixed.contents.mixing.loss == pytest.approx(own, abs=1e-6)  # type: ignore[union-attr]
    with caplog.at_level(logging.INFO, "textforge.training"):
        textforge.mix(names, corpus=tmp_path / "book.txt")
    assert "a model was trained on this text" in caplog.text


def test_settings_are_kept_where_they_are_common(train: Train) -> None:
    alike = textforge.mix([train("a"), train("b", "ngram:order=4", seed=9)]).contents.settings
    assert alike == {"seed": 1, "validation": 0.1, "validation_part": "tail", "validation_corpus": ()}
    unlike = textforge.mix([train("c"), train("d", validation=0.2)], weights=(0.5, 0.5))
    assert unlike.contents.settings == {}


@pytest.mark.parametrize(
    "settings",
    [{"validation_part": "slices"}, {"validation_corpus": "held.txt"}, {"replay": "held.txt:0.2"}],
    ids=lambda settings: next(iter(settings)),
)
def test_every_way_to_hold_out(settings: Any, train: Train, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "held.txt").write_text(HELD_OUT, encoding="utf-8")
    names = [train("a", **settings), train("b", "ngram:order=4", **settings)]
    mixing = textforge.mix(names).contents.mixing
    assert mixing is not None
    histories = [Bundle.open(name).history()[-1].validation_loss for name in names]
    assert list(mixing.losses or ()) == pytest.approx(histories, abs=0.02)


def test_a_window_is_mixed_with_a_stream(train: Train, tmp_path: Path) -> None:
    windows = train("w", "lstm:8", epochs=1, sequences="windows", window=5)
    mixed = textforge.mix([windows, train("a")], output=tmp_path / "both")
    assert Bundle.open(tmp_path / "both").window is None
    assert json.loads(mixed.contents.model.options["parts"][0])["window"] == 5
    one = mixed.generate("It", seed=3, max_tokens=20)
    assert mixed.generate("It", seed=3, max_tokens=20, count=3)[0] == one


def test_a_strangers_architecture_is_a_part(train: Train, tmp_path: Path, monkeypatch: Any) -> None:
    import bigram_plugin

    plugins = textforge.Plugins([bigram_plugin])
    bigram = tmp_path / "bigram"
    textforge.train(tmp_path / "book.txt", backend="bigram", epochs=1, seed=1, output=bigram, plugins=plugins)
    mixed = textforge.mix([bigram, train("a")], output=tmp_path / "both", plugins=plugins)
    assert json.loads(mixed.contents.model.options["parts"][0])["plugin"] == "bigram_plugin"
    text = mixed.generate("It", seed=1, max_tokens=20)
    loaded = textforge.load(tmp_path / "both", plugins=plugins)
    assert loaded.generate("It", seed=1, max_tokens=20) == text
    with pytest.raises(BundleError, match=r"part 1 of the model \(bigram\): .*'bigram' of the plugin 'bigram_plugin'"):
        textforge.load(tmp_path / "both")


def test_nothing_is_kept_of_a_mixture_that_fails(train: Train, tmp_path: Path) -> None:
    with pytest.raises(TrainingError):
        textforge.mix([train("a"), train("b", validation=0.2)], output=tmp_path / "new" / "both")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({}, {"validation": 0.2}, "a and .*b were validated on different texts; give .* by corpus, or the weights"),
        ({}, {"validation_part": "slices"}, "validated on different texts"),
        ({"validation_part": "slices"}, {"validation_part": "slices", "seed": 2}, "validated on different texts"),
        ({}, {"validation": 0.0}, "b has kept nothing of its corpus for validation"),
        ({}, {"encoder": "byte"}, "their encoders differ: char and byte; train both with one encoder on the same"),
        ({}, {"encoder": "char:min_count=2"}, "their encoders differ: char and char:min_count=2"),
    ],
)
def test_parts_that_do_not_fit_each_other(train: Train, first: Any, second: Any, message: str) -> None:
    names = [train("a", **first), train("b", **second)]
    with pytest.raises(TrainingError, match=message):
        textforge.mix(names)


def test_other_vocabularies_are_named_by_what_they_lack(train: Train, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text((TEXT + HELD_OUT).replace("?", "!") + "1234567\n", encoding="utf-8")
    names = [train("a"), train("b", corpus=other)]
    with pytest.raises(
        TrainingError, match=r"a alone knows '\?' and .*b alone knows '!', '1', '2', '3', '4' and 3 more"
    ):
        textforge.mix(names)


def test_the_same_tokens_by_other_ids_are_refused(train: Train) -> None:
    from textforge.library.mixed_parts import refuse_other_encoder

    encoder = textforge.load(train("a")).encoder
    other = encoder.replace(vocabulary=encoder.vocabulary[::-1])  # type: ignore[attr-defined]
    with pytest.raises(TrainingError, match="the same characters have other ids"):
        refuse_other_encoder(encoder, other, ("a", "b"))


def test_a_text_that_has_changed_or_gone_is_told(train: Train, book: Path) -> None:
    names = [train("a"), train("b", "ngram:order=4")]
    book.write_text(TEXT, encoding="utf-8")
    with pytest.raises(TrainingError, match=r"a was validated on can't be read again \(the text of .* has changed\)"):
        textforge.mix(names)
    book.write_text("Ω", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"can't be read again .*lacks 'Ω'"):
        textforge.mix(names)
    book.unlink()
    with pytest.raises(TrainingError, match=r"can't be read again \(there is no file"):
        textforge.mix(names)
    assert textforge.mix(names, weights=(0.5, 0.5)).generate("It", seed=1, max_tokens=3)


def test_what_nothing_is_known_of(train: Train) -> None:
    loaded = textforge.load(train("a"))
    bare = textforge.TextGenerator(loaded.model, loaded.encoder)
    with pytest.raises(TrainingError, match="nothing is known of what model 2 was validated on"):
        textforge.mix([loaded, bare])


def test_a_missing_or_damaged_part_is_named(train: Train, tmp_path: Path) -> None:
    good, bad = train("a"), train("b")
    with pytest.raises(BundleError, match=r"there is no folder .*nowhere"):
        textforge.mix([good, tmp_path / "nowhere"])
    file = next(Path(bad).glob("model-*"))
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    with pytest.raises(BundleError, match=rf"{file.name} is damaged"):
        textforge.mix([good, bad])
    manifest = Path(good, "config.json")
    edited = json.loads(manifest.read_text(encoding="utf-8"))
    edited["model"]["options"]["order"] = 3
    manifest.write_text(json.dumps(edited), encoding="utf-8")
    with pytest.raises(BundleError, match=r"a: the model lacks the arrays ngram\.3\.counts"):
        textforge.mix([good, train("c")])


def test_a_damaged_mixture_is_told(train: Train, tmp_path: Path) -> None:
    textforge.mix([train("a"), train("b")], output=tmp_path / "both")
    manifest = tmp_path / "both" / "config.json"
    sound = json.loads(manifest.read_text(encoding="utf-8"))
    for edit, message in (
        ({"coefficients": [0.5]}, "coefficients must be one for each of 2 models"),
        ({"parts": ["x", "y"]}, "parts must be models, each as JSON"),
        ({"kind": 3}, "kind must be text"),
    ):
        options = {**sound["model"]["options"], **edit}
        manifest.write_text(json.dumps({**sound, "model": {**sound["model"], "options": options}}), encoding="utf-8")
        with pytest.raises(BundleError, match=message):
            textforge.load(tmp_path / "both")
    manifest.write_text(json.dumps({**sound, "mixing": {"names": 3}}), encoding="utf-8")
    with pytest.raises(BundleError, match=r"damaged: mixing\.names must be a list"):
        Bundle.open(tmp_path / "both")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": (0.5,)}, "weights must be one for each of 2 models, got 1"),
        ({"weights": (0.5, 0.25), "kind": "linear"}, "weights must sum to 1 in a linear mixture, got 0.75"),
        ({"weights": (1.5, -0.5), "kind": "linear"}, "weights must be >= 0 in a linear mixture, got -0.5"),
        ({"weights": (0, 0)}, "weights must not all be 0"),
        ({"weights": (math.inf, 1)}, "weights must be > -inf and < inf"),
        ({"weights": ("a", 1)}, "weights must be a list, each a number"),
        ({"weights": 3}, "weights"),
        ({"kind": "cubic"}, "kind must be one of linear, geometric, got 'cubic'"),
        ({"weights": (0.5, 0.5), "corpus": "book.txt"}, "weights that are given are not fitted: leave out corpus"),
    ],
)
def test_bad_weights(train: Train, arguments: Any, message: str) -> None:
    names = [train("a"), train("b")]
    with pytest.raises(OptionError, match=message):
        textforge.mix(names, **arguments)


def test_one_model_is_no_mixture(train: Train) -> None:
    name = train("a")
    for models in ([name], name, []):
        with pytest.raises(TrainingError, match="a mixture needs 2 models or more, got"):
            textforge.mix(models)


def test_bad_corpora(train: Train, tmp_path: Path) -> None:
    names = [train("a"), train("b")]
    for text, error, message in (
        ("Ω", EncodingError, "lacks 'Ω'"),
        ("I", CorpusError, "too short to fit weights on: 2 tokens are needed, got 1"),
    ):
        (tmp_path / "bad.txt").write_text(text, encoding="utf-8")
        with pytest.raises(error, match=message):
            textforge.mix(names, corpus=tmp_path / "bad.txt")
    (tmp_path / "some.txt").write_text(f"{HELD_OUT}Ω{HELD_OUT}", encoding="utf-8")
    assert textforge.mix(names, corpus=tmp_path / "some.txt", unknown="skip").contents.mixing


def test_the_kind_follows_from_weights_alone() -> None:
    pairs = {(0.5, 0.5): "linear", (1.5, -0.5): "geometric", (1.0, 1.0): "geometric"}
    assert {weights: choose_kind(weights) for weights in pairs} == pairs


def test_where_a_mixture_can_not_go(train: Train, tmp_path: Path) -> None:
    textforge.mix([train("a"), train("b")], output=tmp_path / "both")
    loaded = textforge.load(tmp_path / "both")
    with pytest.raises(ExportError, match="'mix' can't be written as 'onnx'"):
        loaded.export(tmp_path / "m.onnx", format="onnx")
    with pytest.raises(BackendError, match="'mix' is made of trained ones"):
        textforge.train(tmp_path / "book.txt", from_model=tmp_path / "both")
    with pytest.raises(TrainingError, match="has no checkpoint to go on from"):
        textforge.train(output=tmp_path / "both", resume=True)
    with pytest.raises(BundleError, match="holds a trained model already"):
        textforge.mix([train("c"), train("d")], output=tmp_path / "both")
    shutil.rmtree(tmp_path / "a")  # a mixture needs its parts no more
    assert textforge.load(tmp_path / "both").generate("It", seed=1, max_tokens=3)


def test_evaluation_tells_the_mixtures_own_loss(train: Train, tmp_path: Path) -> None:
    mixed = textforge.mix([train("a"), train("b", "ngram:order=4")])
    result = mixed.evaluate(tmp_path / "book.txt")
    assert result.trained_validation_loss == mixed.contents.mixing.loss  # type: ignore[union-attr]


def test_importing_mixtures_imports_no_framework() -> None:
    import subprocess

    code = "import sys, textforge; textforge.mix; print(sorted({'torch', 'keras', 'tensorflow'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_mixture_does_not_adapt_and_says_why(train: Train) -> None:
    mixed = textforge.mix([train("short", "ngram:order=1"), train("long", "ngram:order=6")])
    with pytest.raises(BackendError, match="the model can't adapt to a text: it is a mix; adapt one of its parts"):
        mixed.adapt("It is so.")
