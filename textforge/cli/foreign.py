"""Commands that plugins bring.

Those that an entry point of the group ``textforge.commands`` names are known, and listed, without an import. Those that
a plugin's hook registers are found when they are run, and listed where ``--plugin`` names the plugin.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

import click

from textforge.plugins.entry_points import COMMANDS, DISABLE_VARIABLE, Point, is_left_out, normalize, read_points

if TYPE_CHECKING:
    from textforge.plugins.registry import Command, Plugins


class Listed(NamedTuple):
    """A plugin's command as ``textforge --help`` lists it."""

    name: str
    """The word to type: the name, or ``name@distribution`` where something else has the name."""
    summary: str


class Foreign(NamedTuple):
    """A plugin's command that was found, and whose it is."""

    command: click.Command
    title: str
    """The name of the command and its plugin in messages."""


def read_commands() -> list[Point]:
    """Return the entry points of commands, without those that are left out."""
    disabled = os.environ.get(DISABLE_VARIABLE, "")
    points = [point for point in read_points([COMMANDS]) if point.error is None]
    return [point for point in points if not is_left_out(point.distribution, point.name, disabled)]


def name_origin(distribution: str | None) -> str:
    """Return the name of a distribution's plugin in messages."""
    return f"the plugin {distribution}" if distribution else "a plugin"


def list_foreign(points: Collection[Point], plugins: Plugins | None, taken: Collection[str]) -> list[Listed]:
    """Return the commands that ``--help`` lists: those of entry points and of `plugins`, by name.

    One that can't be reached by its name, for it is `taken` or two have it, is listed as ``name@distribution``.
    """
    origins = {(point.name, point.distribution): f"From {name_origin(point.distribution)}." for point in points}
    for command in plugins.commands() if plugins else ():
        source = command.source
        origins[command.name, source.distribution or source.handle] = command.summary or f"From {source.title}."
    return sorted(_name_apart(origins, taken))


def _name_apart(origins: dict[tuple[str, str | None], str], taken: Collection[str]) -> Iterator[Listed]:
    names = [name for name, _ in origins]
    for (name, origin), summary in origins.items():
        if name in taken:
            yield Listed(f"{name}@{origin}", f"{summary} Hidden by textforge's own.")
        else:
            yield Listed(name if names.count(name) == 1 else f"{name}@{origin}", summary)


def load_foreign(name: str, points: Collection[Point], plugins: Plugins | None) -> Foreign | None:
    """Return the command of that name, or ``name@distribution``; None where no entry point and no hook has it.

    `plugins` are None where nothing but an entry point can have it. Raises `PluginError` where it can't be imported, is
    no click command, or several plugins have it.
    """
    if plugins is None:
        bare, _, handle = name.partition("@")
        meant = [point for point in points if point.name == bare and _is_called(point, handle)]
        return _load_point(meant[0]) if len(meant) == 1 else None
    from textforge.errors import AmbiguousComponent, UnknownComponent

    try:
        return _load(plugins.command(name))
    except AmbiguousComponent:
        raise
    except UnknownComponent:
        return None


def _is_called(point: Point, handle: str) -> bool:
    return not handle or normalize(handle) == normalize(point.distribution or "")


def _load_point(point: Point) -> Foreign:
    """Import a command without looking at any other plugin."""
    from textforge.errors import PluginError, state_error

    title = f"the command {point.name!r} of {name_origin(point.distribution)}"

    try:
        command = point.load()
    except (Exception, SystemExit) as error:
        raise PluginError(f"{title} can't be loaded: {state_error(error)}; install the plugin again") from error
    return Foreign(check_command(command, point.value, title), title)


def _load(command: Command) -> Foreign:
    title = f"the command {command.name!r} of the plugin {command.source.title}"
    return Foreign(check_command(command.load(), command.by, title), title)


def check_command(command: object, by: str, title: str) -> click.Command:
    """Return a command that was imported; raises `PluginError` for anything else."""
    from textforge.errors import PluginError

    if not isinstance(command, click.Command):
        raise PluginError(f"{by}, which should be {title}, is no click command")
    return command
