"""``textforge plugins``."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import click

from textforge.cli.group import Session, plugin_option
from textforge.cli.output import show

if TYPE_CHECKING:
    from textforge.plugins.registry import Plugin


COMMANDS = {
    "check": "Check that a component keeps its contract.",
    "new": "Write a plugin to begin with.",
}
"""The commands for plugins' authors, each in a module of its name behind ``plugins_``."""


class PluginsGroup(click.Group):
    """Imports a command when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"textforge.cli.plugins_{cmd_name}").command
        if not any(parameter.name == "plugin" for parameter in command.params):
            command.params.append(plugin_option())
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group("plugins", cls=PluginsGroup, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show what is installed, from where, and what failed.

    Each plugin stands with its distribution and version, the components it registered, or why it failed to load or
    was left out. The commands are for those who write plugins.
    """
    if context.invoked_subcommand is None:
        _show(context.obj, as_json)


def _show(session: Session, as_json: bool) -> None:
    from textforge.plugins.registry import DISABLE_VARIABLE, Plugin

    plugins = session.plugins()
    left_out = [Plugin(source) for source in plugins.disabled]
    if as_json:
        entries = [_to_json(plugin, None) for plugin in plugins.found]
        entries += [_to_json(plugin, DISABLE_VARIABLE) for plugin in left_out]
        show(json.dumps(entries, indent=2))
        return
    for plugin in plugins.found:
        show(f"{plugin.source.title}{_version(plugin)}")
        for kind, names in _by_kind(plugin).items():
            show(f"    {kind:<8} {', '.join(names)}")
        if plugin.error:
            show(f"    failed   {plugin.error}")
    for plugin in left_out:
        show(f"{plugin.source.title}{_version(plugin)}\n    left out by {DISABLE_VARIABLE}")


def _version(plugin: Plugin) -> str:
    return f" {plugin.source.version}" if plugin.source.version else ""


def _by_kind(plugin: Plugin) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for component in plugin.components:
        kinds.setdefault(component.kind, []).append(component.name)
    return kinds


def _to_json(plugin: Plugin, left_out_by: str | None) -> dict[str, Any]:
    return {
        "distribution": plugin.source.distribution,
        "version": plugin.source.version,
        "entry_point": plugin.source.name,
        "components": _by_kind(plugin),
        "error": plugin.error,
        "left_out_by": left_out_by,
    }
