from __future__ import annotations

import json
import math
import os
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from kinds import KINDS, TEXTS, strategy

from textforge.components.component import Component, option
from textforge.components.spec import Spec, parse_chain, parse_spec, write_chain
from textforge.errors import OptionError, SpecError


class Everything(Component):
    name = "everything"
    text: str = option(default="", help="A text.")
    maybe: str | None = option(default=None, help="A text or none.")
    count: int = option(default=1, help="A whole number.")
    rate: float | None = option(default=0.5, help="A number or none.")
    flag: bool = option(default=False, help="Yes or no.")
    mixed: int | float | bool | str | None = option(default=None, help="Anything simple.")
    names: tuple[str, ...] = option(default=(), help="Texts.")
    tables: dict[str, dict[str, tuple[float | None, ...]]] = option(default={}, help="Tables of lists.")


class Only(Component):
    name = "on-ly"
    text: str = option(help="A text.")


class Lead(Component):
    name = "lead"
    lead: str = option(help="Stands first.")


class Plain(Component):
    name = "42"


def everythings() -> st.SearchStrategy[Everything]:
    fields = {name: strategy(found.kind) for name, found in Everything.options().items()}
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: Everything(**given))


CLASSES = {cls.name: cls for cls in (Everything, Only, Plain)}
COMPONENTS = st.one_of(everythings(), TEXTS.map(Only), st.builds(Plain))


def read(text: str) -> list[Component]:
    return [spec.build(CLASSES[spec.name]) for spec in parse_chain(text)]


@given(component=COMPONENTS)
@example(Everything(text='"', maybe="a,b|c=d", mixed="true"))
@example(Everything(text="line\nline\r\n\t\x00\x85\u2028"))
@example(Everything(text="https://user:pw@host:80/a?b=c&d=e,f#g|h", maybe="none"))
@example(Everything(text="C:\\texts\\new\\a.txt", maybe="\\\\server\\share\\"))
@example(Everything(mixed="1", rate=-0.0, count=-(10**30)))
@example(Everything(mixed="nan", rate=math.inf, names=("", " ", "]", "none")))
@example(Everything(tables={"": {"a,b|": (None, -math.inf, 1e-300)}}))
@example(Only("x=y"))
@example(Only(""))
def test_what_is_written_reads_back_equal(component: Component) -> None:
    written = component.spec
    assert written.isprintable()
    assert read(written) == [component]
    assert read(written)[0].spec == written


@given(chain=st.lists(COMPONENTS, min_size=1, max_size=4), spaces=st.sampled_from(["|", " | ", "  |   ", " |"]))
def test_a_chain_that_is_written_reads_back_equal(chain: list[Component], spaces: str) -> None:
    assert read(write_chain(chain)) == chain
    assert read(spaces.join(component.spec for component in chain)) == chain


def lone(kind: Any) -> type[Any]:
    body = {"name": "lone", "__annotations__": {"value": kind}, "value": option(help="A value.")}
    return type(Component)("Lone", (Component,), body)


def second(kind: Any) -> type[Any]:
    body = {"name": "second", "__annotations__": {"value": kind}, "value": option(help="A value.")}
    return type(Component)("Second", (Lead,), body)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(max_examples=25)
@given(data=st.data())
def test_every_kind_alone_and_among_others_reads_back_equal(kind: Any, data: st.DataObject) -> None:
    value = data.draw(strategy(kind))
    for component in (lone(kind)(value), second(kind)("first", value)):
        assert parse_spec(component.spec).build(type(component)) == component


def test_a_file_name_that_is_no_unicode_reads_back_and_can_be_printed() -> None:
    component = Only(os.fsdecode(b"caf\xe9.txt"))
    component.spec.encode("utf-8")
    assert read(component.spec) == [component]


@given(text=st.text(alphabet="a\ud83d\udbff\udc00\ude00\U0001f600", max_size=8))
@example("\ud83d\ude00")
def test_surrogates_that_json_would_join_read_back_apart(text: str) -> None:
    for component in (Only(text), Everything(names=(text, "x"), maybe=text)):
        assert read(component.spec) == [component]


@given(text=st.one_of(TEXTS, TEXTS.map(lambda text: f"everything:{text}"), TEXTS.map(lambda text: f"on-ly:{text}")))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    message, chain = "", []
    try:
        chain = read(text)
    except KeyError:
        assume(False)  # a name that isn't one of ours
    except (SpecError, OptionError) as error:
        message = str(error)
    assert message.isprintable()
    assert len(message) < 500
    assert message or read(write_chain(chain)) == chain


