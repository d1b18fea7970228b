"""The encoder of characters, of grapheme clusters."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

import textforge
from textforge.bundle.parts import read_encoder, write_encoder
from textforge.corpora.base import END_OF_TEXT
from textforge.encoders import characters, graphemes
from textforge.encoders.char import CharEncoder
from textforge.encoders.graphemes import LONGEST, cut_clusters, read_stretches, split_clusters
from textforge.errors import EncodingError, OptionError
from textforge.generation.healing import split_prompt

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
KNOTTED = (
    "a", "e", "\u0301", "\u0302", "\r", "\n", "\r\n", "\u200d", "\U0001f469", "\U0001f3fd", FAMILY, "\u2764\ufe0f",
    "\U0001f1e9", "\U0001f1ea", "\u1100", "\u1161", "\u11a8", "\uac00", "\uac01", "\u0915", "\u094d", "\u0937",
    "\u093f", "\u0903", "\u0600", "\u0e33", "\0", "\u2028", "漢", "\U0010ffff", "\U000e0020", END_OF_TEXT, "\ufffd",
)  # fmt: skip
"""Code points of every class that the rules know, and longer things of them."""
LONG = st.sampled_from(KNOTTED).flatmap(lambda part: st.integers(LONGEST - 2, 2 * LONGEST + 2).map(part.__mul__))
TEXTS = st.text() | st.lists(st.sampled_from(KNOTTED) | LONG, max_size=8).map("".join)
SOME = TEXTS.filter(bool)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Pieces small enough for texts of tests to have several."""
    monkeypatch.setattr(characters, "PIECE", 5)


def encoder_of(*chunks, **options):
    return CharEncoder(unit="grapheme", **options).fit(chunks)


def split_slowly(text):
    """The clusters of a text by the rules as they are told, each looked for by itself."""
    clusters, at = [], 0
    while at < len(text):
        alone = regex.search(f"[{END_OF_TEXT}\ufffd]", text[at:])
        end = at + alone.start() if alone else len(text)
        found = regex.match(r"\X", text[at : max(end, at + 1)]).group()[:LONGEST]
        clusters.append(found)
        at += len(found)
    return clusters


class TestClusters:
    @given(text=TEXTS)
    def test_they_are_those_of_the_rules(self, text):
        assert list(split_clusters(text)) == split_slowly(text)

    @given(text=TEXTS)
    def test_short_ones_are_those_of_regex(self, text):
        text = text.replace(END_OF_TEXT, "").replace("\ufffd", "")
        expected = regex.findall(r"\X", text)
        if max(map(len, expected), default=0) <= LONGEST:
            assert list(split_clusters(text)) == expected

    @pytest.mark.parametrize("before", ["e", "\u0600", "\u1100", "\uac00", FAMILY + "\u200d", "क्", "\U0001f1e9", "\r"])
    def test_no_code_point_is_overlooked(self, before):
        others = [chr(code) for code in (*range(0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE1000))]
        text = "\0".join(f"{before}{other}" for other in others if other not in f"{END_OF_TEXT}\ufffd")
        joined = {cluster[len(before) :] for cluster in regex.findall(r"\X", text) if len(cluster) > len(before)}
        kinds = graphemes._kinds()
        assert joined or before == "e"
        assert all(kinds[ord(before[-1])] & kinds[ord(other)] >> graphemes._SHIFT for other in joined)

    def test_other_planes_have_letters_alone(self):
        others = "".join(map(chr, (*range(0x20000, 0xE0000), *range(0xE1000, 0x110000))))
        assert not regex.search(r"\P{GCB=Other}", others)

    @given(text=TEXTS, more=TEXTS)
    def test_nothing_reaches_across_a_cut(self, text, more):
        place = cut_clusters(text)
        whole = split_slowly(text + more)
        assert [*split_slowly(text[:place]), *split_slowly(text[place:] + more)] == whole

    @given(text=TEXTS)
    def test_a_cut_is_the_last_there_is(self, text):
        place = cut_clusters(text)
        clusters = split_slowly(text)
        if place == len(text):
            return
        assert place == len(text) - len(clusters[-1])
        # something may follow that belongs to the last cluster, or pairs with it
        follows = ("\u0301", "\n", "\u1161", "\U0001f1e9", "\u0937")
        assert any(clusters + split_slowly(more) != split_slowly(text + more) for more in follows)

    @given(chunks=st.lists(TEXTS))
    def test_stretches_are_the_text_cut_between_clusters(self, chunks):
        stretches = list(read_stretches(chunks))
        text = "".join(chunks)
        assert "".join(stretches) == text
        assert [cluster for stretch in stretches for cluster in split_slowly(stretch)] == split_slowly(text)


