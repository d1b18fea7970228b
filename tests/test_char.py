"""The encoder of characters."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import PieceEncoder

from textforge.components.component import option
from textforge.corpora.base import END_OF_TEXT
from textforge.encoders import characters
from textforge.encoders.char import CharEncoder
from textforge.errors import EncodingError

SHAKESPEARE = Path(__file__).parent.parent.parent / "shared" / "data" / "tinyshakespeare.txt"
ANY = st.text(st.characters(exclude_categories=()), min_size=1)
MIXED = st.text(st.sampled_from("abA \n\0é\u0301漢😀\U0010ffff\ud800\udc00" + END_OF_TEXT), min_size=1)
TEXTS = ANY | MIXED


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Pieces small enough for texts of tests to have several."""
    monkeypatch.setattr(characters, "PIECE", 5)


def encoder_of(*chunks):
    return CharEncoder().fit(chunks)


def error_of(action):
    with pytest.raises(EncodingError) as caught:
        action()
    message = str(caught.value)
    message.encode()  # can be printed
    assert "\n" not in message
    return message


class TestFit:
    @given(text=TEXTS)
    def test_the_vocabulary_is_in_the_order_of_code_points(self, text):
        assert encoder_of(text).vocabulary == "".join(sorted(set(text)))

    @given(chunks=st.lists(TEXTS))
    def test_chunks_change_nothing(self, chunks):
        assert encoder_of(*chunks) == encoder_of("".join(chunks))

    @given(text=TEXTS)
    def test_the_most_frequent(self, text):
        encoder = encoder_of(text)
        counts = Counter(text)
        expected = min(counts, key=lambda character: (-counts[character], character))
        assert encoder.token_text(encoder.most_frequent) == expected

    def test_it_gives_a_new_encoder(self):
        unfitted = CharEncoder()
        fitted = unfitted.fit(["ab"])
        assert (unfitted.vocabulary, fitted.vocabulary) == ("", "ab")
        assert fitted.fit(["c"]).vocabulary == "c"

    def test_what_was_learnt_is_all_there_is(self):
        fitted = encoder_of("to be")
        values = json.loads(json.dumps(fitted.learned_values()))
        assert CharEncoder(**values) == fitted
        assert fitted.spec == "char"
        assert repr(fitted) == "CharEncoder(max_vocabulary=None, min_count=1, unit='codepoint')"

    def test_an_empty_text(self):
        assert encoder_of().vocabulary_size == 0
        assert encoder_of("", "").vocabulary == ""

    @pytest.mark.skipif(not SHAKESPEARE.is_file(), reason="the corpora to test on are not there")
    def test_tiny_shakespeare(self):
        encoder = encoder_of(SHAKESPEARE.read_text())
        assert encoder.vocabulary_size == 65
        assert encoder.encode("hii there").tolist() == [46, 47, 47, 1, 58, 46, 43, 56, 43]  # as nanoGPT has it


class TestEncode:
    @given(text=TEXTS)
    def test_there_and_back(self, text):
        encoder = encoder_of(text)
        ids = encoder.encode(text)
        assert (ids.shape, ids.dtype) == ((len(text),), np.int64)
        assert encoder.decode(ids) == text
        assert encoder.decode(iter(ids.tolist())) == text

    @given(text=TEXTS)
    def test_ids_are_places_in_the_vocabulary(self, text):
        encoder = encoder_of(text)
        assert encoder.encode(text).tolist() == [sorted(set(text)).index(character) for character in text]

    @given(known=TEXTS, text=TEXTS)
    def test_what_is_unknown_may_be_left_out(self, known, text):
        encoder = encoder_of(known)
        kept = "".join(character for character in text if character in set(known))
        assert encoder.decode(encoder.encode(text, unknown="skip")) == kept

    @given(known=TEXTS, text=TEXTS)
    def test_what_is_unknown_is_an_error_or_there_is_none(self, known, text):
        encoder = encoder_of(known)
        strangers = set(text) - set(known)
        if not strangers:
            encoder.encode(text)
            return
        message = error_of(lambda: encoder.encode(text))
        first = next(character for character in text if character in strangers)
        assert f"lacks {first!r} (U+{ord(first):04X}" in message
        assert (f" and {len(strangers) - 1} more;" in message) == (len(strangers) > 1)

    def test_a_surrogate_pair_is_not_its_character(self):
        encoder = encoder_of("\ud83d\ude00😀")
        assert encoder.encode("😀\ud83d\ude00").tolist() == [2, 0, 1]

    def test_empty(self):
        encoder = encoder_of("a")
        assert encoder.encode("").tolist() == []
        assert encoder.decode([]) == ""
        assert encoder.decode(np.array([])) == ""

    def test_an_unknown_character_is_described(self):
        encoder = encoder_of("abc")
        assert error_of(lambda: encoder.encode("caféz")) == (
            "the vocabulary of 3 characters lacks 'f' (U+0066 LATIN SMALL LETTER F) and 2 more; "
            "write the text without, or leave out what is unknown (unknown='skip')"
        )
        assert r"lacks '\ud800' (U+D800);" in error_of(lambda: encoder.encode("\ud800"))
        assert r"lacks '\n' (U+000A);" in error_of(lambda: encoder.encode("\n"))

    def test_not_fitted(self):
        for action in (lambda: CharEncoder().encode("a"), lambda: CharEncoder().encode("")):
            assert error_of(action).startswith("the encoder char has no vocabulary yet; fit it to a text first")
        assert error_of(lambda: CharEncoder().decode([0])).startswith("the encoder char has no vocabulary yet")


