"""``textforge plugins new``."""

from __future__ import annotations

from pathlib import Path

import click

from textforge.cli.group import Session
from textforge.cli.output import quote_command, show
from textforge.plugins.scaffolding import KINDS, PREFIX, write_plugin

ARGUMENTS = {"corpus": ":README.md"}
"""The arguments that a new component needs to be checked."""
UNCHECKED = ("report", "metric", "command")
"""The kinds that the conformance kit has no checks for."""


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

    if kind != "command" and name in session.plugins().names(kind):
        raise PluginError(f"there is a {kind} {name!r} already: choose another name")
    written = write_plugin(kind, name, output)
    folder = output or Path(f"{PREFIX}{name}")
    for path in written:
        show(str(path))
    show("\nTo install it, see it and try it:\n")
    spec = f"{name}{ARGUMENTS.get(kind, '')}"
    if kind == "architecture":
        spec = f"{PREFIX}{name}"  # what computes it is checked too
    check = ("textforge", "plugins", "check", spec.replace("README.md", str(folder / "README.md")))
    install, see, test = ("pip", "install", "-e", folder), ("textforge", "plugins"), ("pytest", folder)
    for words in (install, see, test) if kind in UNCHECKED else (install, see, check, test):
        show(f"    {quote_command(*words)}")
