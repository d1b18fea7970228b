"""Commands that plugins bring, by the entry-point group ``textforge.commands``: listed without importing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

COMMAND_GROUP = "textforge.commands"


def foreign_commands() -> dict[str, EntryPoint]:
    """The entry points by name."""
    from importlib.metadata import entry_points  # a tenth of a second that no command of our own needs

    try:
        return {point.name: point for point in entry_points(group=COMMAND_GROUP)}
    except Exception:  # somebody's metadata is damaged; `textforge plugins` says whose
        return {}


def origin(point: EntryPoint) -> str:
    """Whose command it is."""
    try:
        name = point.dist.name if point.dist else None
    except Exception:  # metadata that is missing says nothing against the command
        name = None
    return f"the plugin {name}" if name else "a plugin"


def load_foreign(point: EntryPoint) -> click.Command:
    """The command of an entry point.

    Raises `PluginError` where it can't be imported, or is something else.
    """
    from textforge.errors import PluginError

    try:
        command = point.load()
    except (Exception, SystemExit) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise PluginError(
            f"the command {point.name!r} of {origin(point)} can't be loaded: {reason}; install the plugin again"
        ) from error
    if not isinstance(command, click.Command):
        raise PluginError(
            f"{point.value}, which {origin(point)} names as the command {point.name!r}, is no click command"
        )
    return command
