"""The encoder of characters, with a vocabulary within bounds."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import textforge
from textforge.bundle.parts import read_encoder, write_encoder
from textforge.corpora.base import END_OF_TEXT
from textforge.encoders import characters
from textforge.encoders.char import CharEncoder
from textforge.encoders.graphemes import split_clusters
from textforge.errors import EncodingError, GenerationError, OptionError
from textforge.generation.arguments import encode_prompt
from textforge.generation.unreachable import find_missing_characters
from textforge.samplers.logit_bias import LogitBias

MARK = "\ufffd"
PARTS = ("a", "b", "é", "e", "\u0301", "\u0302", "漢", "\n", "\r\n", "\0", "\u0600", "👩\u200d👧", "👩")
PARTS += (MARK, END_OF_TEXT)
TEXTS = st.text() | st.lists(st.sampled_from(PARTS), max_size=30).map("".join)
SOME = TEXTS.filter(bool)
BOUNDS = st.fixed_dictionaries(
    {"max_vocabulary": st.none() | st.integers(3, 9), "min_count": st.integers(1, 3)}
).filter(lambda bounds: bounds != {"max_vocabulary": None, "min_count": 1})
UNITS = st.sampled_from(["codepoint", "grapheme"])


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Pieces small enough for texts of tests to have several."""
    monkeypatch.setattr(characters, "PIECE", 5)


def try_fit(chunks, **options):
    """The encoder, or None where no character comes often enough."""
    try:
        return CharEncoder(**options).fit(chunks)
    except EncodingError as error:
        assert str(error).startswith(f"no character comes {options['min_count']} times")  # noqa: PT017
        return None


class TestFit:
    @given(text=SOME, bounds=BOUNDS)
    def test_the_most_frequent_characters_are_kept(self, text, bounds):
        encoder = try_fit([text], **bounds)
        # ranked by another way to count
        counts = Counter(text.replace(MARK, "").replace(END_OF_TEXT, ""))
        ranked = sorted((-count, character) for character, count in counts.items() if count >= bounds["min_count"])
        kept = {MARK, END_OF_TEXT} if END_OF_TEXT in text else {MARK}
        room = len(ranked) if bounds["max_vocabulary"] is None else bounds["max_vocabulary"] - len(kept)
        expected = kept | {character for _, character in ranked[:room]}
        if encoder is None:
            assert not expected - kept
        else:
            assert encoder.vocabulary == "".join(sorted(expected))

    @given(text=SOME, bounds=BOUNDS, unit=UNITS, data=st.data())
    def test_chunks_mean_nothing(self, text, bounds, unit, data):
        at = data.draw(st.integers(0, len(text)))
        assert try_fit([text[:at], text[at:]], unit=unit, **bounds) == try_fit([text], unit=unit, **bounds)

    @given(text=SOME, bounds=BOUNDS, unit=UNITS)
    def test_bounds_hold(self, text, bounds, unit):
        encoder = try_fit([text], unit=unit, **bounds)
        if encoder is None:
            return
        assert encoder.vocabulary_size <= (bounds["max_vocabulary"] or 1000)
        assert (encoder.end_of_text is not None) == (END_OF_TEXT in text)
        assert encoder.lossy
        [mark] = encoder.never_generated
        assert encoder.token_text(mark) == MARK
        assert encoder.most_frequent != mark

    def test_what_refused_clusters_are_spelled_in_counts(self):
        encoder = CharEncoder(unit="grapheme", min_count=3).fit(["e\u0301e\u0301e\u0302e"])
        assert encoder.vocabulary == ("e", MARK)
        encoder = CharEncoder(unit="grapheme", min_count=2).fit(["e\u0301e\u0301e\u0302a\u0302e"])
        assert encoder.vocabulary == ("e", "e\u0301", "\u0302", MARK)

    def test_an_empty_text(self):
        assert CharEncoder(min_count=2).fit([]).vocabulary_size == 0

    def test_nothing_that_is_frequent_enough(self):
        with pytest.raises(EncodingError, match="no character comes 3 times in the corpus; give a smaller min_count"):
            CharEncoder(min_count=3).fit(["aabbc", END_OF_TEXT * 3])

    @pytest.mark.parametrize("options", [{"max_vocabulary": 2}, {"min_count": 0}, {"max_vocabulary": 2.5}])
    def test_bounds_without_sense(self, options):
        with pytest.raises(OptionError, match="must be"):
            CharEncoder(**options)


