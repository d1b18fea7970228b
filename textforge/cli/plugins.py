"""``textforge plugins``."""

from __future__ import annotations

import importlib

import click

from textforge.cli.group import plugin_option

COMMANDS = {
    "check": "Check that a component keeps its contract.",
    "new": "Write a plugin to begin with.",
}
"""The commands for plugins' authors, each in a module of its name behind ``plugins_``."""


class PluginsGroup(click.Group):
    """A group that imports a command when it is run."""

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

    Each plugin stands with its distribution and version, what it brought, the time that importing it took, and what
    failed to load, was left out, or is hidden by another of its name. Where something failed, the exit status is 1. The
    commands are for those who write plugins.
    """
    if context.invoked_subcommand is None:
        from textforge.cli.plugins_list import show_plugins

        if not show_plugins(context.obj, as_json):
            context.exit(1)
