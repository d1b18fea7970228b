"""Compressed files and archives, read as the texts that they hold."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textforge.components.spec import parse_spec
from textforge.corpora import compression
from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.compression import decompress
from textforge.corpora.files import FilesCorpus
from textforge.corpora.resolve import resolve_corpora
from textforge.errors import CorpusError
from textforge.plugins.registry import Plugins

TEXT = "It is déjà vu, 日本語.\r\n" * 2000
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1"


def compress_zstd(data: bytes) -> bytes:
    return bytes(pytest.importorskip("zstandard").ZstdCompressor(write_checksum=True).compress(data))


COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": compress_zstd,
}
SUFFIX = {"gzip": "gz", "bzip2": "bz2", "xz": "xz", "zstd": "zst"}
each_compression = pytest.mark.parametrize("kind", COMPRESS)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def text_of(*paths: str, **options: str) -> str:
    return "".join(FilesCorpus(paths, **options).read())


def error_of(*paths: str, **options: str) -> str:
    with pytest.raises(CorpusError) as caught:
        text_of(*paths, **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def write_zip(name: str, members: Mapping[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(name, "w", method) as archive:
        for member, data in members.items():
            archive.writestr(member, data)


class TestCompressed:
    @each_compression
    def test_a_file_is_read_as_what_it_has(self, kind: str) -> None:
        name = f"a.txt.{SUFFIX[kind]}"
        Path(name).write_bytes(COMPRESS[kind](TEXT.encode()))
        corpus = FilesCorpus([name])
        assert corpus.rereadable
        for _ in range(2):
            assert "".join(corpus.read()) == TEXT.replace("\r\n", "\n")

    @each_compression
    @given(data=st.data())
    def test_parts_behind_one_another_however_they_are_cut(self, kind: str, data: st.DataObject) -> None:
        texts = data.draw(st.lists(st.binary(max_size=2000), min_size=1, max_size=4))
        padding = b"\0" * data.draw(st.integers(0, 2)) * 4
        whole = b"".join(COMPRESS[kind](text) + padding for text in texts)
        size = data.draw(st.integers(1, len(whole)))
        pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compression, "_PIECE_BYTES", data.draw(st.integers(1, 50)))
            assert b"".join(decompress(pieces, kind, "a")) == b"".join(texts)

    @each_compression
    def test_a_file_cut_short_is_named(self, kind: str) -> None:
        whole = COMPRESS[kind](os.urandom(3000).hex().encode())
        for cut in (12, len(whole) // 2, len(whole) - 1):
            Path("a").write_bytes(whole[:cut])
            assert error_of("a") == f"'a' is cut short: its {kind} data ends too early; get the whole file"

    @each_compression
    def test_a_damaged_file_is_named(self, kind: str) -> None:
        whole = bytearray(COMPRESS[kind](os.urandom(3000).hex().encode()))
        whole[len(whole) // 2 : len(whole) // 2 + 20] = bytes(20)
        Path("a").write_bytes(whole)
        message = error_of("a")
        assert message.startswith(("'a' is damaged: its ", "'a' is cut short: "))

    def test_what_follows_the_last_part_and_is_none(self) -> None:
        Path("a").write_bytes(gzip.compress(b"It is.") + b"nonsense")
        assert error_of("a").startswith("'a' is damaged: its gzip data can't be decompressed (Error -3")

    @each_compression
    def test_the_encoding_is_found_in_what_it_has(self, kind: str) -> None:
        Path("w").write_bytes(COMPRESS[kind](b"It\x92s na\xefve.\n"))
        Path("u").write_bytes(COMPRESS[kind]("It’s naïve.\n".encode("utf-16")))
        corpus = FilesCorpus(["w", "u"])
        assert "".join(corpus.read()) == f"It’s naïve.\n{END_OF_TEXT}" * 2
        assert list(corpus.notes()) == [
            "'w' is not in utf-8: it was read as cp1252",
            "'u' is not in utf-8: it was read as utf-16",
        ]

    def test_bad_bytes_are_told_by_where_they_are_in_what_it_has(self) -> None:
        Path("a.gz").write_bytes(gzip.compress("é".encode() * 500_000 + b"\xff" + b"a" * 10))
        message = error_of("a.gz")
        assert message.startswith("'a.gz' is in utf-8, but byte 1000000 is 0xff, invalid start byte; mend it, or")
        assert message.endswith("files:paths=a.gz,errors=replace")
        assert text_of("a.gz", errors="ignore") == "é" * 500_000 + "a" * 10

    def test_a_tar_and_a_picture_within_are_refused(self) -> None:
        Path("a.gz").write_bytes(gzip.compress(PNG))
        assert error_of("a.gz") == "'a.gz' is a PNG picture, not text; give text files only"
        Path("a.tar.gz").write_bytes(gzip.compress(b"a".ljust(257, b"\0") + b"ustar".ljust(255, b"\0")))
        assert error_of("a.tar.gz") == "'a.tar.gz' is a tar archive, not text; give text files only"

    def test_a_suffix_alone_says_nothing(self) -> None:
        Path("a.gz").write_text("BZh9 is how a file begins")
        assert text_of("a.gz") == "BZh9 is how a file begins"

    def test_in_a_folder(self) -> None:
        Path("f").mkdir()
        Path("f/a.gz").write_bytes(gzip.compress(b"one"))
        Path("f/b.xz").write_bytes(lzma.compress(PNG))
        Path("f/c.txt").write_text("three")
        corpus = FilesCorpus(["f"])
        assert "".join(corpus.read()) == f"one{END_OF_TEXT}three{END_OF_TEXT}"
        assert list(corpus.notes()) == [
            "left out 1 of the 3 files in 'f', which is no text: 'f/b.xz' (a PNG picture)",
        ]

    def test_through_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(gzip.compress(b"by input"))))
        assert text_of("-") == "by input"

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
    def test_through_a_named_pipe(self) -> None:
        os.mkfifo("pipe")
        writer = threading.Thread(target=Path("pipe").write_bytes, args=(gzip.compress(b"by pipe"),))
        writer.start()
        corpus = FilesCorpus(["pipe"])
        assert not corpus.rereadable
        assert "".join(corpus.read()) == "by pipe"
        writer.join()

    def test_zstandard_may_be_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("a.zst").write_bytes(b"\x28\xb5\x2f\xfd\0\0")
        monkeypatch.setitem(sys.modules, "zstandard", None)
        assert error_of("a.zst") == (
            "'a.zst' is compressed by zstd, and the package zstandard is not installed: "
            "run `pip install 'textforge-lm[zst]'`, or decompress it first"
        )


class TestBombs:
    @each_compression
    def test_memory_stays_bounded(self, kind: str) -> None:
        data = COMPRESS[kind](b"a" * 40_000_000)
        tracemalloc.start()
        assert sum(map(len, decompress([data], kind, "a"))) == 40_000_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20_000_000

    @pytest.mark.parametrize("kind", ["bzip2", "xz", "zstd"])
    def test_what_expands_a_thousand_times_is_refused(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compression, "FREE_BYTES", 1 << 20)
        Path("a").write_bytes(COMPRESS[kind](b"a" * 1_000_000))
        assert text_of("a") == "a" * 1_000_000
        Path("a").write_bytes(COMPRESS[kind](b"a" * 5_000_000))
        assert error_of("a") == (
            "'a' expands to more than 1,000 times its size, as no text does; if it is one, decompress it and give the "
            "file that comes out"
        )

    def test_a_member_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compression, "FREE_BYTES", 1 << 20)
        write_zip("a.zip", {"a.txt": b"a" * 5_000_000})
        assert error_of("a.zip").startswith("'a.zip/a.txt' expands to more than 1,000 times its size")


class TestArchives:
    def test_each_member_that_is_text_is_a_document(self) -> None:
        write_zip(
            "books.zip",
            {
                "b/two.txt": "zwei",
                "a.png": PNG,
                "b/": "",
                "one.txt": "été".encode("cp1252"),
                "__MACOSX/x": "y",
                ".z": "z",
            },
        )
        corpus = FilesCorpus(["books.zip"])
        assert corpus.rereadable
        for _ in range(2):
            assert "".join(corpus.read()) == f"zwei{END_OF_TEXT}été{END_OF_TEXT}"
        assert list(corpus.notes()) == [
            "left out 1 of the 3 files in 'books.zip', which is no text: 'books.zip/a.png' (a PNG picture)",
            "'books.zip/one.txt' is not in utf-8: it was read as cp1252",
        ]

    def test_a_member_by_itself(self) -> None:
        write_zip("books.zip", {"a/one.txt": "eins", "two.txt": "zwei", "x.png": PNG})
        assert text_of("books.zip/a/one.txt") == "eins"
        assert text_of("books.zip/two.txt", "books.zip/a/one.txt") == f"zwei{END_OF_TEXT}eins{END_OF_TEXT}"
        assert resolve_corpora("books.zip/a/one.txt", Plugins(sources=[])) == [FilesCorpus(("books.zip/a/one.txt",))]
        assert error_of("books.zip/x.png") == "'books.zip/x.png' is a PNG picture, not text; give text files only"
        assert error_of("books.zip/two.tx") == "there is no file 'two.tx' in 'books.zip'; did you mean 'two.txt'?"

    def test_advice_for_a_member_can_be_followed(self) -> None:
        write_zip("books.zip", {"a.txt": "Zażółć gęślą jaźń".encode("cp1250"), "b.txt": b"b"})
        spec = error_of("books.zip").split("perhaps as ")[1].split(" (or")[0].split(", or convert")[0]
        assert spec.startswith("files:paths=books.zip/a.txt,encoding=")
        assert "".join(parse_spec(spec).build(FilesCorpus).read())

    def test_in_a_folder_and_by_pattern(self) -> None:
        Path("f").mkdir()
        write_zip("f/b.ZIP", {"x.txt": "x", "y.png": PNG})
        Path("f/a.txt").write_text("a")
        for path in ("f", "f/*"):
            corpus = FilesCorpus([path])
            assert "".join(corpus.read()) == f"a{END_OF_TEXT}x{END_OF_TEXT}"
            assert list(corpus.notes()) == [
                f"left out 1 of the 3 files in {path!r}, which is no text: 'f/b.ZIP/y.png' (a PNG picture)",
            ]

    def test_many_members_are_read_from_one_opening(self, monkeypatch: pytest.MonkeyPatch) -> None:
        write_zip("a.zip", {f"{number:04}.txt": "x" for number in range(2000)})
        opened = []
        real = zipfile.ZipFile
        monkeypatch.setattr(zipfile, "ZipFile", lambda file: opened.append(file) or real(file))
        assert text_of("a.zip") == f"x{END_OF_TEXT}" * 2000
        assert len(opened) == 1

    def test_encrypted_members_are_left_out(self) -> None:
        write_zip("a.zip", {"a.txt": "a", "b.txt": "b"})
        data = Path("a.zip").read_bytes()
        at = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1) + 8  # the flags of the second member in the directory
        Path("a.zip").write_bytes(data[:at] + b"\1\0" + data[at + 2 :])
        corpus = FilesCorpus(["a.zip"])
        assert "".join(corpus.read()) == "a"
        assert list(corpus.notes()) == [
            "left out 1 of the 2 files in 'a.zip', which is no text: 'a.zip/b.txt' (an encrypted file)"
        ]
        assert error_of("a.zip/b.txt") == "'a.zip/b.txt' is an encrypted file; unpack it first"
        assert error_of("a.zip", errors="replace") == "'a.zip/b.txt' is an encrypted file; unpack it first"

    def test_methods_that_can_not_be_bounded_are_left_out(self) -> None:
        write_zip("a.zip", {"a.txt": "a"}, zipfile.ZIP_BZIP2)
        assert error_of("a.zip") == (
            "the archive 'a.zip' has no text: it has 'a.zip/a.txt' (a file compressed by method 12 of ZIP); "
            "name another archive"
        )

    def test_empty_files_are_no_documents(self) -> None:
        write_zip("a.zip", {"a.txt": "", "b.txt": "b"})
        Path("c.gz").write_bytes(gzip.compress(b""))
        assert text_of("a.zip", "c.gz") == f"b{END_OF_TEXT}"
        assert text_of("c.gz") == ""

    def test_an_archive_of_nothing(self) -> None:
        write_zip("a.zip", {})
        assert error_of("a.zip").startswith("'a.zip' has no files, hidden ones aside; ")

    def test_a_damaged_archive(self) -> None:
        write_zip("a.zip", {"a.txt": os.urandom(500).hex()})
        data = Path("a.zip").read_bytes()
        Path("a.zip").write_bytes(data[:100])
        assert error_of("a.zip") == "'a.zip' can't be unpacked: File is not a zip file; get it anew"
        Path("a.zip").write_bytes(data[:100] + b"xxxxxxxx" + data[108:])
        assert error_of("a.zip").startswith("'a.zip/a.txt' can't be unpacked: ")

    def test_a_member_of_a_kind_that_nothing_writes(self) -> None:
        write_zip("a.zip", {"a.txt": "It is."})
        data = bytearray(Path("a.zip").read_bytes())
        data[data.index(b"PK\1\2") + 8] = 0x20  # patched data
        Path("a.zip").write_bytes(data)
        assert error_of("a.zip") == (
            "'a.zip/a.txt' can't be unpacked: compressed patched data (flag bit 5); get it anew"
        )

    def test_office_documents_are_no_archives(self) -> None:
        write_zip("a.docx", {"word/document.xml": "<a/>"})
        assert error_of("a.docx") == (
            "'a.docx' is a ZIP archive, an office document or an e-book, not text; read it by docx:…, which the plugin "
            "textforge-documents brings"
        )
