"""The measure of copying: figures beside brute force, the corpus's training part, and the command."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import textforge
from textforge.cli import main
from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.index.making import make_index
from textforge.corpora.text import TextCorpus
from textforge.encoders.byte import ByteEncoder
from textforge.encoders.char import CharEncoder
from textforge.errors import CorpusError
from textforge.evaluation.copying import LENGTHS, count_characters, cut_evenly, find_passages, measure_copied


def run_of(text: str, at: int, corpus: str) -> int:
    """The longest run of a text with the character at a place that stands in the corpus, by brute force."""
    runs = [end - start for start in range(at + 1) for end in range(at + 1, len(text) + 1) if text[start:end] in corpus]
    return max(runs, default=0)


@given(st.text("ab\n", min_size=1, max_size=50), st.lists(st.text("ab\nc", max_size=25), max_size=3))
def test_figures_are_those_of_brute_force(corpus: str, texts: list[str]) -> None:
    found = measure_copied(make_index(corpus), texts)
    expected = [run_of(text, at, corpus) for text in texts for at in range(len(text))]
    assert found.characters == len(expected)
    assert found.longest == max(expected, default=0)
    assert found.median == (statistics.median(expected) if expected else 0)
    for share, length in zip(found.shares, LENGTHS, strict=True):
        assert share.length == length
        assert share.share == sum(one >= length for one in expected) / max(1, len(expected))


@given(st.text("ab", min_size=30, max_size=80), st.lists(st.text("ab", max_size=60), max_size=3))
def test_passages_are_the_longest_and_stand_where_it_is_said(corpus: str, texts: list[str]) -> None:
    index = make_index(corpus)
    passages = find_passages(index, texts, 3)
    lengths = [len(passage.text) for passage in passages]
    assert lengths == sorted(lengths, reverse=True)
    assert max(lengths, default=0) == measure_copied(index, texts).longest
    assert all(length >= LENGTHS[0] for length in lengths[1:])
    assert len({passage.text for passage in passages}) == len(passages)
    for passage in passages:
        assert texts[passage.number].startswith(passage.text, passage.start)
        assert passage.place.offset == corpus.find(passage.text)


def test_no_run_goes_over_the_end_of_a_document() -> None:
    index = make_index(f"abc{END_OF_TEXT}def{END_OF_TEXT}")
    assert measure_copied(index, [f"abc{END_OF_TEXT}def"]).longest == 3
    assert measure_copied(index, [f"abc{END_OF_TEXT}def"]).characters == 6


@pytest.mark.parametrize("encoder", [CharEncoder(), ByteEncoder()])
def test_characters_of_tokens_are_counted(encoder: Any) -> None:
    text = f"été, 日本{END_OF_TEXT}fin{END_OF_TEXT}" * 30_000
    encoder = encoder.fit([text])
    assert count_characters(encoder.encode(text), encoder) == len(text)
    assert cut_evenly(encoder.encode("abcdefghij" if encoder.name == "byte" else "fin, été"), encoder, 3, 2)[0]


BOOK = "".join(
    f"Line {number} says that {number * 7919 % 1000} is not {number * 104729 % 977}.\n" for number in range(400)
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTFORGE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(BOOK, encoding="utf-8")
    return path


@pytest.mark.parametrize("encoder", ["char", "byte"])
def test_the_text_held_out_is_no_part_of_the_corpus(book: Path, encoder: str) -> None:
    """Check the figures beside brute force, with the corpus cut where training cut it."""
    generator = textforge.train(book, architecture="ngram:order=8", encoder=encoder, validation=0.2)
    found = generator.measure_novelty(count=4, max_tokens=120, seed=1, samplers="temperature:0.8")
    kept = len(BOOK) - int(len(BOOK) * 0.2)
    learnt, rest = BOOK[:kept], BOOK[kept:]
    texts = generator.generate(count=4, max_tokens=120, seed=1, samplers="temperature:0.8")
    assert found.written == measure_copied(make_index(learnt), texts)
    starts = [round((len(rest) - 120) * place // 3) for place in range(4)]
    assert found.held_out == measure_copied(make_index(learnt), [rest[start : start + 120] for start in starts])
    assert found.held_out != measure_copied(make_index(BOOK), [rest[start : start + 120] for start in starts])
    assert found.passages[0].text in learnt
    assert learnt[: found.passages[0].place.offset].count("\n") + 1 == found.passages[0].place.line
    assert (found.texts, found.seed, found.notes) == (4, 1, ())
    assert found.corpora == (f"files:paths={book}",)


def test_another_text_is_searched_whole_and_nothing_is_held_out(book: Path, tmp_path: Path) -> None:
    generator = textforge.train(book, architecture="ngram:order=4")
    (tmp_path / "other.txt").write_text("Line 5 says no more.\n", encoding="utf-8")
    found = generator.measure_novelty(tmp_path / "other.txt", count=2, max_tokens=50, seed=1)
    assert found.held_out is None
    assert found.notes[0].startswith("this is not the text that the model was trained on (files:paths=")


def test_without_validation_nothing_is_held_out(book: Path) -> None:
    generator = textforge.train(book, architecture="ngram:order=4", validation=0)
    found = generator.measure_novelty(count=2, max_tokens=50, seed=1)
    assert found.held_out is None
    assert found.notes == ("no text was held out in training to compare with",)


@pytest.mark.parametrize("more", [{"validation_part": "slices"}, {"validation_corpus": True}])
def test_what_is_held_out_elsewhere_is_not_compared(book: Path, tmp_path: Path, more: dict[str, Any]) -> None:
    other = tmp_path / "other.txt"
    other.write_text(book.read_text(encoding="utf-8")[::-1], encoding="utf-8")
    if "validation_corpus" in more:
        more = {"validation_corpus": [str(other)]}
    found = textforge.train(book, architecture="ngram:order=5", seed=1, **more).measure_novelty(max_tokens=50, seed=1)
    assert found.held_out is None
    assert found.notes == ("what training held out isn't the corpus's end: nothing to compare with",)
    assert found.corpora == (f"files:paths={book}",)


def test_a_text_in_hand_may_be_given_again(tmp_path: Path) -> None:
    generator = textforge.train(text=BOOK, architecture="ngram:order=4")
    with pytest.raises(CorpusError, match=r"trained on text:\d+, which can't be read a second time"):
        generator.measure_novelty()
    found = generator.measure_novelty(TextCorpus.of(BOOK), textforge.Request(count=2, max_tokens=40, seed=1))
    assert found.held_out is not None
    assert found.held_out.characters == found.written.characters == 80


def test_several_corpora_are_documents(book: Path, tmp_path: Path) -> None:
    (tmp_path / "second.txt").write_text(BOOK[::-1], encoding="utf-8")
    corpora = [book, tmp_path / "second.txt"]
    generator = textforge.train(corpora, architecture="ngram:order=8", validation=0.1)
    found = generator.measure_novelty(count=8, max_tokens=60, seed=1, samplers="temperature:0.5")
    assert found.held_out is not None
    assert {passage.place.document for passage in found.passages} <= {1, 2}


class LowerEncoder(CharEncoder):
    """Characters in lower case."""

    name = "lower"
    lossy = True

    def fit(self, chunks: Any) -> Any:
        return super().fit(chunk.lower() for chunk in chunks)

    def encode(self, text: str, *, unknown: Any = "error") -> Any:
        return super().encode(text.lower(), unknown=unknown)


def test_a_lossy_encoder_is_told_of(book: Path) -> None:
    generator = textforge.train(book, architecture="ngram:order=8", encoder=LowerEncoder())
    found = generator.measure_novelty(count=2, max_tokens=50, seed=1)
    assert found.notes == (
        "the encoder lower changes the corpus's text, and what then differs is not taken for a copy",
    )
    assert found.held_out is not None
    assert found.passages[0].text in BOOK


def test_a_corpus_that_changed_is_told(book: Path, tmp_path: Path) -> None:
    textforge.train(book, architecture="ngram:order=3", output=tmp_path / "model")
    book.write_text(BOOK + "More.", encoding="utf-8")
    with pytest.raises(CorpusError, match="has changed since the model was trained on it"):
        textforge.load(tmp_path / "model").measure_novelty(count=1, max_tokens=5)
    book.unlink()
    with pytest.raises(CorpusError, match="there is no file or folder"):
        textforge.load(tmp_path / "model").measure_novelty(count=1, max_tokens=5)


@pytest.fixture
def model(book: Path, tmp_path: Path) -> Path:
    textforge.train(book, architecture="ngram:order=8", output=tmp_path / "model")
    return tmp_path / "model"


def run(*words: object) -> Any:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_the_command_shows_both_and_the_passages(model: Path) -> None:
    result = run("novelty", model, "--count", 4, "--max-tokens", 200, "--seed", 1, "--temperature", 0.3)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["written", "held", "out"]
    assert lines[1].split() == ["characters", "800", "800"]
    assert [line.split("  ")[0] for line in lines[2:7]] == [
        "longest run", "median run", *(f"in runs of {length} or more" for length in LENGTHS)
    ]  # fmt: skip
    assert lines[8] == "the longest passages that stand in both, word for word:"
    assert ' of the corpus: "' in lines[9]
    assert "seed" not in result.stderr


def test_the_commands_json_has_the_figures(model: Path) -> None:
    words = ("novelty", model, "--count", 3, "--max-tokens", 100, "--sampler", "top-k:3", "--json")
    result = run(*words, "--seed", 5)
    found = json.loads(result.stdout)
    expected = textforge.load(model).measure_novelty(count=3, max_tokens=100, samplers="top-k:3", seed=5)
    assert found == json.loads(json.dumps(expected.to_json()))
    assert found["written"]["shares"][0]["length"] == LENGTHS[0]
    assert "seed " in run(*words).stderr


def test_nothing_written_is_nothing_copied(model: Path) -> None:
    result = run("novelty", model, "--max-tokens", 0, "--seed", 1)
    assert result.exit_code == 0
    assert "longest run" in result.stdout
    assert "passages" not in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-"], "Error: files:paths=- can't be read a second time: save it in a file, and name that"),
        (["no.txt"], "Error: there is no file or folder 'no.txt'"),
        (["--sampler", "novel"], "Error: novel: corpus is needed"),
    ],
)
def test_bad_words_are_one_line(model: Path, words: list[str], message: str) -> None:
    result = run("novelty", model, *words)
    assert result.exit_code == 1
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1


def test_compare_marks_what_is_copied(model: Path, book: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    words = ("compare", model, "--chain", "temperature:0.2", "--seed", 1, "--corpus", book)
    assert run(*words, "--html", page).exit_code == 0
    assert " copied" in page.read_text(encoding="utf-8")
    result = run(*words)
    assert result.exit_code == 2
    assert "--corpus marks what is copied on the page: give --html too." in result.stderr
