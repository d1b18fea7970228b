"""The command line: one module per command, imported when the command is run."""

from __future__ import annotations

from textforge.cli.group import CommandGroup, make_main

__all__ = ["CommandGroup", "main"]

main = make_main()
