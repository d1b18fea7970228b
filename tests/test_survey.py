"""`textforge corpus`, and the survey behind it."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from textforge.cli import main
from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.text import TextCorpus
from textforge.encoders.byte import ByteEncoder
from textforge.encoders.char import CharEncoder
from textforge.errors import CorpusError
from textforge.evaluation import survey as surveying
from textforge.evaluation.survey import CharacterCount, survey

DOCUMENTS = st.lists(st.text(st.characters(exclude_characters=END_OF_TEXT, codec="utf-8"), min_size=1), min_size=1)


def run(*arguments: object, status: int = 0) -> str:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == status, result.output
    return result.stdout if status == 0 else result.stderr.splitlines()[-1]


@given(DOCUMENTS)
def test_figures_are_those_of_the_documents(documents: list[str]) -> None:
    found = survey([TextCorpus.of(documents)], [CharEncoder(), ByteEncoder()])
    lengths = list(map(len, documents))
    text = "".join(documents)
    assert (found.documents, found.characters, found.bytes) == (len(documents), len(text), len(text.encode()))
    assert (found.shortest, found.median, found.longest) == (min(lengths), statistics.median(lengths), max(lengths))
    assert found.duplicates == len(documents) - len(set(documents))
    assert {count.character: count.count for count in found.counts} == Counter(text)
    assert [count.count for count in found.counts] == sorted(Counter(text).values(), reverse=True)
    char, byte = found.encoders
    assert (char.tokens, char.vocabulary_size) == (len(text) + len(documents), len(set(text)) + 1)
    assert byte.tokens == len(text.encode()) + len(documents)
    assert char.bytes_per_token == pytest.approx(len(text.encode()) / char.tokens)


def test_an_encoder_that_refuses_the_text_is_told_and_the_others_go_on() -> None:
    found = survey([TextCorpus.of("abc")], [CharEncoder(min_count=5), ByteEncoder()])
    assert [size.encoder for size in found.encoders] == ["byte"]
    assert found.refusals["char:min_count=5"].startswith("no character comes 5 times in the corpus")


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "aé\U0001f600 b" * 50_000
    whole = survey([TextCorpus.of(text)], [])
    monkeypatch.setattr(surveying, "_SMALL", 10)
    parts = survey([TextCorpus.of(text)], [])
    assert parts.counts == whole.counts


def test_only_the_beginning_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveying, "SAMPLE", 5)
    found = survey([TextCorpus.of("abcabcabc")], [CharEncoder()])
    assert (found.sampled, found.encoders[0].tokens, found.characters) == (5, 5, 9)


@pytest.mark.parametrize(
    ("character", "strange"),
    [("a", False), ("\n", False), ("\t", False), ("\x00", True), ("\ufffd", True), ("\u200b", True), ("\ue000", True)],
)
def test_strange_characters(character: str, strange: bool) -> None:
    assert CharacterCount(character, 1).is_strange is strange


def test_strange_ones_come_first_then_the_rarest() -> None:
    found = survey([TextCorpus.of("aaaab\u200bb\u200bz\x00")], [])
    assert [count.character for count in found.strangest] == ["\u200b", "\x00", "z", "b", "a"]


@pytest.mark.parametrize("text", ["", [""], []])
def test_an_empty_corpus(text: str | list[str]) -> None:
    with pytest.raises(CorpusError, match=r"^the corpus text.* is empty; give one that has text$"):
        survey([TextCorpus.of(text)], [])


def test_the_command_shows_it(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("to be or not to be\x07", encoding="utf-8")
    (tmp_path / "two.txt").write_text("that is the question", encoding="utf-8")
    told = run("corpus", f"files:{tmp_path},errors=replace")
    assert "documents       2 of 19 to 20 characters, 20 in the middle\n" in told
    assert "duplicates      0 documents" in told
    assert "most frequent   ' ' " in told
    assert "strangest       '\\x07' U+0007, once\n" in told
    assert "char    41 characters, a vocabulary of " in told
    assert "byte    41 bytes, a vocabulary of 257; 0.95 bytes a token" in told
    assert "\x07" not in told.partition("\n\n")[0]
    only = json.loads(run("corpus", f"files:{tmp_path},errors=replace", "--encoder", "byte", "--json"))
    assert [encoder["encoder"] for encoder in only["encoders"]] == ["byte"]
    assert only["counts"]["q"] == 1
    assert run("corpus", tmp_path / "none", status=1).startswith("Error: there is no file or folder")
