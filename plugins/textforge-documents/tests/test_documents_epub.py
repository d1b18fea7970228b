"""E-books in EPUB as text."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from document_samples import CHAPTER, CONTAINER, error_of, make_book, make_opf, text_of, write_zip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textforge.encoders.base import END_OF_TEXT
from textforge.errors import CorpusError
from textforge_documents import EpubCorpus

OPF = "OEBPS/content.opf"
PAGE = "application/xhtml+xml"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def chapter(text: str) -> str:
    return CHAPTER.format(text)


def write_book(path: Path, **more: str | bytes) -> EpubCorpus:
    book = make_book({"one.xhtml": chapter("<h1>One</h1><p>It is so.</p>"), "two.xhtml": chapter("<p>Two.</p>")})
    return EpubCorpus((write_zip(path, {**book, **more}),))


def test_chapters_come_in_the_order_of_the_spine(folder):
    items = f'<item id="b" href="b.xhtml" media-type="{PAGE}"/><item id="a" href="a%20b.xhtml#x" media-type="{PAGE}"/>'
    parts = {
        "META-INF/container.xml": CONTAINER,
        OPF: make_opf(items, '<itemref idref="b"/><itemref idref="a" linear="yes"/>'),
        "OEBPS/a b.xhtml": chapter("<p>second</p>"),
        "OEBPS/b.xhtml": chapter("<p>first</p>"),
        "OEBPS/c.xhtml": chapter("<p>in no spine</p>"),
    }
    corpus = EpubCorpus((write_zip(folder / "a.epub", parts),))
    assert text_of(corpus) == "first\n\nsecond"
    assert corpus.notes() == (f"read as an e-book, by the corpus epub: {str(folder / 'a.epub')!r}",)


def test_a_book_is_a_document_and_so_is_each_of_several(folder):
    first, second = write_book(folder / "a.epub"), write_book(folder / "b.epub")
    assert text_of(first) == "One\n\nIt is so.\n\nTwo."
    assert text_of(EpubCorpus((*first.paths, *second.paths))) == f"One\n\nIt is so.\n\nTwo.{END_OF_TEXT}" * 2


def test_what_is_beside_the_book_is_left_out_and_told(folder):
    items = "".join(
        f'<item id="{name}" href="{name}.xhtml" media-type="{kind}" properties="{properties}"/>'
        for name, kind, properties in (
            ("note", PAGE, ""),
            ("toc", PAGE, "scripted nav"),
            ("cover", "image/svg+xml", ""),
            ("text", PAGE, ""),
        )
    )
    spine = '<itemref idref="note" linear="no"/><itemref idref="toc"/><itemref idref="cover"/><itemref idref="text"/>'
    pages = {f"OEBPS/{name}.xhtml": chapter(f"<p>{name}</p>") for name in ("note", "toc", "cover", "text")}
    write_zip(folder / "a.epub", {"META-INF/container.xml": CONTAINER, OPF: make_opf(items, spine), **pages})
    corpus = EpubCorpus(("a.epub",))
    assert text_of(corpus) == "text"
    assert corpus.notes() == (
        "left out, as it is beside the book (linear=\"no\"): 'a.epub/OEBPS/note.xhtml'",
        "left out, as it is the table of contents: 'a.epub/OEBPS/toc.xhtml'",
        "left out, as it is no page but image/svg+xml: 'a.epub/OEBPS/cover.xhtml'",
        "read as an e-book, by the corpus epub: 'a.epub'",
    )


def test_a_book_in_an_archive_and_by_standard_input(folder):
    corpus = write_book(folder / "a.epub")
    data = Path(corpus.paths[0]).read_bytes()
    write_zip(folder / "books.zip", {"x/a.epub": data, "x/b.txt": "b"})
    assert text_of(EpubCorpus(("books.zip",))) == text_of(EpubCorpus(("books.zip/x/a.epub",))) == text_of(corpus)
    code = "from textforge_documents import EpubCorpus; print(''.join(EpubCorpus(('-',)).read()), end='')"
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True, timeout=100)
    assert done.stdout.decode().replace(os.linesep, "\n") == text_of(corpus)
    assert EpubCorpus(("-",)).rereadable is False


def test_the_licence_of_project_gutenberg(folder):
    pages = {
        "one.xhtml": chapter("<p>Licence</p><div>*** START OF THE PROJECT GUTENBERG EBOOK X ***</div><p>It was.</p>"),
        "two.xhtml": chapter("<p>It is.</p><div>*** END OF THE PROJECT GUTENBERG EBOOK X ***</div><p>Licence</p>"),
    }
    corpus = EpubCorpus((write_zip(folder / "a.epub", make_book(pages)),), gutenberg=True)
    assert text_of(corpus).split("\n\n") == ["It was.", "It is.", ""]
    assert not [note for note in corpus.notes() if "cut off" in note]


def encrypt(part: str, algorithm: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:e="http://www.w3.org/2001/04/xmlenc#">'
        f'<e:EncryptedData><e:EncryptionMethod Algorithm="{algorithm}"/><e:CipherData><e:CipherReference URI="{part}"/>'
        "</e:CipherData></e:EncryptedData></encryption>"
    )


class TestProtection:
    AES = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
    FONT = "http://www.idpf.org/2008/embedding"

    def test_an_encrypted_chapter_is_refused(self, folder):
        write_book(folder / "a.epub", **{"META-INF/encryption.xml": encrypt("OEBPS/two.xhtml", self.AES)})
        assert error_of(EpubCorpus(("a.epub",))) == (
            "'a.epub' is protected against copying (DRM): its chapter 'OEBPS/two.xhtml' is encrypted; give a book "
            "without such a protection"
        )

    @pytest.mark.parametrize(("part", "algorithm"), [("OEBPS/font.otf", FONT), ("OEBPS/film.mp4", AES)])
    def test_a_font_or_a_film_is_none_of_our_business(self, folder, part, algorithm):
        corpus = write_book(folder / "a.epub", **{"META-INF/encryption.xml": encrypt(part, algorithm)})
        assert text_of(corpus).endswith("Two.")

    def test_a_part_with_a_password_of_zip(self, folder):
        write_book(folder / "a.epub")
        data = bytearray((folder / "a.epub").read_bytes())
        for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            at = -1
            while (at := data.find(signature, at + 1)) >= 0:
                data[at + flags] |= 1
        (folder / "a.epub").write_bytes(data)
        assert error_of(EpubCorpus(("a.epub",))) == (
            "'a.epub/META-INF/container.xml' is an encrypted file; unpack it first"
        )


class TestBadBooks:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"META-INF/container.xml": "<a/>"}, "'a.epub' has no rootfile in META-INF/container.xml; get it anew"),
            (
                {OPF: ""},
                f"the part {OPF!r} of 'a.epub' is no XML: Document is empty, line 1, column 1; get it anew",
            ),
            ({OPF: "<a/>"}, f"'a.epub' has no chapters: its spine, in {OPF!r}, names none; get it anew"),
            (
                {OPF: make_opf("", '<itemref idref="x"/>')},
                f"the part {OPF!r} of 'a.epub' has no item 'x', which its spine names; get it anew",
            ),
            (
                {OPF: make_opf(f'<item id="x" href="x.xhtml" media-type="{PAGE}"/>', '<itemref idref="x"/>')},
                "'a.epub' lacks the part 'OEBPS/x.xhtml', which its spine names; get it anew",
            ),
            (
                {OPF: make_opf(f'<item id="x" href="../../x" media-type="{PAGE}"/>', '<itemref idref="x"/>')},
                "'a.epub' lacks the part '../x', which its spine names; get it anew",
            ),
            (
                {"OEBPS/one.xhtml": chapter(""), "OEBPS/two.xhtml": chapter("<img/>")},
                "'a.epub' has no text (pictures of text aren't read); give a document that has some",
            ),
        ],
    )
    def test_what_is_missing_is_named(self, folder, changes, message):
        write_book(folder / "a.epub", **changes)
        assert error_of(EpubCorpus(("a.epub",))) == message

    def test_a_book_without_its_opf(self, folder):
        write_zip(folder / "a.epub", {"META-INF/container.xml": CONTAINER})
        assert error_of(EpubCorpus(("a.epub",))) == (
            f"'a.epub' lacks the part {OPF!r}, which META-INF/container.xml names; get it anew"
        )

    def test_an_archive_of_something_else(self, folder):
        write_zip(folder / "a.epub", {"a.txt": "a"})
        assert error_of(EpubCorpus(("a.epub",))) == (
            "'a.epub' is a ZIP archive, but no e-book: it lacks META-INF/container.xml; give an EPUB"
        )

    @pytest.mark.parametrize(
        ("data", "what"),
        [
            (b"", "is empty, not an EPUB; get it anew"),
            (b"Once upon a time", "is a text, not an EPUB; give a file of that kind, or rename it to what it is"),
            (b"%PDF-1.7\n", "is a PDF document, not an EPUB; give a file of that kind, or rename it to what it is"),
            (
                b"{\\rtf1 a}",
                "is rich text (RTF), not an EPUB; open it in a word processor, and save it as .docx",
            ),
        ],
    )
    def test_what_is_no_archive(self, folder, data, what):
        (folder / "a.epub").write_bytes(data)
        assert error_of(EpubCorpus(("a.epub",))) == f"'a.epub' {what}"

    def test_a_file_that_is_cut_short(self, folder):
        write_book(folder / "a.epub")
        data = (folder / "a.epub").read_bytes()
        (folder / "a.epub").write_bytes(data[: len(data) // 2])
        assert error_of(EpubCorpus(("a.epub",))) == (
            "'a.epub' is cut short or damaged (File is not a zip file); get it anew"
        )

    def test_a_book_that_expands_to_more_than_texts_do(self, folder, monkeypatch):
        monkeypatch.setattr("textforge.corpora.compression.FREE_BYTES", 1 << 16)
        items = f'<item id="x" href="x.xhtml" media-type="{PAGE}"/>'
        parts = {
            OPF: make_opf(items, '<itemref idref="x"/>' * 9),
            "OEBPS/x.xhtml": chapter("<p>a</p>" + " " * (1 << 20)),
        }
        write_zip(folder / "a.epub", {"META-INF/container.xml": CONTAINER, **parts})
        assert "expands to more than 1,000 times its size" in error_of(EpubCorpus(("a.epub",)))

    def test_a_part_that_is_too_large(self, folder, monkeypatch):
        monkeypatch.setattr("textforge_documents._package.LARGEST_PART", 1 << 20)
        write_book(folder / "a.epub", **{"OEBPS/two.xhtml": os.urandom((1 << 20) + 1)})
        assert error_of(EpubCorpus(("a.epub",))) == (
            "the part 'OEBPS/two.xhtml' of 'a.epub' is larger than 1 MiB, and a part is held in memory; save it as "
            "several documents"
        )

    def test_a_part_that_says_it_is_smaller_than_it_is(self, folder):
        write_book(folder / "a.epub", **{"OEBPS/two.xhtml": chapter("<p>a</p>" * 1000)})
        data = (folder / "a.epub").read_bytes()
        size = struct.pack("<I", len(chapter("<p>a</p>" * 1000)))
        (folder / "a.epub").write_bytes(data.replace(size, struct.pack("<I", 10)))
        assert "'a.epub/OEBPS/two.xhtml' can't be unpacked" in error_of(EpubCorpus(("a.epub",)))

    def test_an_entity_of_a_file_is_not_read(self, folder):
        (folder / "secret.txt").write_text("one.xhtml", encoding="utf-8")
        declared = f'<!DOCTYPE p [<!ENTITY x SYSTEM "{(folder / "secret.txt").as_uri()}">]>'
        opf = make_opf(f'<item id="x" href="&x;" media-type="{PAGE}"/>', '<itemref idref="x"/>')
        write_book(folder / "a.epub", **{OPF: declared + opf})
        assert "It is so" not in error_of(EpubCorpus(("a.epub",)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.data())
def test_damage_of_any_kind_is_a_corpus_error_or_nothing(folder, data):
    write_book(folder / "a.epub")
    book = bytearray((folder / "a.epub").read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(book) - 1), min_size=1, max_size=4)):
        book[at] = data.draw(st.integers(0, 255))
    (folder / "b.epub").write_bytes(book[: data.draw(st.integers(0, len(book)))] if data.draw(st.booleans()) else book)
    with contextlib.suppress(CorpusError):  # any other is a bug
        text_of(EpubCorpus(("b.epub",)))
