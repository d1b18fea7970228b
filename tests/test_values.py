from __future__ import annotations

import enum
import json
import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any, Optional, Union

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinds import KINDS, TEXTS, strategy

from textforge.components import values
from textforge.components.values import Bare


class Colour(str, enum.Enum):  # noqa: UP042 -- not StrEnum, whose `str()` is its value
    RED = "red"


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(max_examples=25)
@given(data=st.data())
def test_what_is_kept_is_kept_again(kind: Any, data: st.DataObject) -> None:
    value = data.draw(strategy(kind))
    checked = values.check(value, kind)
    assert checked == value
    assert values.check(checked, kind) == checked
    assert type(values.check(checked, kind)) is type(checked)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(max_examples=25)
@given(data=st.data())
def test_what_is_written_is_printable_and_on_one_line(kind: Any, data: st.DataObject) -> None:
    written = values.write(values.check(data.draw(strategy(kind)), kind), kind)
    assert written
    assert written.isprintable()


SURROGATES = st.text(alphabet='a"\\\ud83d\udbff\udc00\ude00\U0001f600\U000e0001\n,', max_size=8)


@given(value=st.one_of(SURROGATES, st.lists(SURROGATES).map(tuple), st.dictionaries(SURROGATES, SURROGATES)))
def test_surrogates_that_json_would_join_stay_apart(value: Any) -> None:
    kind = str | tuple[str, ...] | dict[str, str]
    written = values.write(value, kind)
    assert re.sub(r"[\ud800-\udbff](?=\\ud[c-f])", "", written).isprintable()
    assert values.check(json.loads(written) if written[0] in '"[{' else Bare(written), kind) == value


@given(text=TEXTS, kind=st.sampled_from(KINDS))
def test_a_bare_text_is_read_or_refused_with_one_short_line(text: str, kind: Any) -> None:
    message = ""
    try:
        values.check(Bare(text), kind)
    except ValueError as error:
        message = str(error)
    assert message == "" or message.startswith(f"must be {values.describe(kind)}, got ")
    assert message.isprintable()
    assert len(message) < 200


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("none", int | None, None),
        ("none", str | None, None),
        ("none", str, "none"),
        ("true", bool, True),
        ("true", bool | str, True),
        ("true", str, "true"),
        ("40", int, 40),
        ("40", float, 40.0),
        ("40", str, "40"),
        ("40", int | str, 40),
        ("-1e-3", float, -0.001),
        ("inf", float, math.inf),
        ("a b", tuple[str, ...], ("a b",)),
        ("3", tuple[int, ...], (3,)),
        ("none", tuple[str, ...] | None, None),
    ],
)
def test_a_bare_text_is_read_by_the_kind(text: str, kind: Any, value: Any) -> None:
    found = values.check(Bare(text), kind)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("True", bool),
        ("1", bool),
        ("1.0", int),
        ("1_000", int),
        ("٣", int),
        ("٣", float),
        ("0x10", int),
        ("", int),
        ("nan", float),
        ("none", int),
        ("null", int | None),
        ("a", dict[str, int]),
        ("9" * 5000, int),
    ],
)
def test_a_bare_text_of_another_kind_is_refused(text: str, kind: Any) -> None:
    with pytest.raises(ValueError, match=r"^must be "):
        values.check(Bare(text), kind)


@pytest.mark.parametrize(
    ("value", "kind", "kept"),
    [
        (2, float, 2.0),
        (np.int64(3), int, 3),
        (np.float32(0.5), float, 0.5),
        (Fraction(1, 4), float, 0.25),
        (Colour.RED, str, "red"),
        (np.str_("a"), str, "a"),
        ([1, 2], tuple[int, ...], (1, 2)),
        ([1, 2], tuple[float, ...], (1.0, 2.0)),
        ([[1], []], tuple[tuple[int, ...], ...], ((1,), ())),
        ([0.5], tuple[int, ...] | tuple[float, ...], (0.5,)),
        ({Colour.RED: [1]}, dict[str, tuple[int, ...]], {"red": (1,)}),
        (1, int | float, 1),
        (1.0, int | float, 1.0),
        (2**60 + 1, float | int, 2**60 + 1),
    ],
)
def test_a_value_is_kept_in_the_form_of_its_kind(value: Any, kind: Any, kept: Any) -> None:
    found = values.check(value, kind)
    assert found == kept
    assert repr(found) == repr(kept)  # the types within too