class TestEncode:
    @given(known=SOME, text=TEXTS, bounds=BOUNDS)
    def test_what_is_no_token_is_the_mark(self, known, text, bounds):
        encoder = try_fit([known], **bounds)
        if encoder:
            expected = "".join(character if character in encoder.vocabulary else MARK for character in text)
            for unknown in ("error", "skip"):
                assert encoder.decode(encoder.encode(text, unknown=unknown)) == expected

    @given(known=SOME, text=TEXTS, bounds=BOUNDS, unit=UNITS)
    def test_what_is_decoded_encodes_to_the_same_ids(self, known, text, bounds, unit):
        encoder = try_fit([known], unit=unit, **bounds)
        if encoder:
            ids = encoder.encode(text).tolist()
            assert encoder.encode(encoder.decode(ids)).tolist() == ids

    @given(known=SOME, text=TEXTS, bounds=BOUNDS)
    def test_a_cluster_is_spelled_or_one_mark(self, known, text, bounds):
        encoder = try_fit([known], unit="grapheme", **bounds)
        if encoder:
            tokens = set(encoder.token_texts)
            expected = [
                cluster if cluster in tokens or set(cluster) <= tokens else MARK for cluster in split_clusters(text)
            ]
            assert encoder.decode(encoder.encode(text)) == "".join(expected)

    def test_without_bounds_the_mark_is_a_character_as_any(self):
        encoder = CharEncoder().fit([f"ab{MARK}"])
        assert (encoder.never_generated, encoder.lossy) == ((), False)
        with pytest.raises(EncodingError, match="lacks 'c'"):
            encoder.encode("c")


class TestGrow:
    @given(old=SOME, new=TEXTS, bounds=BOUNDS, unit=UNITS)
    def test_ids_stay_and_bounds_hold(self, old, new, bounds, unit):
        encoder = try_fit([old], unit=unit, **bounds)
        if encoder is None:
            return
        grown = encoder.grow([new])
        assert grown.token_texts[: encoder.vocabulary_size] == encoder.token_texts
        assert grown.never_generated == encoder.never_generated
        limit = bounds["max_vocabulary"]
        if limit is not None:
            learnt_the_end = grown.end_of_text is not None and encoder.end_of_text is None
            assert grown.vocabulary_size <= limit + learnt_the_end
        assert (grown.end_of_text is not None) == (END_OF_TEXT in old + new)
        assert grown.grow([new]) == grown

    def test_new_characters_have_to_be_frequent_too(self):
        encoder = CharEncoder(min_count=2, max_vocabulary=5).fit(["aab"])
        assert encoder.vocabulary == f"a{MARK}"
        assert encoder.grow(["bbbccddddefgg", END_OF_TEXT]).vocabulary == f"a{MARK}bd{END_OF_TEXT}"


class TestUse:
    def test_a_bundle_of_before_is_read(self):
        learned = {"vocabulary": "abc", "common": "b"}
        data = json.dumps({"name": "char", "options": {}, "learned": learned}).encode()
        encoder = read_encoder(CharEncoder, data)
        assert encoder == CharEncoder().fit(["abcb"])
        assert json.loads(write_encoder(encoder))["learned"] == learned

    def test_it_is_saved(self):
        encoder = CharEncoder(max_vocabulary=3).fit(["aaabbc"])
        assert read_encoder(CharEncoder, write_encoder(encoder)) == encoder
        assert encoder.spec == "char:max_vocabulary=3"

    def test_nothing_begins_with_the_mark_or_stops_at_it(self):
        encoder = CharEncoder(min_count=2).fit(["aab\n"])
        assert encode_prompt(encoder, "", "error").tolist() == [encoder.most_frequent] == [0]
        assert find_missing_characters("ab", encoder) == "b"
        assert find_missing_characters(MARK, encoder) == MARK

    def test_a_bias_for_what_is_never_written(self):
        encoder = CharEncoder(min_count=2).fit(["aab"])
        with pytest.raises(GenerationError, match="'ab' can never come: it needs a token that is never"):
            LogitBias(bias={"ab": 1.0}).check(encoder)
        LogitBias(bias={"a": 1.0}).check(encoder)

    def test_rare_characters_are_read_but_not_written(self, tmp_path):
        text = "it is so, 漢 or 字 or not. " * 3 + "it is so. " * 20
        made = textforge.train(
            text=text, encoder="char:min_count=4", architecture="ngram:order=3", output=tmp_path / "model"
        )
        assert set(made.generate("漢 or", max_tokens=300, seed=1)) <= set(text) - set("漢字")
        (tmp_path / "held-out.txt").write_text("it is 漢 so 字.", encoding="utf-8")
        result = made.evaluate(tmp_path / "held-out.txt")
        assert (result.characters, result.unwritten) == (13, 2)
