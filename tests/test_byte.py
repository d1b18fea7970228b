"""The encoder of bytes."""

from __future__ import annotations

import codecs

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ModelMaker

import textforge
from textforge.corpora.base import END_OF_TEXT
from textforge.encoders.byte import BYTES, ByteEncoder
from textforge.errors import EncodingError

TEXTS = st.text() | st.text(st.sampled_from("aé漢😀\0\n\U0010ffff" + END_OF_TEXT))
ENCODER = ByteEncoder().fit(["déjà vu", END_OF_TEXT])
ONE_DOCUMENT = ByteEncoder().fit(["déjà vu"])


class TestFit:
    @given(chunks=st.lists(TEXTS))
    def test_chunks_change_nothing(self, chunks):
        assert ByteEncoder().fit(chunks) == ByteEncoder().fit(["".join(chunks)])

    @given(text=TEXTS)
    def test_the_commonest_byte_and_the_end_of_text(self, text):
        encoder = ByteEncoder().fit([text])
        data = text.replace(END_OF_TEXT, "").encode()
        assert encoder.most_frequent == max(range(BYTES), key=lambda byte: (data.count(bytes([byte])), -byte))
        assert encoder.vocabulary_size == (257 if END_OF_TEXT in text else 256)
        assert encoder.end_of_text == (256 if END_OF_TEXT in text else None)

    def test_nothing_is_learnt_from_nothing(self):
        assert ByteEncoder().vocabulary_size == 0
        assert ByteEncoder().fit([]).vocabulary_size == 256

    def test_growing_adds_the_end_of_text_alone(self):
        assert ONE_DOCUMENT.grow(["новое"]) == ONE_DOCUMENT
        grown = ONE_DOCUMENT.grow(["one", END_OF_TEXT])
        assert (grown.end_of_text, grown.common) == (256, ONE_DOCUMENT.common)
        assert grown.grow(["more"]) == grown

    @pytest.mark.parametrize(("size", "common"), [(255, 0), ("256", 0), (256, 256), (257, -1), (256, "a")])
    def test_an_edited_one_is_refused(self, size, common):
        with pytest.raises(EncodingError, match=r"^the encoder byte has 256 tokens, or 257, got .*; fit it again$"):
            ByteEncoder().replace(size=size, common=common)


class TestCoding:
    @given(text=TEXTS)
    def test_the_ids_are_the_bytes_of_utf_8(self, text):
        ids = ENCODER.encode(text)
        assert ids.dtype == np.int64
        parts = text.split(END_OF_TEXT)
        assert bytes(id for id in ids if id < BYTES) == "".join(parts).encode()
        assert (ids == BYTES).sum() == len(parts) - 1

    @given(text=TEXTS)
    def test_every_text_comes_back(self, text):
        for encoder in (ENCODER, ONE_DOCUMENT):
            assert encoder.decode(encoder.encode(text)) == text
            assert encoder.decode(encoder.encode(text).tolist()) == text
            assert encoder.cut(text) == len(text)

    @given(data=st.data(), ids=st.lists(st.integers(0, BYTES)))
    def test_decoding_as_ids_come_is_decoding_at_once(self, data, ids):
        decoder, pieces, at = ENCODER.decoder(), [], 0
        while at < len(ids):
            size = data.draw(st.integers(1, 4))
            pieces.append(decoder.push(ids[at : at + size]))
            at += size
        assert "".join(pieces) + decoder.finish() == ENCODER.decode(ids)

    @given(text=TEXTS)
    def test_no_half_of_a_character_shows(self, text):
        decoder, shown = ENCODER.decoder(), ""
        for id in ENCODER.encode(text).tolist():
            shown += decoder.push([id])
            assert text.startswith(shown)
        assert (shown, decoder.finish()) == (text, "")

    @given(data=st.binary())
    def test_what_is_no_utf_8_decodes_as_python_has_it(self, data):
        assert ENCODER.decode(list(data)) == codecs.decode(data, "utf-8", "replace")

    @pytest.mark.parametrize("id", [-1, 257])
    def test_ids_that_are_no_tokens(self, id):
        with pytest.raises(EncodingError, match=rf"^there is no token {id}; the ids run from 0 to 256$"):
            ENCODER.decode([0, id])

    def test_a_lone_surrogate_is_refused_or_left_out(self):
        message = r"^a lone surrogate, U\+D800 at character 2, is no text: .* leave it out \(unknown='skip'\)$"
        for action in (lambda: ENCODER.encode("ab\ud800c"), lambda: ByteEncoder().fit(["ab\ud800c"])):
            with pytest.raises(EncodingError, match=message):
                action()
        assert ENCODER.decode(ENCODER.encode("ab\ud800c", unknown="skip")) == "abc"

    def test_what_it_learnt_in_another_script_prompts_it(self, tmp_path):
        generator = textforge.train(
            text="日本語の文。\n" * 200, encoder="byte", architecture="ngram", seed=1, output=tmp_path / "model"
        )
        again = textforge.load(tmp_path / "model")
        assert again.generate("日本", seed=1, max_tokens=30) == generator.generate("日本", seed=1, max_tokens=30)
        assert again.generate("日本", samplers="greedy", max_tokens=9) == "語の文"
        assert isinstance(again.generate("Ωmega", seed=1, max_tokens=30), str)  # nothing is unknown
        pieces = list(again.stream("日本", samplers="greedy", max_tokens=10))
        assert "".join(pieces) == "語の文\ufffd"
        assert "\ufffd" not in "".join(pieces[:-1])


def test_a_model_of_random_bytes_writes_text():
    model = ModelMaker("numpy", "lstm").create(257)
    text = textforge.TextGenerator(model, ENCODER).generate("a", seed=1, max_tokens=100)
    assert text
    text.encode()