def test_a_table_is_a_copy() -> None:
    given = {"a": 1}
    assert values.check(given, dict[str, int]) is not given


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("high", float, "must be a number, got 'high'"),
        (True, float, "must be a number, got true"),
        (False, int, "must be a whole number, got false"),
        (1, bool, "must be true or false, got 1"),
        (1.0, int, "must be a whole number, got 1.0"),
        (math.nan, float, "must be a number, got NaN"),
        (np.float32("nan"), float | None, "must be a number or none, got NaN"),
        (Decimal(1), float, "must be a number, got Decimal('1')"),
        (10**400, float, "must be a number, got 1000"),
        pytest.param(10**5000, float, "must be a number, got a value of type int", id="digits"),
        (None, int, "must be a whole number, got None"),
        (b"a", str, "must be text, got b'a'"),
        ("a", tuple[str, ...], "must be a list, each text, got 'a'"),
        (["a", 1], tuple[str, ...], "must be a list, each text, got ['a', 1]"),
        ([math.nan], tuple[float, ...], "must be a list, each a number, got [nan]"),
        ({1: 1}, dict[str, int], "must be a table from text to a whole number, got {1: 1}"),
        ({"a": "b"}, dict[str, int], "must be a table from text to a whole number, got {'a': 'b'}"),
        (np.arange(2), int, "must be a whole number, got array([0, 1])"),
        (Unspeakable(), int, "must be a whole number, got a value of type Unspeakable"),
    ],
)
def test_a_value_of_another_kind_is_refused(value: Any, kind: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        values.check(value, kind)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (int | None, "a whole number or none"),
        (Optional[float], "a number or none"),  # noqa: UP045
        (Union[str, bool], "text or true or false"),  # noqa: UP007
        (tuple[int | None, ...], "a list, each a whole number or none"),
        (dict[str, float], "a table from text to a number"),
    ],
)
def test_a_kind_in_words(kind: Any, words: str) -> None:
    assert values.describe(kind) == words


@pytest.mark.parametrize(
    "kind",
    [list[int], tuple[int, int], tuple[int], tuple, dict, dict[int, str], bytes, [int], "int", set[str], int | bytes],
    ids=str,
)
def test_a_kind_no_option_can_have(kind: Any) -> None:
    with pytest.raises(TypeError, match=r"^can't be of type .*: use bool, int, float, str, tuple\[X, \.\.\.\] or dict"):
        values.describe(kind)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", r"'a\nb'"),
        (Bare("a\rb\x1b[31m"), r"a\rb\x1b[31m"),
        ("\u202eevil", r"'\u202eevil'"),
        ("café", "'café'"),
        (True, "true"),
        (None, "None"),
        (np.zeros((2, 1)), "array([[0.], [0.]])"),
        (Unspeakable(), "a value of type Unspeakable"),
    ],
)
def test_a_value_is_shown_on_one_line(value: Any, text: str) -> None:
    assert values.quote(value) == text


@given(value=st.one_of(st.text(), st.binary(), st.lists(st.text()), st.text().map(Bare)))
def test_a_shown_value_is_short_and_printable(value: Any) -> None:
    assert values.quote(value).isprintable()
    assert len(values.quote(value)) <= 60


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        ("a b", str, "a b"),
        ("C:\\texts\\a.txt", str, "C:\\texts\\a.txt"),
        ("none", str, "none"),
        ("none", str | None, '"none"'),
        ("1", str | int, '"1"'),
        (" a", str, '" a"'),
        ("", str, '""'),
        ("a,b", str, '"a,b"'),
        ("a=b", str, '"a=b"'),
        ("[a]", str, '"[a]"'),
        ("\n\u2028\U000e0001", str, r'"\n\u2028\udb40\udc01"'),
        ("\udc80", str, r'"\udc80"'),
        (None, int | None, "none"),
        (True, bool, "true"),
        (0.1, float, "0.1"),
        (2.0, float, "2.0"),
        ((), tuple[str, ...], "[]"),
        (("a",), tuple[str, ...], "a"),
        ({"é": math.inf}, dict[str, float], '{"é": Infinity}'),
    ],
)
def test_a_value_is_written_bare_where_that_is_safe(value: Any, kind: Any, written: str) -> None:
    assert values.write(value, kind) == written
