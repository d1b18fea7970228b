"""The page: what is written is what is shown, whatever the text is, and nothing in it acts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import HOSTILE, Page
from support import PieceEncoder, ScriptedModel, constant_logits, hashed_logits

from textforge.cli.compare_page import MARKED, make_page
from textforge.cli.page import SHADES
from textforge.cli.visible import make_visible, show_token
from textforge.corpora.base import END_OF_TEXT
from textforge.corpora.index.making import make_index
from textforge.evaluation.copying import measure_characters
from textforge.library.comparing import ComparedText
from textforge.library.generator import TextGenerator
from textforge.plugins.registry import Plugins
from textforge.samplers.greedy import Greedy
from textforge.samplers.temperature import Temperature


def written(encoder, chains=([],), prompt="", logits=None, **request):
    model = ScriptedModel(encoder.vocabulary_size, logits or hashed_logits(encoder.vocabulary_size))
    writer = TextGenerator(model, encoder, plugins=Plugins(disabled="all"))
    texts = [ComparedText(writer, chain, prompt, **({"seed": 1, "max_tokens": 30} | request)) for chain in chains]
    for text in texts:
        for _ in text.run():
            pass
    return texts


@settings(max_examples=50)
@given(
    st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=5, unique=True).map(lambda own: (*HOSTILE, *own)),
    st.integers(0, 99),
)
def test_any_text_is_on_the_page_and_nothing_else(pieces, seed):
    encoder = PieceEncoder.of(*pieces)
    prompt = "".join(HOSTILE)
    texts = written(encoder, [[], [Temperature(2)], [Greedy()]], prompt, seed=seed)
    source = make_page(texts, prompt, {"model": "<m>", "prompt": prompt})
    source.encode("utf-8")
    page = Page(source)
    assert page.texts == [make_visible(prompt + text.text) for text in texts]
    assert len(page.tips) == 90
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", source)


def test_tips_and_shades_say_the_probabilities():
    encoder = PieceEncoder.of("a", "b", "c", END_OF_TEXT)
    chains = [[], [Temperature(0.5)]]
    texts = written(encoder, chains, logits=constant_logits([0.9, 0.08, 0.02, 0]), max_tokens=300)
    page = Page(make_page(texts, "", {}))
    shades = {name: {tuple(classes) for classes, _ in found} for name, found in by_token(page).items()}
    assert shades["a"] == {("t", "m0", "c0")}
    assert shades["b"] == {("t", "m3", "c3"), ("t", "m3", "c5")}
    assert ("t", "m4", "c4") in shades["c"]
    tips = by_token(page)["b"]
    assert any(re.search(r"^▸ b +8\.00% +8\.00%", tip, re.M) for _, tip in tips)
    assert any(re.search(r"^▸ b +8\.00% +0\.78%", tip, re.M) for _, tip in tips)


def test_copied_pieces_are_marked():
    encoder = PieceEncoder.of("ab", "c", "d" * 25)
    (text,) = written(encoder, max_tokens=40)
    index = make_index("abcabccabab" + "d" * 25)
    lengths = measure_characters(index, text.text)
    source = make_page([text], "", {}, [lengths])
    page = Page(source)
    starts = [sum(len(piece.text) for piece in text.pieces[:place]) for place in range(40)]
    runs = [max(lengths[start : start + len(piece.text)]) for start, piece in zip(starts, text.pieces, strict=True)]
    assert {run >= MARKED for run in runs} == {True, False}
    assert [run >= MARKED for run in runs] == ["copied" in classes for classes in page.classes]
    for run, tip in zip(runs, page.tips, strict=True):
        assert (f"in a run of {run} characters that the corpus has" in tip) == (run >= MARKED)
    assert f"<dd>{(lengths >= MARKED).mean():.1%}</dd>" in source
    assert ".copied {" in source
    plain = make_page([text], "", {})
    assert "Copied" in source
    assert "Copied" not in plain
    assert [classes for classes in Page(plain).classes if "copied" in classes] == []


def by_token(page):
    found = {}
    for classes, tip in zip(page.classes, page.tips, strict=True):
        (drawn,) = re.findall(r"^▸ (\S+)", tip, re.M)
        found.setdefault(drawn, []).append((classes, tip))
    return found


@pytest.mark.parametrize("level", range(len(SHADES) + 1))
def test_every_shade_has_a_colour(level):
    texts = written(PieceEncoder.of("a"))
    style = re.search("<style>(.*)</style>", make_page(texts, "", {}), re.S)
    assert style
    assert level == 0 or (f".m{level} {{" in style[1] and f".c{level} {{" in style[1])


def test_the_page_needs_nothing_from_elsewhere_and_is_the_same_every_time():
    texts = written(PieceEncoder.of("a", "b"), [[Greedy()], []])
    source = make_page(texts, "", {"seed": 1})
    assert source == make_page(written(PieceEncoder.of("a", "b"), [[Greedy()], []]), "", {"seed": 1})
    assert "default-src 'none'" in source
    assert not re.search(r"https?://|url\(|@import|<script|javascript:", source)
    words = "".join(Page(source).words)
    for expected in ("greedy", "no samplers", "seed", "30 tokens, stopped at the limit", "bits", "A new beginning"):
        assert expected in words


def test_a_text_that_ended_says_so_and_one_without_tokens_has_dashes():
    encoder = PieceEncoder.of("a", END_OF_TEXT)
    assert "0 tokens, the text ended by itself" in make_page(written(encoder, logits=lambda _: [0, 99]), "", {})
    page = Page(make_page(written(encoder, max_tokens=0), "a", {}))
    assert page.texts == ["a"]
    assert page.words.count("–") == 3


def test_what_would_act_is_made_visible():
    assert make_visible("a\tb\nc\x00\x7f\u202e\ud800") == "a\tb\nc⟨U+0000⟩⟨U+007F⟩⟨U+202E⟩⟨U+D800⟩"
    assert show_token(" \n\t\x1b") == "␣↵⇥⟨U+001B⟩"
    assert show_token("x" * 24) == "x" * 24
    assert show_token("x" * 25) == "x" * 23 + "…"
    assert len(show_token("x" * 10_000)) == len(show_token("\x1b" * 10_000)) == 24
