"""The encoder of words."""

from __future__ import annotations

import json
import pickle
import re
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ModelMaker

import textforge
from textforge.corpora.base import END_OF_TEXT
from textforge.encoders import counting, splitting, word
from textforge.encoders.byte import BYTES
from textforge.encoders.counting import count_tokens
from textforge.encoders.splitting import LONGEST, cut_tokens, read_blocks, split_tokens
from textforge.encoders.word import WordEncoder
from textforge.errors import EncodingError, GenerationError, OptionError

PARTS = (
    "the",
    "don't",
    "’",
    "'",
    "a",
    "é",
    "e\u0301",
    "\u0301",
    "हिन्दी",
    "می\u200cخواهم",
    "日本",
    "の",
    "7",
    "_",
    ".",
    "❤\ufe0f",
)
PARTS += (
    "\U0001f469\u200d\U0001f4bb",
    " ",
    "  ",
    "\n",
    "\r",
    "\r\n",
    "\t",
    "\u00a0",
    "\u2028",
    "\x1c",
    "\0",
    END_OF_TEXT,
)
PARTS += tuple(part * 50 for part in ("abcd'", " ", "\t", "\n", "\r\n", "漢字", "e\u0301", "-"))
MIXED = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)
TEXTS = st.text() | MIXED
CORPUS = "It's the dog's day.\nThe dog, the day; the night!\n\n  Naïve — the end.\n  The end."
ENCODER = WordEncoder().fit([CORPUS, END_OF_TEXT])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks small enough for texts of tests to have several."""
    monkeypatch.setattr(splitting, "BLOCK", 4 * LONGEST)


def encoder_of(*chunks, **options):
    return WordEncoder(**options).fit(chunks)


def error_of(action, kind=EncodingError):
    with pytest.raises(kind) as caught:
        action()
    message = str(caught.value)
    message.encode()  # can be printed
    assert "\n" not in message
    return message


def is_letter(character):
    ideograph = re.match("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]", character)
    return character.isalnum() and not ideograph  # isalnum is false of no character at all


def is_mark(character):
    return character in ("\u200c", "\u200d") or unicodedata.category(character or " ").startswith("M")


def list_tokens(text):
    """The tokens of a text, character by character, by the rules as they are told."""
    tokens, place = [], 0
    while place < len(text):
        end = find_end(text, place)
        tokens.append(text[place:end])
        place = end
    return tokens


def find_end(text, place):
    first, end = text[place], place + 1
    if text[place : place + 2] == "\r\n":
        return place + 2
    if first in " \t\u00a0\u3000":
        while text[end : end + 1] == first and end - place < LONGEST:
            end += 1
        return end
    if first.isspace() or first == END_OF_TEXT:
        return end
    for _ in range(LONGEST - 1):
        following, behind = text[end : end + 1], text[end + 1 : end + 2]
        if is_letter(first) and following in ("'", "’") and is_letter(behind):
            end += 2
        elif is_mark(following) or (is_letter(first) and is_letter(following)):
            end += 1
        else:
            break
    return end


class TestTokens:
    @given(text=TEXTS)
    def test_they_are_the_words_by_the_rules(self, text):
        assert split_tokens(text) == list_tokens(text)

    def test_every_character_behind_a_letter_and_a_sign(self):
        codes = [*range(0x20000), *range(0xE0000, 0xE0200)]
        text = "".join(f"a{chr(code)}!{chr(code)} " for code in codes if not chr(code).isspace())
        text = re.sub("[\ud800-\udfff]", "", text)
        assert split_tokens(text) == list_tokens(text)

    def test_what_is_a_space_to_str_is_one_to_regular_expressions(self):
        for character in map(chr, range(0x20000)):
            assert character.isspace() == (not character.split()) == bool(re.match(r"\s", character))

    def test_words(self):
        assert split_tokens("Don’t 'tis rock'n'roll foo_bar 1,000 naïve") == [
            *("Don’t", " ", "'", "tis", " ", "rock'n'roll", " ", "foo", "_", "bar", " ", "1", ",", "000", " ", "naïve"),
        ]
        assert split_tokens("日本語のテスト हिन्दी می‌خواهم ❤️") == [
            *("日", "本", "語", "のテスト", " ", "हिन्दी", " ", "می\u200cخواهم", " ", "❤\ufe0f"),
        ]
        assert split_tokens("\n\n\t\t \r\n   .") == ["\n", "\n", "\t\t", " ", "\r\n", "   ", "."]

    @pytest.mark.parametrize("part", ["a", "a'", "漢", "-", " ", "\t", "\n", "e\u0301", "ab "])
    def test_a_huge_run_is_cut_and_can_be_cut(self, part):
        text = part * 30_000
        assert max(map(len, split_tokens(text))) <= 2 * LONGEST
        assert cut_tokens(text) >= len(text) - 2 * LONGEST

    @given(text=TEXTS, more=TEXTS)
    def test_a_text_cut_has_the_tokens_of_the_whole(self, text, more):
        cut = cut_tokens(text)
        assert 0 <= cut <= len(text)
        assert split_tokens(text[:cut]) + split_tokens(text[cut:] + more) == split_tokens(text + more)

    def test_a_text_is_cut_as_late_as_can_be(self):
        for text, last in [("so “Zarat", "Zarat"), ("it is", "is"), ("a.b", "b"), ("don'", "don'"), ("a b \r", "\r")]:
            assert text[cut_tokens(text) :] == last

    @given(chunks=st.lists(TEXTS))
    def test_blocks_have_the_tokens_of_the_whole(self, chunks):
        text = "".join(chunks)
        blocks = list(read_blocks(chunks))
        assert blocks == list(read_blocks([text])) == list(read_blocks(text))
        assert [token for block in blocks for token in split_tokens(block)] == split_tokens(text)
        assert max(map(len, blocks)) <= 4 * LONGEST


class TestCounts:
    @given(chunks=st.lists(TEXTS))
    def test_they_are_the_tokens_counted(self, chunks):
        assert count_tokens(chunks) == Counter(split_tokens("".join(chunks)))

    @given(chunks=st.lists(TEXTS), most=st.integers(1, 20), blocks=st.integers(1, 3))
    def test_what_is_forgotten_does_not_depend_on_chunks(self, chunks, most, blocks):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(counting, "MOST", most)
            patch.setattr(counting, "_BLOCKS", blocks)
            assert count_tokens(chunks) == count_tokens("".join(chunks))

    def test_memory_is_bounded_and_what_is_frequent_is_kept(self, monkeypatch):
        monkeypatch.setattr(counting, "MOST", 100)
        monkeypatch.setattr(counting, "_BLOCKS", 1)
        largest = []
        forget = counting._forget_rare
        monkeypatch.setattr(counting, "_forget_rare", lambda counts: largest.append(len(counts)) or forget(counts))
        text = "".join(f"the {number:x} of\n" for number in range(20_000))
        counts = count_tokens([text])
        assert (counts["the"], counts["of"], counts[" "], counts["\n"]) == (20_000, 20_000, 40_000, 20_000)
        assert len(largest) > 50
        assert max(largest) <= 200 + 3
        assert sum(count * len(token) for token, count in counts.items()) == len(text)


class TestFit:
    def test_the_order_of_the_vocabulary(self):
        encoder = encoder_of("to be, or not to be, or to see: see")
        assert encoder.vocabulary == (*sorted(set("to be, or not to be, or to see: see")), "to", "be", "or", "see")
        assert encoder.vocabulary_size == BYTES + 10 + 4
        assert encoder.token_text(encoder.most_frequent) == " "

    @given(chunks=st.lists(TEXTS), count=st.integers(1, 3))
    def test_chunks_change_nothing(self, chunks, count):
        encoder = WordEncoder(min_count=count)
        assert encoder.fit(chunks) == encoder.fit(["".join(chunks)])

    @given(text=TEXTS.filter(bool), size=st.integers(257, 400), count=st.integers(1, 3))
    def test_the_most_frequent_words_are_tokens(self, text, size, count):
        characters = sorted(set(text))
        counts = Counter(token for token in split_tokens(text) if len(token) > 1)
        often = sorted((token for token in counts if counts[token] >= count), key=lambda token: (-counts[token], token))
        if BYTES + len(characters) > size:
            error_of(lambda: encoder_of(text, max_vocabulary=size), OptionError)
            return
        encoder = encoder_of(text, max_vocabulary=size, min_count=count)
        assert encoder.vocabulary == (*characters, *often)[: size - BYTES]
        assert all(id >= BYTES for id in encoder.encode(text).tolist())

    @given(text=TEXTS.filter(bool))
    def test_the_most_frequent_token(self, text):
        encoder = encoder_of(text)
        counts = Counter(map(encoder.token_text, encoder.encode(text).tolist()))
        assert encoder.token_text(encoder.most_frequent) == min(counts, key=lambda token: (-counts[token], token))

    def test_a_word_that_came_once_is_spelled(self):
        encoder = encoder_of("once upon upon")
        assert list(map(encoder.token_text, encoder.encode("once upon"))) == ["o", "n", "c", "e", " ", "upon"]
        assert "once" in encoder_of("once upon upon", min_count=1).vocabulary

    def test_a_vocabulary_too_small_names_the_number_needed(self):
        message = error_of(lambda: encoder_of("abcd" * 9, max_vocabulary=259), OptionError)
        assert message == (
            "word: max_vocabulary must be >= 260, for 256 bytes and the 4 different characters of the corpus, and more "
            "for words, got 259"
        )
        assert encoder_of("abcd abcd", max_vocabulary=261).vocabulary == tuple(" abcd")
        assert "must be > 256, got 256" in error_of(lambda: WordEncoder(256), OptionError)

    def test_nothing_is_learnt_from_nothing(self):
        for encoder in (WordEncoder(), encoder_of(), encoder_of("", "")):
            assert encoder == WordEncoder()
            assert (encoder.vocabulary_size, encoder.end_of_text, encoder.most_frequent) == (0, None, 0)
            assert encoder.never_generated == ()

    def test_it_is_saved_as_json(self):
        values = json.loads(json.dumps(ENCODER.learned_values()))
        assert WordEncoder(vocabulary=tuple(values["vocabulary"]), common=values["common"]) == ENCODER
        assert WordEncoder(5000).spec == "word:max_vocabulary=5000"

    @pytest.mark.parametrize(
        "vocabulary", [["a"], ("a", "a"), ("a", ""), ("a", 5), ("\ud800",), "ab", None, ("a", "\n")]
    )
    def test_an_edited_one_is_refused(self, vocabulary):
        message = error_of(lambda: WordEncoder(vocabulary=vocabulary, common="b"))
        expected = (
            "one of its tokens as the commonest" if vocabulary == ("a", "\n") else "its tokens as texts, each once"
        )
        assert message.startswith(f"the encoder word needs {expected}, got ")
        assert message.endswith("; fit it again")


class TestGrow:
    @given(text=TEXTS.filter(bool), more=st.lists(TEXTS), count=st.integers(1, 2))
    def test_ids_stay_and_nothing_is_spelled_in_bytes(self, text, more, count):
        encoder = encoder_of(text, min_count=count)
        grown = encoder.grow(more)
        assert grown.vocabulary[: len(encoder.vocabulary)] == encoder.vocabulary
        assert grown.common == encoder.common
        for known in (text, "".join(more)):
            assert grown.decode(grown.encode(known)) == known
            assert not set(grown.encode(known).tolist()) & set(grown.never_generated)
        assert grown.grow(more) == grown == grown.grow([text])
        assert encoder.grow(["".join(more)]) == grown

    def test_new_words_come_behind(self):
        grown = encoder_of("a fox, the fox").grow(["the dog and the dog\t"])
        assert grown.vocabulary == (*" ,aefhotx", "fox", "\t", "d", "g", "n", "dog", "the")

    def test_the_end_of_text_may_be_new(self):
        encoder = encoder_of("a text")
        assert encoder.end_of_text is None
        grown = encoder.grow(["another", END_OF_TEXT])
        assert grown.token_text(grown.end_of_text) == END_OF_TEXT
        assert grown.end_of_text >= encoder.vocabulary_size

    def test_words_only_up_to_the_greatest_size_but_every_character(self):
        encoder = encoder_of("ab ab cd cd", max_vocabulary=262)
        assert encoder.vocabulary == (" ", "a", "b", "c", "d", "ab")
        assert encoder.grow(["ef ef cd"]).vocabulary == (*encoder.vocabulary, "e", "f")
        assert encoder.replace(max_vocabulary=265).grow(["ef ef"]).vocabulary == (*encoder.vocabulary, "e", "f", "ef")

    def test_an_unfitted_one_is_fitted(self):
        assert WordEncoder().grow([CORPUS]) == WordEncoder().fit([CORPUS])


class TestCoding:
    @given(text=TEXTS, unknown=st.sampled_from(["error", "skip"]))
    def test_every_text_comes_back(self, text, unknown):
        ids = ENCODER.encode(text, unknown=unknown)
        assert (ids.dtype, ids.ndim, ids.flags.writeable) == (np.int64, 1, True)
        assert ENCODER.decode(ids) == text
        assert ENCODER.decode(iter(ids.tolist())) == text

    @given(text=TEXTS)
    def test_words_are_tokens_or_spelled(self, text):
        expected = []
        for token in split_tokens(text):
            for known in [token] if token in ENCODER.vocabulary else token:
                if known in ENCODER.vocabulary:
                    expected.append(BYTES + ENCODER.vocabulary.index(known))
                else:
                    expected += known.encode()
        assert ENCODER.encode(text).tolist() == expected

    @given(text=TEXTS, more=TEXTS)
    def test_a_text_cut_encodes_as_the_whole(self, text, more):
        cut = ENCODER.cut(text)
        parts = [ENCODER.encode(text[:cut]), ENCODER.encode(text[cut:] + more)]
        assert np.concatenate(parts).tolist() == ENCODER.encode(text + more).tolist()

    @given(texts=st.lists(MIXED))
    def test_what_is_kept_in_mind_changes_nothing(self, texts):
        encoder = ENCODER.replace()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(word, "_MOST_KEPT", 3)
            for text in texts:
                assert encoder.encode(text).tolist() == ENCODER.encode(text).tolist()
        assert len(encoder._pieces) <= 3

    def test_a_copy_leaves_behind_what_was_kept_in_mind(self):
        encoder = ENCODER.replace()
        fresh = len(pickle.dumps(encoder))
        encoder.encode(" ".join(map(str, range(5000))))
        again = pickle.loads(pickle.dumps(encoder))
        assert again == encoder
        assert again.encode("the 5").tolist() == encoder.encode("the 5").tolist()
        assert len(pickle.dumps(encoder)) < fresh + 10_000

    @given(
        ids=st.lists(st.integers(0, ENCODER.vocabulary_size - 1) | st.integers(0, BYTES - 1)), size=st.integers(1, 4)
    )
    def test_decoding_as_ids_come_is_decoding_at_once(self, ids, size):
        decoder = ENCODER.decoder()
        shown = "".join(decoder.push(ids[at : at + size]) for at in range(0, len(ids), size)) + decoder.push([])
        parts = [bytes([id]) if id < BYTES else ENCODER.vocabulary[id - BYTES].encode() for id in ids]
        assert shown + decoder.finish() == ENCODER.decode(ids) == b"".join(parts).decode("utf-8", "replace")

    @given(text=TEXTS)
    def test_no_half_of_a_character_shows(self, text):
        decoder, shown = ENCODER.decoder(), ""
        for id in ENCODER.encode(text).tolist():
            shown += decoder.push([id])
            assert text.startswith(shown)
        assert (shown, decoder.finish()) == (text, "")

    def test_the_text_of_a_token(self):
        assert ENCODER.token_text(ENCODER.vocabulary_size - 1) == ENCODER.vocabulary[-1]
        assert ENCODER.token_text(0xC3) == "<0xC3>"
        assert ENCODER.token_text(ENCODER.end_of_text) == END_OF_TEXT
        for id in (-1, ENCODER.vocabulary_size):
            for action in (lambda: ENCODER.token_text(id), lambda: ENCODER.decode([0, id])):  # noqa: B023
                assert error_of(action).startswith(f"there is no token {id}; the ids run from 0 to ")

    def test_the_end_of_a_text_is_spelled_where_the_corpus_had_none(self):
        encoder = encoder_of("a")
        assert encoder.decode(encoder.encode(f"a{END_OF_TEXT}a")) == f"a{END_OF_TEXT}a"
        assert ENCODER.encode(f"the{END_OF_TEXT}the").tolist().count(ENCODER.end_of_text) == 1

    @given(text=st.text(st.sampled_from("ab '\u0301\n\ud800\udfff") | st.characters(exclude_categories=())), more=TEXTS)
    def test_lone_surrogates_are_refused_or_left_out(self, text, more):
        kept = re.sub("[\ud800-\udfff]", "", text)
        assert ENCODER.decode(ENCODER.encode(text, unknown="skip")) == kept
        cut = ENCODER.cut(text)
        parts = [ENCODER.encode(part, unknown="skip") for part in (text[:cut], text[cut:] + more)]
        assert np.concatenate(parts).tolist() == ENCODER.encode(text + more, unknown="skip").tolist()
        if kept != text:
            place = re.search("[\ud800-\udfff]", text).start()
            start = f"a lone surrogate, U+{ord(text[place]):04X} at character {place}, is no text: "
            assert error_of(lambda: ENCODER.encode(text)).startswith(start)
            assert "the corpus has a lone surrogate, U+" in error_of(lambda: encoder_of(text))

    def test_not_fitted(self):
        for action in (lambda: WordEncoder().encode(""), lambda: WordEncoder().decode([]), WordEncoder().decoder):
            assert error_of(action).startswith("the encoder word has no vocabulary yet; fit it to a text first")


class TestGeneration:
    def test_bytes_are_read_but_never_written(self):
        assert ENCODER.never_generated == tuple(range(256))
        model = ModelMaker("numpy", "lstm").create(ENCODER.vocabulary_size)
        text = textforge.TextGenerator(model, ENCODER).generate("☃ the ", seed=1, max_tokens=300)
        assert "\ufffd" not in text
        assert set(text) <= set(CORPUS)

    def test_no_bias_is_for_what_is_never_written(self):
        message = error_of(lambda: textforge.Plugins().sampler('logit-bias:{"☃": 9}').check(ENCODER), GenerationError)
        assert message == "logit-bias: '☃' can never come: it needs a token that is never generated; leave it out"

    def test_an_empty_prompt_begins_at_a_token_that_was_trained(self):
        encoder = encoder_of("to be or not to be")  # a line end would be a byte
        model = ModelMaker("numpy", "lstm").create(encoder.vocabulary_size)
        generator = textforge.TextGenerator(model, encoder)
        assert generator.generate("", seed=1, max_tokens=30) == generator.generate(" ", seed=1, max_tokens=30)

    def test_a_model_learns_words_and_is_read_back(self, tmp_path):
        text = "The cat sat on the mat.\n" * 200
        generator = textforge.train(
            text=text, encoder="word:300", architecture="ngram", seed=1, output=tmp_path / "model"
        )
        again = textforge.load(tmp_path / "model")
        assert again.encoder == generator.encoder
        assert again.generate("The cat", samplers="greedy", max_tokens=6) == " sat on the"
