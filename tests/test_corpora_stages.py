"""Changes to texts in chunks: normal forms, and Project Gutenberg's licence."""

from __future__ import annotations

import itertools
import sqlite3
import sys
import unicodedata
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textforge.corpora import gutenberg, sources
from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.corpora.csv_corpus import CsvCorpus
from textforge.corpora.files import FilesCorpus
from textforge.corpora.gutenberg import GutenbergCutter
from textforge.corpora.jsonl import JsonlCorpus
from textforge.corpora.lines import LinesCorpus
from textforge.corpora.normalizing import FORMS, Form, Normalizer, _find_seconds, stands_alone
from textforge.corpora.paragraphs import ParagraphsCorpus
from textforge.corpora.sqlite import SqliteCorpus
from textforge.corpora.stages import Stage, make_stages
from textforge.errors import OptionError

HARD = (
    "aeE한각가\u1100\u1161\u11a8\u0301\u0323\u0307\u0327ﬁ™Å\u0b47\u0b3e\u09c7\u09be\u0344\uff9e\uffc2ｶİΣ\u1e9b\u2126\ufb1d"
    "\u3099か\u0f71\u0f73\r\n"
)
ALPHABET = sorted({*HARD, *sorted(_find_seconds())[::7]})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pass_through(stages: Sequence[Stage], chunks: Sequence[str]) -> str:
    """Return what is left of chunks behind the stages."""
    parts = []
    for number in range(len(chunks) + 1):
        text, final = (chunks[number], False) if number < len(chunks) else ("", True)
        for stage in stages:
            text = stage.push(text, final)
        parts.append(text)
    return "".join(parts)


def read(corpus: Corpus) -> str:
    return "".join(corpus.read())