class TestDecode:
    @pytest.mark.parametrize("ids", [[0, 3], [-1], np.array([7, 3])])
    def test_ids_out_of_range(self, ids):
        message = error_of(lambda: encoder_of("abc").decode(ids))
        assert message == f"there is no token {max(ids, key=abs)}; the ids run from 0 to 2"

    def test_token_text(self):
        encoder = encoder_of("a\n" + END_OF_TEXT)
        assert [encoder.token_text(id) for id in range(3)] == ["\n", "a", END_OF_TEXT]
        assert error_of(lambda: encoder.token_text(-1)).startswith("there is no token -1")
        assert error_of(lambda: encoder.token_text(3)).startswith("there is no token 3")

    @given(text=TEXTS, data=st.data())
    def test_pieces_joined_are_the_whole(self, text, data):
        encoder = encoder_of(text)
        ids, decoder, pieces = encoder.encode(text), encoder.decoder(), []
        while len(ids):
            size = data.draw(st.integers(0, len(ids)))
            pieces.append(decoder.push(ids[:size].tolist() if size != 1 else ids[:1]))
            assert len(pieces[-1]) == size
            ids = ids[size:]
            if not size and len(pieces) > 20:
                return
        assert "".join(pieces) + decoder.finish() == text


class TestGrowing:
    @given(old=TEXTS, new=TEXTS)
    def test_old_ids_stay_and_new_characters_come_behind(self, old, new):
        encoder = encoder_of(old)
        grown = encoder.grow([new])
        assert grown.vocabulary == encoder.vocabulary + "".join(sorted(set(new) - set(old)))
        assert grown.common == encoder.common
        if old:
            np.testing.assert_array_equal(grown.encode(old), encoder.encode(old))
        if new:
            assert grown.decode(grown.encode(new)) == new
        assert grown.grow([old, new]) == grown

    def test_the_end_of_text_is_learnt_too(self):
        grown = encoder_of("ab").grow(["c", END_OF_TEXT])
        assert (grown.end_of_text, grown.vocabulary_size) == (3, 4)


class TestProperties:
    def test_the_end_of_text_is_a_token(self):
        encoder = encoder_of(f"ab{END_OF_TEXT}")
        assert encoder.end_of_text == 2
        assert encoder.encode(END_OF_TEXT).tolist() == [2]
        assert encoder_of("ab").end_of_text is None

    def test_a_text_may_be_cut_anywhere(self):
        assert CharEncoder().cut("some text") == 9

    def test_the_name_of_tokens(self):
        assert CharEncoder().token_name == "characters"

    def test_the_name_of_tokens_in_plugins_of_before(self):
        class Syllables(PieceEncoder):
            name = "syllables"
            unit = "syllables"

        class Sized(PieceEncoder):
            name = "sized"
            unit: int = option(default=2, help="Characters of a token.")

        assert [encoder.token_name for encoder in (Syllables(), Sized(), PieceEncoder())] == [
            "syllables",
            "tokens",
            "tokens",
        ]

    @pytest.mark.parametrize("values", [{"vocabulary": "aba"}, {"vocabulary": 5}, {"vocabulary": "ab", "common": None}])
    def test_a_damaged_vocabulary(self, values):
        assert "needs its characters as text, each once" in error_of(lambda: CharEncoder(**values))

    def test_a_vocabulary_in_another_order(self):
        encoder = CharEncoder(vocabulary="zab")
        assert encoder.decode(encoder.encode("abz")) == "abz"
        assert encoder.encode("zab").tolist() == [0, 1, 2]
        assert encoder.most_frequent == 0
