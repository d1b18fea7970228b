"""Entry points of what is installed, read from metadata; imports nothing but the standard library.

A distribution brings textforge something by an entry point of one of these groups:

    textforge                   a module with hooks, imported at the first look-up
    textforge.samplers          NAME = "package.module:Class", imported when NAME is looked up; likewise .corpora,
                                .encoders, .architectures, .backends, .formats, .reports and .metrics
    textforge.implementations   "BACKEND.ARCHITECTURE" = "package.module:Name", imported when a model is made
    textforge.format_implementations    "FORMAT.ARCHITECTURE", likewise, imported when a model is exported
    textforge.commands          NAME = "package.module:command", a click command, imported when it is run
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from textforge.names import CORE

if TYPE_CHECKING:
    import importlib.metadata

_CORE_BEFORE = "textforge"
"""Its name until 0.2, which stands in bundles, and behind ``@`` in what people wrote."""
MODULES = "textforge"
COMMANDS = "textforge.commands"
DISABLE_VARIABLE = "TEXTFORGE_DISABLE_PLUGINS"


class Point(NamedTuple):
    """An entry point, and the distribution that has it."""

    group: str
    name: str
    value: str
    distribution: str | None
    version: str | None
    error: str | None = None
    """The reason why the distribution's entry points can't be read, where they can't; then there is no `value`."""

    @property
    def path(self) -> str:
        """The import path, without what an installer reads of it."""
        return self.value.partition("[")[0].strip()

    def load(self) -> Any:
        """Import what it names."""
        import importlib.metadata

        return importlib.metadata.EntryPoint(self.name, self.value, self.group).load()


def read_points(groups: Iterable[str]) -> list[Point]:
    """Return the entry points of these groups, of every installed distribution."""
    import importlib.metadata  # 15 ms, which the help of our own commands does without

    groups = tuple(groups)
    titles: dict[int, tuple[str | None, str | None]] = {}
    try:
        everything = importlib.metadata.entry_points()
        points = [point for group in groups for point in everything.select(group=group)]
        return [_make_point(point, point.dist, titles) for point in points]
    except Exception:  # one distribution's unreadable file must not hide the others
        found = [point for each in importlib.metadata.distributions() for point in _read_one(each, groups)]
        return list(dict.fromkeys(found))  # a folder may be on the path twice


def _read_one(distribution: importlib.metadata.Distribution, groups: tuple[str, ...]) -> Iterator[Point]:
    titles: dict[int, tuple[str | None, str | None]] = {}
    try:
        points = [point for group in groups for point in distribution.entry_points.select(group=group)]
        yield from [_make_point(point, distribution, titles) for point in points]
    except Exception as error:
        reason = f"its entry_points.txt can't be read ({type(error).__name__}); install it again"
        yield Point(MODULES, "entry_points.txt", "", *_read_title(distribution), reason)


def _make_point(
    point: importlib.metadata.EntryPoint,
    distribution: importlib.metadata.Distribution | None,
    titles: dict[int, tuple[str | None, str | None]],
) -> Point:
    if id(distribution) not in titles:  # its metadata is parsed each time it is asked for
        titles[id(distribution)] = _read_title(distribution)
    return Point(point.group, point.name, point.value, *titles[id(distribution)])


def _read_title(distribution: importlib.metadata.Distribution | None) -> tuple[str | None, str | None]:
    """Return a distribution's name and version; None for each that its metadata doesn't say."""
    try:
        return (distribution.name, distribution.version) if distribution else (None, None)
    except Exception:  # metadata that is missing says nothing against the plugin
        return None, None


def is_left_out(distribution: str | None, name: str, disabled: str) -> bool:
    """Return whether the value of ``TEXTFORGE_DISABLE_PLUGINS`` leaves a distribution's entry point out."""
    if is_core(distribution):
        return False
    names = {normalize(each) for each in disabled.split(",")} - {""}
    return bool(names & {"all", "1", normalize(name), normalize(distribution or "")})


def is_core(distribution: str | None) -> bool:
    """Return whether a distribution, by its name of today or before, is textforge itself.

    >>> is_core("textforge-lm"), is_core("textforge"), is_core("textforge-lipogram"), is_core(None)
    (True, True, False, False)
    """
    return normalize(distribution or "") in (CORE, _CORE_BEFORE)


def normalize(name: str) -> str:
    """Return a name as package indexes compare it.

    >>> normalize("Textforge_Min.P")
    'textforge-min-p'
    """
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
