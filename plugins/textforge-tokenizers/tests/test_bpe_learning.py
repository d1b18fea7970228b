"""Byte-pair encoding that is learnt from a text."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import corpus_path
from tokenizers import Tokenizer

import textforge
from textforge.corpora.base import END_OF_TEXT
from textforge.errors import CorpusError, EncodingError, OptionError
from textforge_tokenizers import BPEEncoder
from textforge_tokenizers._cutting import GPT_2, PIECE, READ, read_pieces

PLAIN = "The quick brown fox jumps over the lazy dog, and doesn't mind.\n\nThe dog didn't either.\n"
TEXTS = st.text(st.sampled_from("a 'rs\n\té漢1." + END_OF_TEXT))


@given(pieces=st.lists(TEXTS, max_size=6))
def test_chunks_and_processes_change_nothing(pieces):
    assert BPEEncoder(300).fit(pieces) == BPEEncoder(300).fit(["".join(pieces)])


def test_a_long_text_is_learnt_alike_however_it_comes():
    text = PLAIN * (3 * READ // len(PLAIN)) + END_OF_TEXT + "漢字、" * READ + END_OF_TEXT
    whole = BPEEncoder(600).fit([text])
    for size in (1000, READ + 1, 5 * READ):
        assert BPEEncoder(600).fit(text[at : at + size] for at in range(0, len(text), size)) == whole


@given(text=TEXTS, size=st.integers(1, 5))
def test_the_pieces_are_the_documents(text, size):
    pieces = list(read_pieces(text[at : at + size] for at in range(0, len(text), size)))
    assert "".join(pieces) == text.replace(END_OF_TEXT, "")


def test_the_pieces_of_a_long_text_are_short():
    pieces = list(read_pieces([PLAIN * 5000]))
    assert "".join(pieces) == PLAIN * 5000
    assert max(map(len, pieces)) < PIECE + len(PLAIN)
    assert all(piece[0] in " \n" for piece in pieces[1:])


def test_memory_is_bounded():
    def read():
        for _ in range(100):
            yield PLAIN * 800  # 7 MB in all

    tracemalloc.start()
    BPEEncoder(300).fit(read())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_500_000


def test_the_merges_are_the_library_s_own():
    from tokenizers import ByteLevelBPETokenizer

    theirs = ByteLevelBPETokenizer()
    theirs.train_from_iterator(PLAIN.splitlines(keepends=True) * 3, 320, min_frequency=2, show_progress=False)
    ours = BPEEncoder(320).fit([PLAIN * 3])
    assert json.loads(ours.tokenizer)["model"]["merges"] == json.loads(theirs.to_str())["model"]["merges"]


@pytest.mark.parametrize("text", [PLAIN * 3, PLAIN * 3 + END_OF_TEXT], ids=["one", "documents"])
def test_the_size_is_that_of_the_whole_vocabulary(text):
    encoder = BPEEncoder(270).fit([text])
    assert encoder.vocabulary_size == 270
    assert encoder.end_of_text == (269 if END_OF_TEXT in text else None)
    without = BPEEncoder(269).fit([PLAIN * 3])
    assert encoder.token_texts[:269] == BPEEncoder(270).fit([PLAIN * 3]).token_texts[:269]
    assert without.token_texts == encoder.token_texts[:269]
    assert Tokenizer.from_str(encoder.tokenizer).get_vocab_size() == 270


def test_a_short_text_has_fewer():
    assert BPEEncoder().fit([]).vocabulary_size == 256
    assert BPEEncoder().fit([PLAIN]).vocabulary_size < 400
    assert BPEEncoder().vocabulary_size == 0
    assert BPEEncoder().end_of_text is None


def test_the_commonest_token():
    encoder = BPEEncoder(258).fit(["ab ab ab z z z z z z z z"])
    assert encoder.token_text(encoder.most_frequent) == " z"


def test_growing_adds_the_end_of_text_alone():
    encoder = BPEEncoder(300).fit([PLAIN * 20])
    assert encoder.grow(["новое"]) == encoder
    grown = encoder.grow(["one", END_OF_TEXT])
    assert (grown.end_of_text, grown.common) == (300, encoder.common)
    assert grown.token_texts[:300] == encoder.token_texts
    assert grown.grow([END_OF_TEXT]) == grown


def test_errors_of_the_corpus_are_its_own():
    def read():
        yield PLAIN
        raise CorpusError("gone")

    with pytest.raises(CorpusError, match=r"^gone$"):
        BPEEncoder(300).fit(read())
    with pytest.raises(EncodingError, match=r"^a lone surrogate, U\+D800 at character 2, is no text"):
        BPEEncoder(300).fit(["ab\ud800c"])


def test_what_is_refused():
    with pytest.raises(OptionError, match=r"^bpe: size must be >= 257, got 256$"):
        BPEEncoder(256)
    with pytest.raises(OptionError, match=r"^bpe: size is for learning, and 'a.json' has a size of its own; leave out"):
        BPEEncoder(300, file="a.json")
    with pytest.raises(EncodingError, match=r"^the encoder bpe needs its tokenizer as text, got 3; fit it again$"):
        BPEEncoder().replace(tokenizer=3)
    with pytest.raises(EncodingError, match=r"^the encoder bpe has no vocabulary yet; fit it to a text first"):
        BPEEncoder().encode("a")


def test_a_prompt_that_ends_inside_a_token_is_gone_on_from(tmp_path):
    text = "The quick brown fox. " * 300
    generator = textforge.train(text=text, encoder="bpe:300", architecture="ngram", seed=1, output=tmp_path / "model")
    again = textforge.load(tmp_path / "model")
    assert " quick" in again.encoder.token_texts
    assert again.generate("The quic", samplers="greedy", max_tokens=3) == "k brown fox"
    assert again.generate("The", samplers="greedy", max_tokens=3) == " quick brown fox"
    assert generator.generate("The quick bro", seed=1, max_tokens=9) == again.generate(
        "The quick bro", seed=1, max_tokens=9
    )
    pieces = list(again.stream("é", seed=3, max_tokens=20))
    assert "".join(pieces) == again.generate("é", seed=3, max_tokens=20)


@settings(max_examples=3, deadline=None)
@given(size=st.integers(300, 1000))
def test_a_real_text(size):
    text = corpus_path("tinyshakespeare.txt").read_text(encoding="utf-8")[: 1 << 18]
    encoder = BPEEncoder(size).fit([text])
    ids = encoder.encode(text)
    assert encoder.vocabulary_size == size
    assert ids.tolist() == Tokenizer.from_str(encoder.tokenizer).encode(text, add_special_tokens=False).ids
    assert encoder.decode(ids) == text
    cut = encoder.cut(text)
    assert len(text) - cut < 20
    assert GPT_2.find_space(text) <= cut