class TestNormalForms:
    @given(chunks=st.lists(st.text(st.sampled_from(ALPHABET), max_size=6)), form=st.sampled_from(FORMS))
    def test_chunks_change_nothing(self, chunks: list[str], form: Form) -> None:
        assert pass_through([Normalizer(form)], chunks) == unicodedata.normalize(form, "".join(chunks))

    @given(text=st.text(), form=st.sampled_from(FORMS))
    def test_letter_by_letter(self, text: str, form: Form) -> None:
        assert pass_through([Normalizer(form)], list(text)) == unicodedata.normalize(form, text)

    @pytest.mark.parametrize("form", FORMS)
    def test_what_stands_alone_does_so_behind_any_letter(self, form: Form) -> None:
        before = ["a", "か", "\u1100", "가", "\u0b47", "\u09c7", "\u0627", "\u1025", "\U00011099"]
        normal = [unicodedata.normalize(form, letter) for letter in before]
        for character in map(chr, range(0x80, sys.maxunicode + 1)):
            changes = unicodedata.decomposition(character) or unicodedata.category(character)[0] == "M"
            if (changes or "\u1100" <= character <= "\u11ff") and stands_alone(character):
                after = unicodedata.normalize(form, character)
                together = unicodedata.normalize(form, "".join(letter + character for letter in before))
                assert together == "".join(letter + after for letter in normal), character

    def test_a_long_text_of_letters_that_stand_alone_is_not_held_back(self) -> None:
        normalizer = Normalizer("NFC")
        for chunk in itertools.repeat("漢字" * 1000, 10):
            assert len(normalizer.push(chunk)) >= 1999
        assert normalizer.push("", final=True) == "字"

    @given(text=st.text(st.sampled_from(ALPHABET)), form=st.sampled_from(["NFC", "NFD"]))
    def test_lower_case_comes_last_and_stays_normal(self, text: str, form: str) -> None:
        made = pass_through(make_stages(form, lowercase=True), list(text))
        assert made == unicodedata.normalize(form, text).lower()

    @given(text=st.text(st.sampled_from(ALPHABET)), size=st.integers(1, 9))
    def test_of_files(self, text: str, size: int) -> None:
        Path("a.txt").write_bytes(text.encode())
        expected = unicodedata.normalize("NFKC", text.replace("\r\n", "\n").replace("\r", "\n"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sources, "CHUNK_BYTES", size)
            assert read(FilesCorpus(["a.txt"], normalize="NFKC")) == expected

    def test_each_corpus_has_it(self) -> None:
        decomposed = "Cafe\u0301"
        Path("a.txt").write_text(decomposed, encoding="utf-8")
        Path("a.jsonl").write_text(f'{{"text": "{decomposed}"}}', encoding="utf-8")
        Path("a.csv").write_text(f"text\n{decomposed}", encoding="utf-8")
        with closing(sqlite3.connect("a.db")) as database:
            database.executescript(f"create table a (a); insert into a values ('{decomposed}')")
        for corpus in (
            FilesCorpus(["a.txt"], normalize="NFC"),
            LinesCorpus(["a.txt"], normalize="NFC"),
            ParagraphsCorpus(["a.txt"], normalize="NFC"),
            JsonlCorpus(["a.jsonl"], normalize="NFC"),
            CsvCorpus(["a.csv"], normalize="NFC"),
            SqliteCorpus("a.db", "select a from a", normalize="NFC"),
        ):
            assert read(corpus).removesuffix(END_OF_TEXT) == "Café"
            assert (
                read(corpus.replace(normalize="none", lowercase=True)).removesuffix(END_OF_TEXT) == decomposed.lower()
            )

    def test_an_unknown_form(self) -> None:
        with pytest.raises(
            OptionError, match=r"^files: normalize must be one of none, NFC, NFD, NFKC, NFKD, got 'nfc'; "
        ):
            FilesCorpus(["a.txt"], normalize="nfc")


NEW = (
    "\ufeffThe Project Gutenberg eBook of Alice\n\n*** START OF THE PROJECT GUTENBERG EBOOK ALICE ***\n\n\n\n",
    "\n\n*** END OF THE PROJECT GUTENBERG EBOOK ALICE ***\n\nUpdated editions will replace …\n",
)
LONG_TITLE = (
    "X\n*** START OF THIS PROJECT GUTENBERG EBOOK THE LIFE AND STRANGE\nADVENTURES ***\nProduced by volunteers\n",
    "\nEnd of the Project Gutenberg EBook of Crusoe, by Defoe\n\n*** END OF THIS PROJECT GUTENBERG EBOOK CRUSOE ***\n",
)
JOINED = (
    "Header\n***START OF THE PROJECT GUTENBERG EBOOK EMMA***\n",
    "\n***END OF THE PROJECT GUTENBERG EBOOK EMMA***\n\n*****\nlicence",
)
SMALL_PRINT = (
    "***START**THE SMALL PRINT!**FOR EBOOKS**START***\nWhy?\n*END*THE SMALL PRINT! FOR DOMAIN ETEXTS*Ver.0*END*\n",
    "\nEnd of Project Gutenberg's Etext of Moby\n",
)
OLDEST = (
    "Etext\n*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.10/04/01*END*\r\n",
    "\nEnd of The Project Gutenberg Etext\n",
)
BOOK = "CHAPTER I.\n\n*** a star ***\nIt was the END OF it.\n*\n***\nEnd of Projects.\n"


class TestGutenberg:
    @pytest.mark.parametrize("around", [NEW, LONG_TITLE, JOINED, SMALL_PRINT, OLDEST])
    @pytest.mark.parametrize("size", [1, 2, 13, 100, 10_000])
    def test_the_book_is_cut_out(self, around: tuple[str, str], size: int) -> None:
        text = BOOK.join(around)
        cutter = GutenbergCutter()
        made = pass_through([cutter], [text[start : start + size] for start in range(0, len(text), size)])
        assert made.strip("\n").removeprefix("Produced by volunteers\n") == BOOK.strip("\n")
        assert (cutter.found_start, cutter.found_end) == (True, True)

    @given(
        parts=st.lists(
            st.sampled_from([*NEW, *JOINED, *SMALL_PRINT, *LONG_TITLE, BOOK, "\n", "x" * 90, " "]), max_size=9
        ),
        cuts=st.lists(st.integers(0, 2000), max_size=5),
        ahead=st.integers(10, 600),
    )
    def test_chunks_change_nothing(self, parts: list[str], cuts: list[int], ahead: int) -> None:
        text = "".join(parts)
        edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(gutenberg, "LOOK_AHEAD", ahead)
            whole = GutenbergCutter().push(text, final=True)
            pieces = [text[start:stop] for start, stop in itertools.pairwise(edges)]
            assert pass_through([GutenbergCutter()], pieces) == whole

    def test_a_text_without_marks_is_read_whole_and_told(self) -> None:
        for name in "abcde":
            Path(f"{name}.txt").write_text(BOOK)
        Path("e.txt").write_text(f"{NEW[0]}{BOOK}", encoding="utf-8")
        corpus = FilesCorpus(["a.txt"], gutenberg=True)
        assert read(corpus) == BOOK
        start, end = corpus.notes()
        assert (
            start
            == "nothing was cut off before the book, as no line *** START OF THE PROJECT GUTENBERG … was found: 'a.txt'"
        )
        assert (
            end
            == "nothing was cut off behind the book, as no line *** END OF THE PROJECT GUTENBERG … was found: 'a.txt'"
        )
        corpus = FilesCorpus(["."], gutenberg=True)
        assert read(corpus).split(END_OF_TEXT) == [BOOK] * 5 + [""]
        start, end = corpus.notes()
        assert start.endswith(" was found: 'a.txt', 'b.txt', 'c.txt' and 1 more")
        assert end.endswith(" was found: 'a.txt', 'b.txt', 'c.txt' and 2 more")

    def test_the_beginning_is_looked_for_within_bounds(self) -> None:
        cutter = GutenbergCutter()
        line = "It was so.\n" * 1000
        given = [cutter.push(line) for _ in range(50)]
        assert len("".join(given)) > 400_000
        assert cutter.push(NEW[0]) + cutter.push("", final=True)
        assert not cutter.found_start

    def test_of_lines_and_paragraphs(self) -> None:
        Path("a.txt").write_bytes(BOOK.join(NEW).replace("\n", "\r\n").encode())
        assert read(LinesCorpus(["a.txt"], gutenberg=True)).split(END_OF_TEXT)[:2] == ["CHAPTER I.", "*** a star ***"]
        paragraphs = read(ParagraphsCorpus(["a.txt"], gutenberg=True, lowercase=True)).split(END_OF_TEXT)
        assert paragraphs == ["chapter i.", BOOK[12:-1].lower(), ""]
        kept = read(FilesCorpus(["a.txt"], gutenberg=True, newlines="keep"))
        assert kept.strip("\r\n") == BOOK.strip().replace("\n", "\r\n")
