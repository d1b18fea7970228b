"""Each backend by the commands: train, resume, evaluate, generate, and what edited bundles come to."""

from __future__ import annotations

from gradient_backends.command_line import CommandLineSuite


class TestCommandLine(CommandLineSuite):
    """The suite that every framework is held to."""
