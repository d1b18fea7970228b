"""Texts of several documents: lines and paragraphs."""

from __future__ import annotations

import gzip
import re
import tracemalloc
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from support import corpus_path

import textforge
from textforge.cli import main
from textforge.corpora import sources, splitting
from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.lines import LinesCorpus
from textforge.corpora.paragraphs import ParagraphsCorpus
from textforge.errors import CorpusError

TEXTS = st.text(st.sampled_from("aΣé \t\u00a0\u2028\x0b\n\n\r"), max_size=40)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def split(corpus: type[LinesCorpus | ParagraphsCorpus], *paths: str, **options: str) -> list[str]:
    """Return the documents of a corpus."""
    *documents, rest = "".join(corpus(paths, **options).read()).split(END_OF_TEXT)
    assert rest == ""
    return documents


def write(text: str) -> str:
    Path("text.txt").write_bytes(text.encode())
    return "text.txt"


@given(text=TEXTS, size=st.integers(1, 9))
def test_lines_by_definition(text, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK_BYTES", size)
        found = split(LinesCorpus, write(text), errors="replace")
    assert found == [line for line in re.split("\r\n|\r|\n", text) if line.strip()]


@given(text=TEXTS, size=st.integers(1, 9))
def test_paragraphs_by_definition(text, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK_BYTES", size)
        found = split(ParagraphsCorpus, write(text), errors="replace")
    expected: list[list[str]] = [[]]
    for line in re.split("\r\n|\r|\n", text):
        if line.strip():
            expected[-1].append(line)
        else:
            expected.append([])
    assert found == ["\n".join(lines) for lines in expected if lines]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_line_of_very_many_blanks_is_text(monkeypatch, size):
    monkeypatch.setattr(splitting, "_LONGEST_BLANK", 5)
    monkeypatch.setattr(sources, "CHUNK_BYTES", size)
    assert split(LinesCorpus, write("     \n      \na")) == ["      ", "a"]


def test_one_document_ends_too():
    Path("a.txt").write_text("Emma")
    assert "".join(LinesCorpus(["a.txt"]).read()) == f"Emma{END_OF_TEXT}"
    assert "".join(ParagraphsCorpus(["a.txt"]).read()) == f"Emma{END_OF_TEXT}"


def test_a_file_ends_its_last_document():
    Path("a.txt").write_text("one\ntwo")
    Path("b.txt").write_text("three")
    assert split(LinesCorpus, "a.txt", "b.txt") == ["one", "two", "three"]
    assert split(ParagraphsCorpus, "a.txt", "b.txt") == ["one\ntwo", "three"]


def test_the_options_are_those_of_files():
    Path("a.gz").write_bytes(gzip.compress("ΟΔΟΣ\r\n\r\nna\xefve".encode("utf-16")))
    corpus = LinesCorpus(["a.gz"], lowercase=True)
    assert "".join(corpus.read()) == f"οδος{END_OF_TEXT}naïve{END_OF_TEXT}"
    assert list(corpus.notes()) == ["'a.gz' is not in utf-8: it was read as utf-16"]


def test_null_bytes():
    Path("a.txt").write_bytes(b"a\0b\nc")
    with pytest.raises(CorpusError, match=r"^'a.txt' is a binary file with null bytes, not text; "):
        split(LinesCorpus, "a.txt")
    assert split(LinesCorpus, "a.txt", errors="replace") == ["a\0b", "c"]


def test_advice_is_for_the_same_corpus():
    Path("a.txt").write_bytes("é\n".encode() + b"\xff\n")
    with pytest.raises(CorpusError, match=r"have such bytes replaced: lines:paths=a.txt,errors=replace$"):
        split(LinesCorpus, "a.txt")


def test_a_long_line_goes_through_in_chunks():
    with Path("a.txt").open("wb") as file:
        for _ in range(40):
            file.write(b"a" * 500_000)
    tracemalloc.start()
    sizes = [len(chunk) for chunk in LinesCorpus(["a.txt"]).read()]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(sizes) == 20_000_001
    assert peak < 4_000_000


def test_names_in_give_names_out():
    names = corpus_path("names.txt").read_text(encoding="utf-8").splitlines()
    Path("names.txt").write_text("\n".join(names[:2000]))
    generator = textforge.train("lines:names.txt", architecture="ngram:order=4", seed=1)
    made = generator.complete("", count=20, seed=1, max_tokens=100)
    assert {each.finish_reason for each in made} == {"end"}
    assert all(each.text.isalpha() for each in made)


def test_a_text_of_blank_lines_is_empty():
    Path("a.txt").write_text("\n \n")
    result = CliRunner().invoke(main, ["train", "lines:a.txt", "--architecture", "ngram", "-o", "m"])
    assert result.exit_code == 1
    assert "Error: the corpus lines:paths=a.txt is empty; give one that has text" in result.output