@given(value=st.recursive(st.one_of(st.integers(), TEXTS), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_quoted_values_are_json(value: Any) -> None:
    text = json.dumps(value if isinstance(value, (list, str)) else [value])
    assert parse_spec(f"ab:x={text},y=1").pairs == {"x": json.loads(text), "y": "1"}


@pytest.mark.parametrize(
    ("text", "first", "pairs"),
    [
        ("top-k", None, {}),
        ("top-k:", None, {}),
        ("top-k:  ", None, {}),
        ("  top-k:40  ", "40", {}),
        ("top-k:k=40", None, {"k": "40"}),
        ("top-k: k = 40 , j = 2", None, {"k": "40", "j": "2"}),
        ("torch:256,num_layers=2", "256", {"num_layers": "2"}),
        ("word:hidden-size=3", None, {"hidden-size": "3"}),
        (r"files:C:\texts\a.txt", r"C:\texts\a.txt", {}),
        (r'files:"C:\\texts\\a,b.txt"', r"C:\texts\a,b.txt", {}),
        ("web:https://host/a?b=c&d=e", "https://host/a?b=c&d=e", {}),
        ("web:url=https://host/a?b=c", None, {"url": "https://host/a?b=c"}),
        ('web:"https://host/a,b"', "https://host/a,b", {}),
        ('ab:"x|y, z=1"', "x|y, z=1", {}),
        ('ab:["a|b", "c,d"],x=1', ["a|b", "c,d"], {"x": "1"}),
        ('ab:{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}, {}),
        ('ab:""', "", {}),
        ("ab:naïve 日本", "naïve 日本", {}),
        ("ab:=3", "=3", {}),
        ("ab:é=3", "é=3", {}),
        ("ab:a[1]", "a[1]", {}),
        ('ab:x="\\u00e9"', None, {"x": "é"}),
    ],
)
def test_a_spec_is_read(text: str, first: Any, pairs: dict[str, Any]) -> None:
    spec = parse_spec(text)
    assert (spec.first, spec.pairs) == (first, pairs)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("top-k:40|temperature:0.8", ["top-k", "temperature"]),
        ("top-k:40  |  temperature", ["top-k", "temperature"]),
        ("ab:|cd:", ["ab", "cd"]),
        ('ab:"|"|cd:x="a|b"|ef', ["ab", "cd", "ef"]),
    ],
)
def test_a_chain_is_read(text: str, names: list[str]) -> None:
    assert [spec.name for spec in parse_chain(text)] == names


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", 1, "a name (lower-case letters"),
        ("   ", 4, "a name"),
        ("a:1", 1, "a name"),
        (r"C:\a.txt", 1, "a name"),
        ("Top-K:1", 1, "a name"),
        ("|ab", 1, "a name"),
        ("ab|", 4, "a name"),
        ("ab||cd", 4, "a name"),
        ("ab cd", 4, "':', '|' or the end is expected after the name 'ab'"),
        ("ab :1", 4, "':', '|' or the end is expected"),
        ("ab\n", 3, "':', '|' or the end is expected"),
        ("ab:,", 4, 'a value is expected; an empty text is written ""'),
        ("ab:1,", 6, "a value is expected"),
        ("ab:1,,x=2", 6, "a value is expected"),
        ("ab:x=", 6, "a value is expected"),
        ("ab:x= |cd", 7, "a value is expected"),
        ("ab:1,2", 6, "only the first value may stand without its option's name; a value with ',' in it"),
        ("ab:x=1,2", 8, "only the first value may stand"),
        ("ab:x=1,x=2", 8, "'x' is given twice"),
        ("ab:x=a\tb", 7, "a control character must stand in quotes"),
        ("ab:\nx=1", 4, "a control character"),
        ('ab:"x', 4, "JSON is expected: Unterminated string"),
        ('ab:"a"b', 7, "',' or '|' is expected after a value"),
        (r'ab:"C:\a"', 7, "in quotes, a backslash is written twice"),
        ("ab:[a-z].txt", 5, "a text that begins with '[' stands in quotes"),
        ("ab:{x}", 5, "a text that begins with '{' stands in quotes"),
        ("ab:[1, NaN]", 4, "NaN is not a value"),
        ('ab:{"x": 1, "x": 2}', 4, "a key is given twice"),
        ('ab:[{"x": {"y": 1, "y": 1}}]', 4, "a key is given twice"),
        ("ab:[" + "9" * 5000 + "]", 4, "too many digits"),
        ("ab:" + "[" * 100_000, 4, "nested too deeply"),
    ],
)
def test_what_cant_be_read_is_said_with_its_place(text: str, place: int, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_chain(text)
    assert f"at character {place}: " in str(caught.value)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


def test_one_component_is_no_chain() -> None:
    with pytest.raises(SpecError, match=r"^one component is expected here, got a chain of 2: 'ab \| cd'$"):
        parse_spec("ab | cd")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("everything:cuont=1", OptionError, "everything: there is no option 'cuont'; its options are text, maybe"),
        ("everything:cuont=1", OptionError, "; did you mean 'count'?"),
        ("everything:no-flag=1", OptionError, "there is no option 'no-flag'"),
        ("everything:a,text=b", SpecError, "everything: text is given twice; the first value is text's"),
        ("everything:count=many", OptionError, "everything: count must be a whole number, got 'many'"),
        ("on-ly", OptionError, "on-ly: text is needed: write on-ly:text=…"),
        ("42:1", OptionError, "42: it has no options, got '1'"),
        ("42:x=1", OptionError, "42: there is no option 'x'; it has none"),
    ],
)
def test_what_cant_be_built_is_said_with_the_components_name(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        read(text)
    assert message in str(caught.value)


def test_a_spec_leaves_out_what_is_as_declared() -> None:
    assert Everything().spec == "everything"
    assert Everything(count=1, rate=0.5).spec == "everything"
    assert Everything("a", count=2).spec == "everything:text=a,count=2"
    assert Only("a b").spec == "on-ly:a b"
    assert Plain().spec == "42"


def test_a_spec_is_compared_by_what_it_says() -> None:
    assert parse_spec("ab:x=1,y=2") == Spec("ab", None, {"y": "2", "x": "1"})
