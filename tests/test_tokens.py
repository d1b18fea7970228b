"""The token file: whole in every way, small in memory, and gone afterwards."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import textforge
from textforge.corpora import scratch, tokens
from textforge.corpora.base import END_OF_TEXT, Corpus
from textforge.corpora.files import FilesCorpus
from textforge.corpora.record import CorpusRecord
from textforge.corpora.tokens import token_file
from textforge.encoders.base import Encoder
from textforge.encoders.char import CharEncoder
from textforge.errors import CorpusError, EncodingError

TEXT = st.text(st.sampled_from("abc \né😀\ud800" + END_OF_TEXT))
WRITTEN = TEXT.filter(lambda text: text.strip(END_OF_TEXT))
CHUNKS = st.lists(TEXT).filter(lambda chunks: "".join(chunks).strip(END_OF_TEXT))
PIECES = st.integers(1, 7)


class Scripted(Corpus):
    """The chunks it is given; `once`: it can't be read twice."""

    name = "scripted"
    chunks: tuple[str, ...] = textforge.option(help="What it reads.")
    once: bool = textforge.option(default=False, help="Whether it can be read once only.")
    readings: list = textforge.learned(default=None)

    @property
    def rereadable(self):
        return not self.once

    def read(self):
        if self.readings is not None:
            self.readings.append(self)
        yield from self.chunks


class Changing(Corpus):
    """Another text at every reading."""

    name = "changing"
    texts: list = textforge.learned()

    def read(self):
        yield self.texts.pop(0)


class Pairs(Encoder):
    """Two letters are a token, from the beginning on; a space ends a word, and the last letter may be alone."""

    name = "pairs"
    pairs: dict = textforge.learned(default=None)

    @property
    def vocabulary_size(self):
        return len(self.pairs or ())

    @staticmethod
    def _split(text):
        words = text.replace(" ", " \0").split("\0")
        return [word[at : at + 2] for word in words for at in range(0, len(word), 2)]

    def fit(self, chunks):
        return self.replace(pairs={pair: id for id, pair in enumerate(sorted(set(self._split("".join(chunks)))))})

    def cut(self, text):
        return text.rfind(" ") + 1

    def encode(self, text, *, unknown="error"):
        return np.array([self.pairs[pair] for pair in self._split(text)], dtype=np.int64)

    def decode(self, ids):
        texts = list(self.pairs)
        return "".join(texts[id] for id in ids)


@pytest.fixture
def pieces(monkeypatch):
    monkeypatch.setattr(tokens, "PIECE", 3)
    monkeypatch.setattr(scratch, "PIECE", 3)


def error_of(corpora, encoder=None, folder=None, kind=CorpusError, **keywords):
    with pytest.raises(kind) as caught, token_file(corpora, encoder or CharEncoder(), folder, **keywords):
        pass
    message = str(caught.value)
    assert "\n" not in message
    return message


def sha256(text):
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def joined(texts):
    if len(texts) == 1:
        return texts[0]
    return "".join(text if text.endswith(END_OF_TEXT) else text + END_OF_TEXT for text in texts)


@pytest.mark.parametrize("encoder", [CharEncoder(), Pairs()])
@given(corpora=st.lists(CHUNKS, min_size=1, max_size=3), once=st.booleans(), size=PIECES)
def test_it_is_what_the_whole_text_encodes_as(encoder, corpora, once, size):
    texts = ["".join(chunks) for chunks in corpora]
    whole = joined(texts)
    scripted = [Scripted(chunks, once) for chunks in corpora]
    patch = pytest.MonkeyPatch()
    patch.setattr(tokens, "PIECE", size)
    patch.setattr(scratch, "PIECE", size)
    try:
        with token_file(scripted, encoder) as file:
            assert file.encoder == encoder.fit([whole])
            assert file.tokens.tolist() == file.encoder.encode(whole).tolist()
            assert [record.sha256 for record in file.corpora] == [sha256(text) for text in texts]
            assert [record.characters for record in file.corpora] == [len(text) for text in texts]
            assert [record.spec for record in file.corpora] == [corpus.spec for corpus in scripted]
    finally:
        patch.undo()


@pytest.mark.parametrize("unknown", ["error", "skip"])
@given(corpora=st.lists(CHUNKS, min_size=1, max_size=3), size=PIECES)
def test_a_fitted_encoder_stays_as_it_is(unknown, corpora, size):
    whole = joined(["".join(chunks) for chunks in corpora])
    fitted = CharEncoder().fit([whole, "xyz"])
    patch = pytest.MonkeyPatch()
    patch.setattr(tokens, "PIECE", size)
    patch.setattr(scratch, "PIECE", size)
    try:
        with token_file([Scripted(chunks) for chunks in corpora], fitted, learning="nothing", unknown=unknown) as file:
            assert file.encoder is fitted
            assert fitted.decode(file.tokens) == whole
    finally:
        patch.undo()


