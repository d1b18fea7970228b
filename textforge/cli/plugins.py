"""``textforge plugins``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from textforge.cli.group import Session

if TYPE_CHECKING:
    from textforge.plugins import Plugin


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def command(session: Session, as_json: bool) -> None:
    """Show what is installed, from where, and what failed.

    Each plugin stands with its distribution and version, the components it registered, or why it failed to load.
    """
    found = session.plugins().found
    if as_json:
        click.echo(json.dumps([_to_json(plugin) for plugin in found], ensure_ascii=False, indent=2))
        return
    for plugin in found:
        click.echo(f"{plugin.source.title}{_version(plugin)}")
        for kind, names in _by_kind(plugin).items():
            click.echo(f"    {kind:<8} {', '.join(names)}")
        if plugin.error:
            click.echo(f"    failed   {plugin.error}")


def _version(plugin: Plugin) -> str:
    return f" {plugin.source.version}" if plugin.source.version else ""


def _by_kind(plugin: Plugin) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for component in plugin.components:
        kinds.setdefault(component.kind, []).append(component.name)
    return kinds


def _to_json(plugin: Plugin) -> dict[str, Any]:
    return {
        "distribution": plugin.source.distribution,
        "version": plugin.source.version,
        "entry_point": plugin.source.name,
        "components": _by_kind(plugin),
        "error": plugin.error,
    }
