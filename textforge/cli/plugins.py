"""``textforge plugins``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from textforge.cli.group import Session
from textforge.cli.output import show

if TYPE_CHECKING:
    from textforge.plugins import Plugin


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def command(session: Session, as_json: bool) -> None:
    """Show what is installed, from where, and what failed.

    Each plugin stands with its distribution and version, the components it registered, or why it failed to load or
    was left out.
    """
    from textforge.plugins import DISABLE_VARIABLE, Plugin

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
