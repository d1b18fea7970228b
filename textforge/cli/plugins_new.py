"""``textforge plugins new``."""

from __future__ import annotations

from pathlib import Path

import click

from textforge.cli.group import Session
from textforge.cli.output import quote_command, show

KINDS = ("corpus", "encoder", "backend", "sampler")
ARGUMENTS = {"corpus": ":README.md"}
"""The arguments that a new component needs to be checked."""


@click.command("new")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write; textforge-NAME unless given.")
@click.pass_obj
def command(session: Session, kind: str, name: str, output: Path | None) -> None:
    """Write a plugin to begin with.

    A distribution with a component that works, its entry point and its tests: change what it does, and publish it.
    """
    from textforge.errors import PluginError
    from textforge.plugins.scaffolding import write_plugin

    if name in session.plugins().names(kind):
        raise PluginError(f"there is a {kind} {name!r} already: choose another name")
    written = write_plugin(kind, name, output)
    folder = output or Path(f"textforge-{name}")
    for path in written:
        show(str(path))
    show("\nTo install it, see it, check it and run its tests:\n")
    spec = f"{name}{ARGUMENTS.get(kind, '')}"
    for words in (
        ("pip", "install", "-e", folder),
        ("textforge", "plugins"),
        ("textforge", "plugins", "check", spec.replace("README.md", str(folder / "README.md"))),
        ("pytest", folder),
    ):
        show(f"    {quote_command(*words)}")