class TestReading:
    def test_twice_to_fit_and_once_for_a_fitted_encoder(self):
        for once, fitted, expected in ((False, False, 2), (True, False, 1), (False, True, 1), (True, True, 1)):
            readings = []
            corpus = Scripted(["ab"], once, readings=readings)
            encoder = CharEncoder().fit(["ab"]) if fitted else CharEncoder()
            with token_file([corpus], encoder, learning="nothing" if fitted else "fit"):
                assert len(readings) == expected

    def test_an_encoder_that_needs_no_text_gets_its_records_all_the_same(self):
        class Alphabet(CharEncoder):
            name = "alphabet"

            def fit(self, chunks):
                next(iter(chunks))
                return self.replace(vocabulary="abc")

        with token_file([Scripted(["a", "b", "c"])], Alphabet()) as file:
            assert file.tokens.tolist() == [0, 1, 2]
            assert file.corpora == (CorpusRecord('scripted:chunks=["a", "b", "c"]', sha256("abc"), 3),)

    def test_no_second_mark_at_the_end(self):
        with token_file([Scripted(["a" + END_OF_TEXT]), Scripted(["b"])], CharEncoder()) as file:
            assert file.encoder.decode(file.tokens) == f"a{END_OF_TEXT}b{END_OF_TEXT}"

    def test_a_long_text_without_a_place_to_cut_is_not_searched_again_and_again(self, pieces):
        asked = []

        class Stubborn(CharEncoder):
            name = "stubborn"

            def cut(self, text):
                asked.append(len(text))
                return 0

        text = "ab" * 5000
        with token_file([Scripted([text])], Stubborn()) as file:
            assert file.encoder.decode(file.tokens) == text
        assert sum(asked) < 3 * len(text)

    @pytest.mark.parametrize(("size", "dtype"), [(2, "uint8"), (256, "uint8"), (257, "uint16"), (65537, "uint32")])
    def test_the_smallest_type_that_holds_the_ids(self, size, dtype):
        text = "".join(map(chr, range(size)))
        with token_file([Scripted([text])], CharEncoder()) as file:
            assert file.tokens.dtype == dtype
            assert np.array_equal(file.tokens, np.arange(size))

    def test_the_tokens_are_mapped_and_read_only(self):
        with token_file([Scripted(["ab"])], CharEncoder()) as file:
            assert isinstance(file.tokens.base, np.memmap)
            with pytest.raises(ValueError, match="read-only"):
                file.tokens[0] = 1


class TestErrors:
    def test_no_corpus(self):
        assert error_of([]).startswith("there is no corpus to read; ")

    @pytest.mark.parametrize("chunks", [[], ["", ""], [END_OF_TEXT, END_OF_TEXT]])
    @pytest.mark.parametrize("once", [False, True])
    @pytest.mark.parametrize("fitted", [False, True])
    def test_an_empty_corpus(self, chunks, once, fitted):
        encoder = CharEncoder().fit(["a" + END_OF_TEXT])
        message = error_of([Scripted(["a"]), Scripted(chunks, once)], encoder, learning="nothing" if fitted else "fit")
        assert message.startswith("the corpus scripted:")
        assert message.endswith("is empty; give one that has text")

    def test_an_empty_file(self, tmp_path):
        (tmp_path / "empty.txt").write_text("")
        assert "empty.txt" in error_of([FilesCorpus([str(tmp_path / "empty.txt")])])

    def test_spaces_are_a_text(self):
        with token_file([Scripted([" \n"])], CharEncoder()) as file:
            assert len(file.tokens) == 2

    @pytest.mark.parametrize("second", ["abd", "abca", "", "xyz", "xbc" * 99])
    def test_a_corpus_that_changes(self, second, pieces):
        message = error_of([Changing(texts=["abc", second])])
        assert message in (
            "the corpus changing changed while it was read; try again",
            "the corpus changing is empty; give one that has text",
        )

    def test_a_corpus_that_changes_behind_another(self, pieces):
        assert "changed" in error_of([Scripted(["abc"]), Changing(texts=["abc", "xyz"]), Scripted(["abc"])])

    def test_unknown_text(self):
        encoder = CharEncoder().fit(["abc"])
        message = error_of([Scripted(["abcé"])], encoder, kind=EncodingError, learning="nothing")
        assert "lacks 'é' (U+00E9 LATIN SMALL LETTER E WITH ACUTE)" in message
        with token_file([Scripted(["abcé"])], encoder, learning="nothing", unknown="skip") as file:
            assert file.tokens.tolist() == [0, 1, 2]

    def test_nothing_known(self):
        encoder = CharEncoder().fit(["abc"])
        message = error_of([Scripted(["xyz"])], encoder, learning="nothing", unknown="skip")
        assert message.startswith("nothing of the corpus is in the vocabulary; ")

    def test_not_fitted(self):
        message = error_of([Scripted(["xyz"])], kind=EncodingError, learning="nothing")
        assert message.startswith("the encoder char has no vocabulary yet")

    def test_bytes_for_text(self):
        assert error_of([Changing(texts=[b"bytes"])]) == "the corpus changing gave bytes instead of text"

    def test_an_encoder_that_learns_nothing(self):
        class Idle(CharEncoder):
            name = "idle"

            def fit(self, chunks):
                return self

        assert "the encoder idle found nothing to learn" in error_of([Scripted(["a"])], Idle(), kind=EncodingError)

    @pytest.mark.parametrize("id", [-1, 3])
    def test_an_encoder_that_breaks_its_contract(self, id):
        class Broken(CharEncoder):
            name = "broken"

            def encode(self, text, *, unknown="error"):
                return np.full(len(text), id)

        message = error_of([Scripted(["abc"])], Broken(), kind=EncodingError)
        assert message == "the encoder broken gave an id outside 0 to 2: it breaks its contract; tell its author"

    def test_what_goes_wrong_while_it_is_used_is_not_its_affair(self):
        with pytest.raises(OSError, match="elsewhere"), token_file([Scripted(["a"])], CharEncoder()):
            raise OSError("elsewhere")