class TestEncoding:
    @given(text=SOME)
    def test_there_and_back(self, text):
        encoder = encoder_of(text)
        ids = encoder.encode(text)
        assert ids.dtype == np.int64
        assert [encoder.token_text(id) for id in ids.tolist()] == split_slowly(text)
        assert encoder.decode(ids) == text
        assert (encoder.lossy, encoder.never_generated) == (False, ())

    @given(known=TEXTS, text=TEXTS)
    def test_what_is_no_token_is_spelled(self, known, text):
        encoder = CharEncoder(unit="grapheme", vocabulary=tuple(sorted({*encoder_of(known).token_texts, *text})))
        if encoder.vocabulary:
            assert encoder.decode(encoder.encode(text)) == text

    @given(known=TEXTS, text=TEXTS)
    def test_what_is_unknown_is_left_out_alone(self, known, text):
        encoder = encoder_of(known)
        tokens = set(encoder.token_texts)
        spelled = [part for cluster in split_slowly(text) for part in ([cluster] if cluster in tokens else cluster)]
        if known:
            kept = encoder.decode(encoder.encode(text, unknown="skip"))
            assert kept == "".join(part for part in spelled if part in tokens)

    def test_what_is_unknown_is_named(self):
        encoder = encoder_of("ab e\u0301")
        assert encoder.encode("be\u0301").tolist() == [2, 3]
        with pytest.raises(EncodingError, match=r"of 4 characters lacks '\u0302' \(U\+0302 COMBINING CIRC"):
            encoder.encode("a\u0302")

    def test_text_without_marks_is_as_by_code_points(self):
        text = "It is so. 漢字 Ωμέγα 한국어\n" + END_OF_TEXT
        assert encoder_of(text).encode(text).tolist() == CharEncoder().fit([text]).encode(text).tolist()

    @given(text=SOME, data=st.data())
    def test_pieces_joined_are_the_whole(self, text, data):
        encoder = encoder_of(text)
        ids, decoder, pieces = encoder.encode(text).tolist(), encoder.decoder(), []
        for _ in range(20):
            size = data.draw(st.integers(0, len(ids)))
            pieces.append(decoder.push(ids[:size]))
            ids = ids[size:]
        assert "".join([*pieces, decoder.push(ids), decoder.finish()]) == text


class TestLearning:
    @given(text=TEXTS)
    def test_the_vocabulary_is_the_clusters_in_order(self, text):
        encoder = encoder_of(text)
        counts = Counter(split_slowly(text))
        assert list(encoder.vocabulary) == sorted(counts)
        if text:
            expected = min(counts, key=lambda cluster: (-counts[cluster], cluster))
            assert encoder.token_text(encoder.most_frequent) == expected

    @given(text=TEXTS, data=st.data())
    def test_chunks_mean_nothing(self, text, data):
        at = data.draw(st.integers(0, len(text)))
        assert encoder_of(text[:at], text[at:]) == encoder_of(*text) == encoder_of(text)

    @given(old=TEXTS, new=TEXTS)
    def test_growing_keeps_ids(self, old, new):
        encoder = encoder_of(old)
        grown = encoder.grow([new])
        assert grown.token_texts[: encoder.vocabulary_size] == encoder.token_texts
        assert grown.decode(grown.encode(new)) == new if new else grown == encoder
        assert grown.grow([new]) == grown

    @given(text=TEXTS)
    def test_it_is_saved(self, text):
        encoder = encoder_of(text)
        again = read_encoder(CharEncoder, write_encoder(encoder))
        assert again == encoder
        assert isinstance(again.vocabulary, tuple)

    @pytest.mark.parametrize("vocabulary", [("a", "a"), ("a", ""), ("a", 5), 5, ["a", "b"]])
    def test_a_damaged_vocabulary(self, vocabulary):
        with pytest.raises(EncodingError, match="needs its characters as text, each once"):
            CharEncoder(unit="grapheme", vocabulary=vocabulary)

    def test_clusters_are_no_code_points(self):
        with pytest.raises(EncodingError, match="fit it again"):
            CharEncoder(vocabulary=("a", "e\u0301"))

    def test_another_unit(self):
        with pytest.raises(OptionError, match="unit must be one of codepoint, grapheme, got 'glyph'"):
            CharEncoder(unit="glyph")


class TestLongClusters:
    @pytest.mark.parametrize("part", ["\u0301", "\U0001f1e9", "\u200d\U0001f469", "\u1100", "\u0600", "\u094d\u0915"])
    def test_they_take_time_by_their_length(self, monkeypatch, part):
        monkeypatch.undo()  # by its square, each would take minutes
        text = "\U0001f469" + part * (100_000 // len(part))
        encoder = encoder_of(text[: len(text) // 3], text[len(text) // 3 :])
        assert encoder.decode(encoder.encode(text)) == text
        assert len(text) - encoder.cut(text) <= LONGEST
        assert encoder.vocabulary_size < 100
        assert max(map(len, encoder.token_texts)) <= LONGEST


class TestUse:
    def test_regex_is_imported_to_find_clusters_alone(self):
        code = (
            "import sys; from textforge.encoders.char import CharEncoder; CharEncoder().fit(['e\\u0301']); "
            "assert 'regex' not in sys.modules; CharEncoder(unit='grapheme').fit(['e\\u0301']); "
            "assert 'regex' in sys.modules"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    def test_the_end_of_a_prompt_is_taken_back(self):
        encoder = encoder_of("cafe\u0301 au lait, the\u0301 vert. le.")
        ids, end = split_prompt(encoder, "le the", "error")
        assert (encoder.decode(ids), end) == ("le th", "e")  # é may follow
        ids, end = split_prompt(encoder, "le the.", "error")
        assert (encoder.decode(ids), end) == ("le the.", "")
        assert split_prompt(encoder, "the\u0301", "error")[1] == ""

    def test_a_model_is_trained_on_them(self, tmp_path):
        text = f"Voila\u0300 {FAMILY}, mes e\u0301toiles.\r\n" * 40
        made = textforge.train(
            text=text, encoder="char:unit=grapheme", architecture="ngram:order=3", output=tmp_path / "model"
        )
        written = textforge.load(tmp_path / "model").generate("Voil", max_tokens=200, seed=1)
        assert made.encoder.spec == "char:unit=grapheme"
        assert set(split_slowly("Voil" + written)) <= set(made.encoder.token_texts)
        assert FAMILY in written
        assert "\r\n" in written
