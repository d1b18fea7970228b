"""Encodings of text files: found file by file, told, or refused with advice for that file alone."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import textforge
from textforge.cli import main
from textforge.components.spec import parse_spec
from textforge.corpora import detecting, sources
from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.detecting import DetectingDecoder, UndecidedError
from textforge.corpora.files import FilesCorpus
from textforge.errors import CorpusError

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1"
PDF = b"%PDF-1.4\n1 0 obj << /Type /Catalog >> endobj\n"
WINDOWS = b"It\x92s na\xefve.\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def books() -> Path:
    """A folder of 59 texts in UTF-8 and one in Windows-1252."""
    folder = Path("books")
    folder.mkdir()
    for number in range(59):
        (folder / f"u{number:02}.txt").write_text(f"It’s café number {number}, déjà vu.\n", encoding="utf-8")
    (folder / "w.txt").write_bytes(WINDOWS)
    return folder


def read(*paths: str, **options: str) -> tuple[str, list[str]]:
    """Return the text of files, and what is to be told of them."""
    corpus = FilesCorpus(paths, **options)
    return "".join(corpus.read()), list(corpus.notes())


def error_of(*paths: str, **options: str) -> str:
    with pytest.raises(CorpusError) as caught:
        read(*paths, **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


class TestOneAmongOthers:
    def test_each_file_is_read_in_its_own_encoding(self, books: Path) -> None:
        text, notes = read("books")
        documents = text.split(END_OF_TEXT)
        assert documents[:59] == [f"It’s café number {number}, déjà vu.\n" for number in range(59)]
        assert documents[59:] == ["It’s naïve.\n", ""]
        assert notes == ["'books/w.txt' is not in utf-8: it was read as cp1252"]

    def test_advice_is_for_that_file_alone(self, books: Path) -> None:
        (books / "w.txt").write_bytes("Zażółć gęślą jaźń. To jest książka o żółwiach i łąkach.\n".encode("cp1250"))
        message = error_of("books")
        assert message.startswith("'books/w.txt' is not in utf-8, nor in another encoding for certain; read it by ")
        assert "perhaps as files:paths=books/w.txt,encoding=" in message
        assert message.endswith(", or convert it to UTF-8")

    def test_several_are_told_in_one_line(self, books: Path) -> None:
        for number in range(4):
            (books / f"u0{number}.txt").write_bytes(WINDOWS)
        (note,) = read("books", "books/w.txt")[1]  # named twice, told once
        assert note == (
            "5 files are not in utf-8: they were read as cp1252: 'books/u00.txt', 'books/u01.txt', 'books/u02.txt' "
            "and 2 more"
        )

    @pytest.mark.parametrize("size", [1, 3, 1 << 20])
    def test_how_a_file_is_read_decides_nothing(self, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
        monkeypatch.setattr(sources, "CHUNK_BYTES", size)
        monkeypatch.setattr(detecting, "BLOCK_BYTES", 16)
        Path("a.txt").write_bytes(WINDOWS * 20)
        assert read("a.txt")[0] == "It’s naïve.\n" * 20

    def test_notes_are_of_the_last_reading(self) -> None:
        Path("a.txt").write_bytes(WINDOWS)
        corpus = FilesCorpus(("a.txt",))
        assert list(corpus.notes()) == []
        for _ in range(2):
            assert "".join(corpus.read()) == "It’s naïve.\n"
            assert len(corpus.notes()) == 1
        Path("a.txt").write_text("naïve", encoding="utf-8")
        assert ["".join(corpus.read()), *corpus.notes()] == ["naïve"]

    def test_the_corpus_is_recorded_as_it_was_named(self, books: Path) -> None:
        corpus = FilesCorpus(("books",))
        text = "".join(corpus.read())
        assert corpus.spec == "files:paths=books"
        assert corpus == FilesCorpus(("books",))
        assert "".join(parse_spec(corpus.spec).build(FilesCorpus).read()) == text


class TestAlone:
    def test_windows_1252_has_no_invisible_controls(self) -> None:
        Path("a.txt").write_bytes(b"It\x92s\n" * 1000)
        text, notes = read("a.txt")
        assert text == "It’s\n" * 1000
        assert notes == ["'a.txt' is not in utf-8: it was read as cp1252"]

    @pytest.mark.parametrize("text", ["It is all ASCII.\n", "It’s café.\n", "漢字\n", ""])
    def test_nothing_is_said_of_utf_8(self, text: str) -> None:
        Path("a.txt").write_text(text, encoding="utf-8")
        assert read("a.txt") == (text, [])

    @pytest.mark.parametrize(("last", "at"), [("é", 19), ("漢", 20), ("😀", 21)])
    def test_utf_8_whose_last_byte_is_cut(self, last: str, at: int) -> None:
        data = f"It’s déjà vu, caf{last}".encode()[:-1]
        Path("a.txt").write_bytes(data)
        message = error_of("a.txt")
        assert message == (
            f"'a.txt' is in utf-8, and ends in the middle of a character, at byte {data.rindex(b'caf') + 3}; "
            "mend it, or have such bytes replaced: files:paths=a.txt,errors=replace"
        )
        assert read("a.txt", errors="replace") == ("It’s déjà vu, caf\ufffd", [])

    def test_utf_8_with_nothing_else_than_a_cut_character(self) -> None:
        Path("a.txt").write_bytes(b"plain caf\xe9")
        message = error_of("a.txt")
        assert message.startswith("'a.txt' may be in utf-8, and ends in the middle of a character, at byte 9; mend it")
        assert message.endswith(
            "if it is another encoding, read it by itself, perhaps as files:paths=a.txt,encoding=cp1252"
        )

    def test_utf_8_with_a_bad_byte_far_inside(self) -> None:
        Path("a.txt").write_bytes("漢字 ".encode() * 100_000 + b"\xe9 and more")
        assert error_of("a.txt").startswith("'a.txt' is in utf-8, but byte 700000 is 0xe9, invalid continuation byte; ")

    def test_windows_1252_that_becomes_another_encoding(self) -> None:
        Path("a.txt").write_bytes(WINDOWS * 50_000 + "Это по-русски.\n".encode("cp1251") * 10)
        assert "though up to byte " in error_of("a.txt")

    @pytest.mark.parametrize("data", [PDF, PDF + b"stream\n\x93\xe2\0\xff"])
    def test_a_pdf(self, data: bytes) -> None:
        Path("a.txt").write_bytes(data)
        assert error_of("a.txt") == ("'a.txt' is a PDF document, not text; save its text first, with pdftotext, say")


class TestPictures:
    def test_one_in_a_folder_is_left_out_counted_and_named(self, books: Path) -> None:
        text = read("books")[0]
        (books / "p.png").write_bytes(PNG)
        assert read("books") == (
            text,
            [
                "left out 1 of the 61 files in 'books', which is no text: 'books/p.png' (a PNG picture)",
                "'books/w.txt' is not in utf-8: it was read as cp1252",
            ],
        )

    def test_several_are_counted_and_the_first_named(self, books: Path) -> None:
        for number in range(5):
            (books / f"p{number}.png").write_bytes(PNG)
        (books / "a.pdf").write_bytes(PDF)
        note = read("books")[1][0]
        assert note == (
            "left out 6 of the 66 files in 'books', which are no text: 'books/a.pdf' (a PDF document), "
            "'books/p0.png' (a PNG picture), 'books/p1.png' (a PNG picture) and 3 more"
        )

    def test_one_named_by_itself_is_refused(self, books: Path) -> None:
        (books / "p.png").write_bytes(PNG)
        message = error_of("books/p.png")
        assert message == "'books/p.png' is a PNG picture, not text; give text files only"
        assert error_of("books", "books/p.png") == message

    def test_a_folder_of_nothing_else(self) -> None:
        Path("pictures").mkdir()
        Path("pictures/p.png").write_bytes(PNG)
        assert error_of("pictures").startswith("the folder 'pictures' has no text: it has 'pictures/p.png'")


FOREIGN = [
    ("cp1250", "Zażółć gęślą jaźń"),
    ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy"),
    ("cp1250", "Árvíztűrő tükörfúrógép"),
    ("iso8859-2", "Łódź jest piękna, a żółw śpi"),
    ("cp1251", "Привет, мир"),
    ("cp1251", "Да"),
    ("koi8-r", "Привет, мир"),
    ("koi8-r", "Да"),
    ("cp866", "Это так"),
    ("iso8859-5", "Это так"),
    ("cp1253", "Καλημέρα κόσμε"),
    ("cp1254", "Iğdır güzel bir şehir"),
    ("cp1255", "שלום עולם"),
    ("cp1256", "مرحبا بالعالم"),
    ("shift_jis", "日本の"),
    ("shift_jis", "これは日本語です。"),
    ("euc_jp", "これは日本語です。"),
    ("gb18030", "你好,世界"),
    ("gb18030", "今天天气很好。"),
    ("big5", "今天天氣很好。"),
    ("euc_kr", "안녕하세요"),
    ("mac_roman", "“Hello!” he said."),
    ("mac_roman", "It’s déjà vu"),
    ("mac_roman", "El niño está aquí"),
    ("mac_roman", "Die Straße, die Übung, schön"),
    ("cp850", "Schöne Größe"),
    ("cp437", "un café à la crème"),
]
WESTERN = [
    "“It’s only £5 – isn’t it?” she said… ‘Yes,’ he answered—at 20 °C, with naïve café résumés.",
    "Où est l’été ? « À Noël, déjà ! », dit-elle ; l’œuvre coûte 5 € et la forêt brûle. Ça, c’est ça… ÉTÉ.",
    "„Grüße aus Köln“, sagte Jörg; die Straße ist schön, ÜBER 5 m² groß und 3 € wert. Öl, Äpfel, Übung – groß.",
    "¿Qué pasó mañana, señor? ¡Ahí está el pingüino! El niño corrió a Bogotá. Él dijo: «Sí».",
    "Não, o avião está na estação; são três maçãs à venda. Põe as lições à mão.",
    "Så är det på ön: gå över ån och ät smörgås. Åke är där.",
    "Det er på øen; ø, æ og å. Ærlig talt, Åse spiser grød. Blåbærsyltetøj.",
    "Perché no? È così, c’è la città e più virtù.",
    "Hän sanoi: ”Sisään käyttöään varten, yötä päivää”, ja lähti.",
    "Ik zeg één ding: coördinatie en geïnd.",
]


class TestDetection:
    @pytest.mark.parametrize(("encoding", "text"), FOREIGN)
    @pytest.mark.parametrize("end", ["", "\n", "\nAnd a line in plain English.\n"])
    def test_other_encodings_are_refused_with_advice(self, encoding: str, text: str, end: str) -> None:
        Path("a.txt").write_bytes((text + end).encode(encoding))
        message = error_of("a.txt")
        assert "files:paths=a.txt,e" in message
        assert read("a.txt", encoding=encoding) == (text + end, [])

    @pytest.mark.parametrize("text", WESTERN, ids=lambda text: text[:12])
    @pytest.mark.parametrize("case", [str, str.upper])
    def test_western_texts_are_read(self, text: str, case: type[str]) -> None:
        text = case(text).replace("ÖÖ", "öö")
        Path("a.txt").write_bytes(text.encode("cp1252"))
        assert read("a.txt")[0] == text

    @given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), data=st.data())
    def test_utf_8_is_decoded_alike_in_any_chunks(self, text: str, data: st.DataObject) -> None:
        encoded = text.encode()
        cuts = sorted(data.draw(st.lists(st.integers(0, len(encoded)))))
        decoder = DetectingDecoder()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(detecting, "BLOCK_BYTES", data.draw(st.integers(4, 64)))
            parts = [
                decoder.decode(encoded[begin:end]) for begin, end in zip([0, *cuts], [*cuts, len(encoded)], strict=True)
            ]
        assert "".join([*parts, decoder.decode(b"", final=True)]) == text
        assert decoder.encoding == (None if text.isascii() else "utf-8")

    @given(
        pieces=st.lists(st.sampled_from([b"plain ", b"caf\xe9 ", b"\x93It\x92s\x94 ", "é ".encode(), b"\xff", b"\0"]))
    )
    def test_any_bytes_are_decoded_or_refused_alike_in_any_chunks(self, pieces: list[bytes]) -> None:
        def outcome(chunks: list[bytes]) -> str:
            decoder = DetectingDecoder()
            try:
                return "".join([*map(decoder.decode, chunks), decoder.decode(b"", final=True)])
            except UndecidedError as error:
                return error.reason

        whole = b"".join(pieces)
        assert outcome(pieces) == outcome([whole]) == outcome([whole[at : at + 1] for at in range(len(whole))])


class TestTold:
    def test_by_the_command_line(self, books: Path) -> None:
        (books / "p.png").write_bytes(PNG)
        expected = [
            "left out 1 of the 61 files in 'books', which is no text: 'books/p.png' (a PNG picture)",
            "'books/w.txt' is not in utf-8: it was read as cp1252",
        ]
        trained = run("train", "books", "books/w.txt", "-o", "model", "--architecture", "ngram")
        assert trained.exit_code == 0
        evaluated = run("evaluate", "model", "books", "files:books/w.txt", "--json")
        assert evaluated.exit_code == 0
        for result in (trained, evaluated):
            assert [result.stderr.splitlines().count(line) for line in expected] == [1, 1]

    def test_a_refusal_by_the_command_line(self, books: Path) -> None:
        (books / "p.png").write_bytes(PNG)
        result = run("train", "books/p.png", "-o", "model", "--architecture", "ngram")
        assert result.exit_code == 1
        assert "'books/p.png' is a PNG picture, not text; give text files only" in result.stderr

    def test_by_the_library(self, books: Path, caplog: pytest.LogCaptureFixture) -> None:
        expected = "'books/w.txt' is not in utf-8: it was read as cp1252"
        with caplog.at_level(logging.INFO, "textforge"):
            generator = textforge.train("books", architecture="ngram", progress=False)
        assert caplog.messages.count(expected) == 1
        assert generator.evaluate("books").notes == (expected,)
        assert generator.evaluate("books").to_json()["notes"] == [expected]
        assert generator.evaluate("books/u00.txt").notes == ()