class TestDisk:
    def test_nothing_is_left_behind(self, tmp_path):
        with token_file([Scripted(["ab"], True)], CharEncoder(), tmp_path) as file:
            if os.name == "posix":
                assert list(tmp_path.iterdir()) == []
            kept = file.tokens
        assert list(tmp_path.iterdir()) == []
        assert kept.tolist() == [0, 1]

    @pytest.mark.parametrize("once", [False, True])
    def test_nothing_is_left_behind_by_an_error(self, tmp_path, once):
        error_of([Scripted(["ab"], once), Scripted([])], folder=tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_it_lies_in_the_folder(self, tmp_path, monkeypatch):
        folders = []
        real = tempfile.TemporaryFile
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **how: folders.append(how["dir"]) or real(**how))
        with token_file([Scripted(["ab"], True)], CharEncoder(), tmp_path):
            assert folders == [tmp_path, tmp_path]

    def test_a_folder_that_is_not_there(self, tmp_path):
        message = error_of([Scripted(["ab"])], folder=tmp_path / "nowhere")
        assert message.startswith("can't write the corpus's tokens into ")
        assert "nowhere" in message

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
    @pytest.mark.parametrize("once", [False, True])
    def test_a_full_disk(self, tmp_path, monkeypatch, once):
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **how: io.FileIO("/dev/full", "r+"))
        message = error_of([Scripted(["ab"], once)], folder=tmp_path)
        assert message == (
            f"can't write the corpus's tokens into {str(tmp_path)!r}: No space left on device; "
            "free some space, or choose another folder"
        )

    @pytest.mark.skipif(os.name != "posix", reason="limits on the size of files are POSIX's")
    def test_a_disk_that_fills_up_on_the_way(self, tmp_path):
        program = (
            "import resource, sys; from pathlib import Path; resource.setrlimit(resource.RLIMIT_FSIZE, (99999, 99999));"
            "from textforge.corpora.python_docs import PythonDocsCorpus as P;"
            "from textforge.encoders.char import CharEncoder as C; from textforge.corpora.tokens import token_file\n"
            "try:\n    with token_file([P()], C(), Path(sys.argv[1])): pass\n"
            "except Exception as error: print(type(error).__name__, error)"
        )
        done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
        assert done.stderr == ""
        assert done.stdout.startswith("CorpusError can't write the corpus's tokens into ")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(os.name != "posix", reason="elsewhere a killed run leaves its file to the system")
    def test_a_killed_run_leaves_nothing(self, tmp_path):
        program = (
            "import os, signal, sys; from pathlib import Path;"
            "from textforge.corpora.python_docs import PythonDocsCorpus as P;"
            "from textforge.encoders.char import CharEncoder as C; from textforge.corpora.tokens import token_file\n"
            "with token_file([P()], C(), Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
        )
        done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True)
        assert done.returncode == -9
        assert list(tmp_path.iterdir()) == []


class Generated(Corpus):
    """So many chunks, made as they are read."""

    name = "generated"
    count: int = textforge.option(default=300, help="How many.")
    once: bool = textforge.option(default=False, help="Whether it can be read once only.")

    @property
    def rereadable(self):
        return not self.once

    def read(self):
        chunk = "It is a truth universally acknowledged. " * 1700
        for _ in range(self.count):
            yield chunk + ""


@pytest.mark.parametrize("corpus", [Generated(), Generated(once=True), Generated(count=3)])
def test_memory_does_not_grow_with_the_corpus(corpus, tmp_path):
    tracemalloc.start()
    try:
        with token_file([corpus], CharEncoder(), tmp_path) as file:
            assert len(file.tokens) == corpus.count * 68_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_memory_of_a_big_file(tmp_path):
    big = tmp_path / "big.txt"
    big.write_text("It is a truth, É. " * 1_100_000, encoding="utf-8")
    tracemalloc.start()
    try:
        with token_file([FilesCorpus([str(big)], lowercase=True)], CharEncoder(), tmp_path) as file:
            assert file.encoder.vocabulary == " ,.ahirstué"
            assert len(file.tokens) == 18 * 1_100_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
