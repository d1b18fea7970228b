"""Specs: components and chains as text.

    chain = spec { "|" spec }                       spaces around "|" are free
    spec  = name [ "@" distribution ] [ ":" [ first { "," pair } ] ]
    first = pair | value                            a bare first value is the first option's
    pair  = key "=" value                           split at the first "="
    name  = two characters or more: lower-case letters, digits and "-"
    distribution = letters, digits, "-", "_" and ".": the plugin that is meant, where several have the name
    key   = letters, digits, "_" and "-"
    value = JSON string | JSON array | JSON object | bare
    bare  = any characters but "," "|" and control characters, not beginning with '"' "[" "{"

A path or URL stands bare, backslashes and all, unless it has a "," or "|", or looks like a pair. In quotes, as JSON
has it, a backslash is written twice.

>>> [spec.name for spec in parse_chain("top-k:40 | temperature:0.8")]
['top-k', 'temperature']
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from json import JSONDecodeError, JSONDecoder
from typing import Any

import attrs

from textforge.components.component import Component, build, name_distribution
from textforge.components.slips import rewrite_chain, rewrite_spec
from textforge.components.values import Bare, is_control, quote
from textforge.errors import SpecError

NAME = re.compile(r"[a-z0-9][a-z0-9-]+")
_DISTRIBUTION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_KEY = re.compile(r" *([A-Za-z_][A-Za-z0-9_-]*) *=")


@attrs.frozen
class Spec:
    """A component's name, the distribution where one is named, and the values written behind it."""

    name: str
    first: Any = None
    pairs: dict[str, Any] = attrs.field(factory=dict)
    distribution: str | None = None

    @property
    def reference(self) -> str:
        """The name, with ``@`` and the distribution where one is named."""
        return f"{self.name}@{self.distribution}" if self.distribution else self.name

    def build(self, cls: type[Component]) -> Component:
        """Return the component of that class with these values; its own spec names the distribution too."""
        component = build(cls, self.first, self.pairs)
        return name_distribution(component, self.distribution) if self.distribution else component


def parse_spec(text: str) -> Spec:
    """Return one component's spec; raises `SpecError` where it can't be read, or is a chain."""
    specs = _parse(text, rewrite_spec)
    if len(specs) != 1:
        raise SpecError(f"one component is expected here, got a chain of {len(specs)}: {quote(text)}")
    return specs[0]


def parse_chain(text: str) -> list[Spec]:
    """Return the specs of a chain, in order; raises `SpecError` where one can't be read."""
    return _parse(text, rewrite_chain)


def _parse(text: str, rewrite: Callable[[str], str | None]) -> list[Spec]:
    """Return the specs of a chain; an error proposes what was probably meant, where that can be read."""
    try:
        return _Scanner(text).chain()
    except SpecError as error:
        meant = rewrite(text)
        if meant is None or not _can_be_read(meant):
            raise
        raise SpecError(f"{error}; did you mean {quote(meant)}?") from None


def _can_be_read(text: str) -> bool:
    try:
        _Scanner(text).chain()
    except SpecError:
        return False
    return True


def write_chain(components: Iterable[Component]) -> str:
    """Return the chain's text, which reads back equal."""
    return " | ".join(component.spec for component in components)


class _Scanner:
    """A scanner that reads a chain from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def chain(self) -> list[Spec]:
        specs = [self.spec()]
        while self.at < len(self.text):
            self.at += 1  # the "|" that ended the spec before
            specs.append(self.spec())
        return specs

    def spec(self) -> Spec:
        self.skip_spaces()
        name, distribution = self.name(), self.distribution()
        if not self.next_is(":"):
            self.skip_spaces()
            self.expect_end(f"after the name {quote(name)}")
            return Spec(name, distribution=distribution)
        self.at += 1
        first, pairs = self.values(name)
        return Spec(name, first, pairs, distribution)

    def name(self) -> str:
        found = NAME.match(self.text, self.at)
        if not found:
            raise self.error("a name (lower-case letters, digits and '-', two or more) is expected")
        self.at = found.end()
        return found.group()

    def distribution(self) -> str | None:
        if not self.next_is("@"):
            return None
        found = _DISTRIBUTION.match(self.text, self.at + 1)
        if not found:
            raise self.error("a distribution's name is expected after '@'")
        self.at = found.end()
        return found.group()

    def values(self, name: str) -> tuple[Any, dict[str, Any]]:
        first: Any = None
        pairs: dict[str, Any] = {}
        self.skip_spaces()
        if self.at == len(self.text) or self.next_is("|"):
            return first, pairs
        while True:
            start = self.at
            key, value = self.key(), self.value()
            if key is None and (pairs or first is not None):
                raise self.error(
                    f"in {quote(name)}, only the first value may stand without its option's name; "
                    "a value with ',' in it stands in quotes",
                    start,
                )
            if key is None:
                first = value
            elif key in pairs:
                raise self.error(f"in {quote(name)}, {quote(key)} is given twice", start)
            else:
                pairs[key] = value
            if not self.next_is(","):
                return first, pairs
            self.at += 1
            self.skip_spaces()

    def key(self) -> str | None:
        found = _KEY.match(self.text, self.at)
        if not found:
            return None
        self.at = found.end()
        return found.group(1)

    def value(self) -> Any:
        self.skip_spaces()
        return self.json() if self.text[self.at : self.at + 1] in ('"', "[", "{") else self.bare()

    def json(self) -> Any:
        value, self.at = self.decode()
        self.skip_spaces()
        if self.at < len(self.text) and self.text[self.at] not in ",|":
            raise self.error("',' or '|' is expected after a value")
        return value

    def decode(self) -> tuple[Any, int]:
        decoder = JSONDecoder(object_pairs_hook=self.refuse_duplicates, parse_constant=self.read_constant)
        try:
            return decoder.raw_decode(self.text, self.at)
        except JSONDecodeError as error:
            raise self.error(f"JSON is expected: {error.msg}{self.advice(error)}", error.pos) from None
        except SpecError:
            raise
        except (RecursionError, ValueError):  # Python's own limits
            raise self.error("the value is nested too deeply, or has a number of too many digits") from None

    def advice(self, error: JSONDecodeError) -> str:
        if "escape" in error.msg:
            return "; in quotes, a backslash is written twice"
        opening = self.text[self.at]
        return "" if opening == '"' else f"; a text that begins with {opening!r} stands in quotes"

    def refuse_duplicates(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise self.error("a key is given twice")
        return table

    def read_constant(self, text: str) -> float:
        if text == "NaN":
            raise self.error("NaN is not a value")
        return float(text)

    def bare(self) -> Bare:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in ",|":
            if is_control(self.text[self.at]):
                raise self.error('a control character must stand in quotes, as in "\\n"')
            self.at += 1
        text = self.text[start : self.at].strip(" ")
        if not text:
            raise self.error('a value is expected; an empty text is written ""', start)
        return Bare(text)

    def skip_spaces(self) -> None:
        while self.next_is(" "):
            self.at += 1

    def next_is(self, character: str) -> bool:
        return self.text[self.at : self.at + 1] == character

    def expect_end(self, where: str) -> None:
        if self.at < len(self.text) and self.text[self.at] != "|":
            raise self.error(f"':', '|' or the end is expected {where}")

    def error(self, message: str, at: int | None = None) -> SpecError:
        place = (self.at if at is None else at) + 1
        return SpecError(f"can't read {quote(self.text)} at character {place}: {message}")
