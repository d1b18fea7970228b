"""The index of a text: exact, beside a search by brute force, and whole in the cache."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import corpus_path

from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.corpora.index import making
from textforge.corpora.index.corpora import index_corpora
from textforge.corpora.index.making import make_index, open_index
from textforge.corpora.index.suffixes import sort_suffixes
from textforge.corpora.index.text_index import Place, Run
from textforge.corpora.text import TextCorpus
from textforge.errors import CorpusError, TextforgeError

TEXT = st.one_of(
    st.text("ab", max_size=60),
    st.text("a\0é日😀\n", max_size=40),
    st.text(st.sampled_from(["a", "\ud800", "\uffff", END_OF_TEXT]), max_size=20),
    st.text("ab", min_size=1, max_size=3).map(lambda word: word * 12),
)
SIZES = st.sampled_from([(1 << 24, 1 << 16), (7, 3), (16, 5), (3, 1), (1, 1)])
"""Blocks and depths: one of the real size, and many small ones, over whose edges runs go."""


def longest(run: str, text: str) -> int:
    return max(length for length in range(len(run) + 1) if run[:length] in text)


@given(st.binary(max_size=80) | st.text("ab", max_size=200).map(str.encode) | st.just(bytes(40)))
@example(b"a\0\0")
@example(b"abcdefgh" * 9)
def test_suffixes_are_in_order(data: bytes) -> None:
    found = sort_suffixes(np.frombuffer(data, dtype=np.uint8))
    assert found.tolist() == sorted(range(len(data)), key=lambda place: data[place:])


@given(TEXT, TEXT, SIZES)
def test_runs_are_those_of_brute_force(text: str, query: str, sizes: tuple[int, int]) -> None:
    index = make_index(text, *sizes)
    expected = [longest(query[start:], text) for start in range(len(query))]
    assert index.match_lengths(query) == expected
    ends = [start + length for start, length in enumerate(expected)]
    furthest = [max([0, *ends[:start]]) for start in range(len(query))]
    runs = [Run(start, length) for start, length in enumerate(expected) if length and start + length > furthest[start]]
    assert index.find_runs(query) == runs


@given(TEXT, st.data(), SIZES)
def test_any_run_is_found_and_no_other(text: str, data: st.DataObject, sizes: tuple[int, int]) -> None:
    index = make_index(text, *sizes)
    start = data.draw(st.integers(0, len(text)))
    part = text[start : data.draw(st.integers(start, len(text)))]
    for run in (part, part + "a", "b" + part, part[:-1], "é", "\ufffd" + part, data.draw(st.text("ab", max_size=12))):
        assert index.contains(run) == (run in text) or not (run or text)
        places = [place for place in range(len(text)) if run and text.startswith(run, place)]
        following = {text[place + len(run)] for place in places if place + len(run) < len(text)}
        if run:
            assert index.find_following(run) == following - {END_OF_TEXT}
            assert index.locate(run) == (describe(text, places[0]) if places else None)


def describe(text: str, place: int) -> Place:
    documents = text[:place].split(END_OF_TEXT)
    return Place(place, len(documents), documents[-1].count("\n") + 1)


@given(st.text("ab\n", min_size=1, max_size=90), st.integers(0, 70), st.integers(20, 90))
def test_long_copies_over_the_edges_of_blocks(text: str, start: int, length: int) -> None:
    """Check copies longer than the depth, where each block knows only how they begin."""
    query = f"c{text[start : start + length]}c{text[: length // 2]}"
    expected = [longest(query[at:], text) for at in range(len(query))]
    assert make_index(text, 8, 4).match_lengths(query) == expected


def test_tinyshakespeare_against_brute_force() -> None:
    text = corpus_path("tinyshakespeare.txt").read_text(encoding="utf-8")
    index = make_index(text[:300_000])
    random = np.random.default_rng(1)
    for start in random.integers(0, len(text) - 200, 60).tolist():
        query = text[start : start + 200]
        lengths = index.match_lengths(query)
        for at in random.integers(0, 200, 5).tolist():
            assert query[at : at + lengths[at]] in text[:300_000]
            assert at + lengths[at] == 200 or query[at : at + lengths[at] + 1] not in text[:300_000]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TEXTFORGE_CACHE", str(tmp_path))
    return tmp_path / making.FOLDER


TEXTS = ["To be, or ", "not to be:\n", "that is the question", END_OF_TEXT, "été\n日本\n", END_OF_TEXT]


def test_an_index_is_made_once_and_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    first = open_index(TEXTS, told.append)
    monkeypatch.setattr(making, "sort_suffixes", None)  # it isn't needed any more
    second = open_index(["".join(TEXTS)], told.append)
    assert told == [len("".join(TEXTS).encode())]
    for index in (first, second):
        assert index.characters == len("".join(TEXTS))
        assert index.contains("be:\nthat is")
        assert index.find_following("to b") == {"e"}
        assert index.locate("日") == Place("".join(TEXTS).index("日"), 2, 2)
    assert [path.suffix for path in cache.iterdir()] == [".index"]


def test_blocks_are_kept_too(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "BLOCK", 16)
    monkeypatch.setattr(making, "DEPTH", 4)
    made, kept = open_index(TEXTS), open_index(TEXTS)
    query = "or not to be: that is été\n日本語"
    assert made.find_runs(query) == kept.find_runs(query) == make_index("".join(TEXTS)).find_runs(query)


@pytest.mark.parametrize("damage", [lambda data: data[:-30], lambda data: b"", lambda data: data[:40] + data[48:]])
def test_a_damaged_index_is_made_anew(cache: Path, damage) -> None:
    open_index(TEXTS)
    [path] = cache.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert open_index(TEXTS).contains("question")
    assert open_index(TEXTS).contains("question")


def _open_and_ask(number: int) -> bool:
    return open_index(["abc" * 20_000, "x"]).contains("abcx")


def test_processes_that_make_one_at_once_all_have_it(cache: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_open_and_ask, range(6)) == [True] * 6
    assert len(list(cache.iterdir())) == 1


def test_nothing_is_left_where_making_fails(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: object) -> None:
        raise MemoryError

    monkeypatch.setattr(making, "sort_suffixes", fail)
    with pytest.raises(MemoryError):
        open_index(TEXTS)
    assert list(cache.iterdir()) == []
    with pytest.raises(CorpusError, match="is empty; give one that has text"):
        open_index(["", ""])


def test_what_a_killed_process_left_is_removed_in_time(cache: Path) -> None:
    cache.mkdir()
    for name, seconds in (("old.partial", 1), ("new.partial", None)):
        (cache / name).write_bytes(b"half")
        if seconds:
            os.utime(cache / name, (seconds, seconds))
    open_index(TEXTS)
    assert {path.suffix for path in cache.iterdir()} == {".partial", ".index"}
    assert not (cache / "old.partial").exists()


def test_a_cache_that_cannot_be_kept_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TEXTFORGE_CACHE", str(tmp_path / "file"))
    with pytest.raises(CorpusError, match=r"can't keep the index of a text in the folder .*TEXTFORGE_CACHE"):
        open_index(["text"])


class Torn(Corpus):
    """A corpus whose disk fails."""

    name = "torn"

    def read(self):
        yield "It is "
        raise OSError("the disk is torn")


def test_a_corpus_that_fails_is_not_taken_for_the_cache(cache: Path) -> None:
    with pytest.raises(TextforgeError, match="torn") as failed:
        index_corpora([Torn()])
    assert "keep the index" not in str(failed.value)
    assert list(cache.iterdir()) == []


def test_corpora_are_documents_and_may_be_cut(cache: Path) -> None:
    corpora = [TextCorpus.of("It is so."), TextCorpus.of("And that is that.")]
    index = index_corpora(corpora)
    assert index.characters == len("It is so.And that is that.") + 2
    assert index.locate("And") == Place(10, 2, 1)
    assert not index.contains("so.And")
    part = index_corpora(corpora, characters=13)
    assert part.contains(f"so.{END_OF_TEXT}And")
    assert not part.contains("And ")
