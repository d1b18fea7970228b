"""The command line: one module per command, imported when the command is run."""

from __future__ import annotations

from textforge.cli.group import CommandGroup, current_plugins, make_main

__all__ = ["CommandGroup", "current_plugins", "main"]

main = make_main()
