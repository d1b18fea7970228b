"""Text to ids and back, by what was learnt and by tokenizers of other kinds."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizer_samples import KINDS
from tokenizers import Tokenizer, decoders

from textforge.corpora.base import END_OF_TEXT
from textforge.errors import EncodingError
from textforge.testing.texts import HARD_TEXTS
from textforge_tokenizers import BPEEncoder
from textforge_tokenizers._cutting import PIECE

TEXTS = (
    st.text()
    | st.text(st.sampled_from("aé漢😀\0\n\U0010ffff \t'rev\u0301\u00a0\x1c\x85.1" + END_OF_TEXT))
    | st.lists(st.sampled_from(["don't", " ", "\n", "the", "'r", "'", "e", "<|endof", "text|>", "[MASK]"])).map("".join)
)
TRAINED = BPEEncoder(400).fit([part for text in HARD_TEXTS for part in (text, END_OF_TEXT)])
ONE_DOCUMENT = BPEEncoder(400).fit(["".join(HARD_TEXTS)])
every_kind = pytest.mark.parametrize("kind", KINDS)


@functools.cache
def of_file(kind):
    """An encoder with the tokenizer of a kind, as its file would have it."""
    tokenizer = KINDS[kind]()
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return BPEEncoder(tokenizer=tokenizer.to_str())


@given(text=TEXTS)
def test_every_text_comes_back(text):
    for encoder in (TRAINED, ONE_DOCUMENT, of_file("gpt-2"), of_file("llama-3")):
        assert not encoder.lossy
        ids = encoder.encode(text)
        assert ids.dtype == np.int64
        assert encoder.decode(ids) == text


@given(text=TEXTS)
def test_the_ids_are_the_library_s_own(text):
    theirs = Tokenizer.from_str(TRAINED.tokenizer)
    assert TRAINED.encode(text).tolist() == theirs.encode(text, add_special_tokens=False).ids


@every_kind
@pytest.mark.parametrize("text", [" ".join(HARD_TEXTS[:5] + HARD_TEXTS[9:]) * 50, "a" * 2 * PIECE + " b" * 9])
def test_long_texts_are_encoded_as_the_library_does(kind, text):
    encoder = of_file(kind)
    theirs = Tokenizer.from_str(encoder.tokenizer).encode(text, add_special_tokens=False)
    assert len(text) > PIECE
    assert encoder.encode(text).tolist() == theirs.ids


@given(text=TEXTS, more=TEXTS)
@pytest.mark.parametrize("encoder", [TRAINED, ONE_DOCUMENT], ids=["documents", "one-document"])
def test_a_text_is_cut_where_nothing_reaches_across(encoder, text, more):
    cut = encoder.cut(text)
    parts = [*encoder.encode(text[:cut]), *encoder.encode(text[cut:] + more)]
    assert parts == encoder.encode(text + more).tolist()


@given(text=TEXTS, more=TEXTS)
@every_kind
def test_a_text_is_cut_where_no_tokenizer_reaches_across(kind, text, more):
    encoder = of_file(kind)
    cut = encoder.cut(text)
    parts = [
        *encoder.encode(text[:cut], unknown="skip"),
        *encoder.encode(text[cut:] + more, unknown="skip"),
    ]
    assert parts == encoder.encode(text + more, unknown="skip").tolist()


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("The quic", 3),
        ("The quick ", 9),
        ("one,two", 4),
        ("speaker:\nText", 9),
        ("two\n\nText", 4),
        ("they'r", 4),
        ("they're", 4),
        (f"a b{END_OF_TEXT}c", 4),
        ("日本語", 0),
        ("", 0),
    ],
)
def test_a_text_is_cut_late(text, cut):
    assert TRAINED.cut(text) == cut


@given(data=st.data())
@every_kind
def test_decoding_as_ids_come_is_decoding_at_once(kind, data):
    encoder = of_file(kind)
    ids = data.draw(
        st.lists(st.integers(0, encoder.vocabulary_size - 1)) | TEXTS.map(lambda text: encode(encoder, text))
    )
    decoder, pieces, at = encoder.decoder(), [], 0
    while at < len(ids):
        size = data.draw(st.integers(1, 4))
        pieces.append(decoder.push(ids[at : at + size]))
        at += size
    assert "".join(pieces) + decoder.finish() == encoder.decode(ids)


def encode(encoder, text):
    return encoder.encode(text, unknown="skip").tolist()


@given(ids=st.lists(st.integers(0, TRAINED.vocabulary_size - 1)))
def test_decoding_puts_bytes_together_as_the_library_does(ids):
    theirs = Tokenizer.from_str(TRAINED.tokenizer)
    documents = [[]]
    for id in ids:
        documents[-1].append(id) if id != TRAINED.end_of_text else documents.append([])
    decoded = [theirs.decode(document, skip_special_tokens=False) for document in documents]
    assert TRAINED.decode(ids) == END_OF_TEXT.join(decoded)


@given(text=TEXTS)
def test_no_half_of_a_character_shows(text):
    decoder, shown = TRAINED.decoder(), ""
    for id in TRAINED.encode(text).tolist():
        shown += decoder.push([id])
        assert text.startswith(shown)
    assert (shown, decoder.finish()) == (text, "")


def test_a_decoder_of_which_nothing_is_known_waits_for_the_end():
    tokenizer = KINDS["xlnet"]()
    tokenizer.decoder = decoders.Sequence([decoders.Metaspace(), decoders.Fuse(), decoders.CTC("<s>")])
    encoder = BPEEncoder(tokenizer=tokenizer.to_str()).replace()
    decoder, ids = encoder.decoder(), encoder.encode("The quick").tolist()
    assert [decoder.push([id]) for id in ids] == [""] * len(ids)
    assert decoder.finish() == encoder.decode(ids) != ""


@pytest.mark.parametrize("id", [-1, TRAINED.vocabulary_size])
def test_ids_that_are_no_tokens(id):
    for action in (lambda: TRAINED.decode([0, id]), lambda: TRAINED.token_text(id)):
        with pytest.raises(EncodingError, match=rf"^there is no token {id}; the ids run from 0 to \d+$"):
            action()


def test_a_lone_surrogate_is_refused_or_left_out():
    message = r"^a lone surrogate, U\+D800 at character 2, is no text: .* leave it out \(unknown='skip'\)$"
    with pytest.raises(EncodingError, match=message):
        TRAINED.encode("ab\ud800c")
    assert TRAINED.decode(TRAINED.encode("ab\ud800c", unknown="skip")) == "abc"
    assert TRAINED.cut("ab \ud800") == 0


@pytest.mark.parametrize("encoder", [TRAINED, of_file("gaps")], ids=["learnt", "gaps"])
@pytest.mark.parametrize("stranger", ["\U0010ffff", "\ud800"])
def test_a_text_is_not_cut_where_something_is_left_out(encoder, stranger):
    text, more = f"a\n\n{stranger}\n\n", "b"
    cut = encoder.cut(text)
    parts = [*encode(encoder, text[:cut]), *encode(encoder, text[cut:] + more)]
    assert parts == encode(encoder, text + more)


def test_bytes_that_no_token_spells():
    encoder = of_file("gaps")
    with pytest.raises(
        EncodingError, match=r"^the tokenizer lacks bytes of '\\U0010ffff' \(U\+10FFFF\); write .* \(unknown='skip'\)$"
    ):
        encoder.encode("a\U0010ffffb")
    assert encoder.decode(encoder.encode("a\U0010ffffb", unknown="skip")) == "ab"


def test_a_mark_for_what_is_unknown_is_never_written():
    encoder = of_file("bert")
    assert encoder.never_generated == (0,)
    assert encoder.encode("a 🧊🧊 b").tolist()[1] == 0
    assert encoder.encode("a 🧊🧊 b", unknown="skip").tolist() == encoder.encode("a b").tolist()
    with pytest.raises(EncodingError, match=r"^the encoder bpe can't learn more than it was fitted to"):
        encoder.grow(["🧊"])
