from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from textforge.generation.stopping import StopFilter

TEXT = st.text("ab\n", max_size=20)
STOPS = st.lists(st.text("ab\n", min_size=1, max_size=5), min_size=1, max_size=4)


def by_find(text, stops):
    """Return what shows of a text, and whether a stop text was found."""
    places = [text.find(stop) for stop in stops if stop in text]
    return (text[: min(places)], True) if places else (text, False)


def run(pieces, stops):
    filter_ = StopFilter(stops)
    shown = []
    for piece in pieces:
        shown.append(filter_.push(piece))
        if filter_.found:
            break
    shown.append(filter_.finish())
    return shown, filter_


@given(st.lists(TEXT, max_size=8), STOPS)
@example(["ab"], ["b", "aba"])
@example(["a", "a", "b"], ["aab", "ab"])
def test_shows_what_stands_before_the_first_stop_text(pieces, stops):
    shown, filter_ = run(pieces, stops)
    assert ("".join(shown), filter_.found) == by_find("".join(pieces), stops)


@given(st.lists(TEXT, max_size=8), STOPS)
def test_never_shows_the_beginning_of_what_may_come(pieces, stops):
    filter_ = StopFilter(stops)
    seen = shown = ""
    for piece in pieces:
        seen, shown = seen + piece, shown + filter_.push(piece)
        if filter_.found:
            break
        for stop in stops:  # whatever comes next, no part of a stop text may have shown
            for length in range(1, len(stop) + 1):
                if seen.endswith(stop[:length]):
                    assert len(shown) <= len(seen) - length


@given(st.lists(TEXT, max_size=8), STOPS)
def test_shows_all_that_can_be_shown(pieces, stops):
    filter_ = StopFilter(stops)
    seen = shown = ""
    for piece in pieces:
        seen, shown = seen + piece, shown + filter_.push(piece)
        if filter_.found:
            return
        beginnings = {stop[:length] for stop in stops for length in range(1, len(stop))}
        begun = [place for place in range(len(seen) + 1) if seen[place:] in beginnings or place == len(seen)]
        assert len(shown) == begun[0]


@pytest.mark.parametrize("text", ["ENDxy", "xENDy", "xyEND", "END", "EENDx", "ENENDx"])
@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_a_stop_text_anywhere_and_across_pieces(text, size):
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    shown, filter_ = run(pieces, ["END"])
    assert "".join(shown) == text[: text.index("END")]
    assert filter_.found


def test_a_beginning_that_comes_to_nothing_is_shown():
    shown, filter_ = run(["x", "E", "N", "E"], ["END"])
    assert shown == ["x", "", "", "EN", "E"]
    assert not filter_.found


def test_nothing_more_is_shown_after_a_stop_text():
    filter_ = StopFilter(["."])
    assert [filter_.push("a.b"), filter_.push("c"), filter_.finish()] == ["a", "", ""]


def test_a_match_waits_for_a_longer_one_that_began_before_it():
    filter_ = StopFilter(["b", "abc"])
    assert (filter_.push("xab"), filter_.found) == ("x", False)
    assert (filter_.push("c"), filter_.found) == ("", True)
    shown, other = run(["xab", "d"], ["b", "abc"])
    assert ("".join(shown), other.found) == ("xa", True)
    shown, other = run(["xab"], ["b", "abc"])
    assert ("".join(shown), other.found) == ("xa", True)


@pytest.mark.parametrize(
    ("pieces", "tokens"), [(["a", "b", "."], 2), (["a.", "b"], 1), (["ab", "", "."], 1), (["."], 0), (["ab", "c"], 2)]
)
def test_counts_the_pieces_that_show(pieces, tokens):
    assert run(pieces, ["."])[1].shown_pieces == tokens
