"""The group of commands: what `textforge --help` needs, and no more than click."""

from __future__ import annotations

import importlib
import io
import sys
from typing import Any

import click

from textforge import __version__
from textforge.cli.foreign import foreign_commands, load_foreign, origin
from textforge.cli.messages import OneLineError, one_line, sentence
from textforge.cli.output import is_broken, let_go, say
from textforge.terminal import show_visibly, take_screens_away

COMMANDS = {
    "train": "Learn a model from a text.",
    "generate": "Write text with a model.",
    "evaluate": "Measure how well a model predicts a text.",
    "compare": "Write from one prompt under several chains of samplers.",
    "export": "Write a model to a file that other programs read.",
    "info": "Show what a model is and how it was trained.",
    "plugins": "Show what is installed, from where, and what failed.",
    "options": "Show the options of every component.",
}
"""The built-in commands, each in a module of its name, and the first line of its help."""

WORDS = "textforge.words"
"""Where a context notes what was typed."""

HELP = """Learn a language model from a text, and write with it.

\b
    textforge train book.txt -o model/
    textforge generate model/ --prompt "It is "
"""


class Session:
    """What the options before the command say."""

    def __init__(self, debug: bool = False) -> None:
        self.debug = debug
        self.plugin_names: list[str] = []

    def plugins(self) -> Any:
        """The plugins of this run: what is installed, and what ``--plugin`` names."""
        from textforge.plugins.registry import Plugins

        return Plugins(self.plugin_names)


def add_plugins(context: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> None:
    """Note what ``--plugin`` names, before the command or behind it."""
    context.ensure_object(Session).plugin_names.extend(names)


def plugin_option() -> click.Option:
    """The option ``--plugin``, which every command has."""
    return click.Option(
        ["--plugin"],
        multiple=True,
        expose_value=False,
        metavar="FILE_OR_MODULE",
        callback=add_plugins,
        help="Load a plugin that is not installed; repeatable.",
    )


class CommandGroup(click.Group):
    """Lists commands without importing them, and turns errors into one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[WORDS] = tuple(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(foreign_commands().keys() - COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            command: click.Command = importlib.import_module(f"textforge.cli.{cmd_name}").command
        elif cmd_name in (foreign := foreign_commands()):
            command = load_foreign(foreign[cmd_name])
            take_screens_away()  # what it styles is its own affair
        else:
            return None
        if not any(parameter.name == "plugin" for parameter in command.params):
            command.params.append(plugin_option())
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from textforge.errors import nearest

            if not args or args[0] in self.list_commands(ctx):
                raise
            hint = nearest(args[0], self.list_commands(ctx))
            raise click.UsageError(sentence(f"There is no command {args[0]!r}{hint}"), ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        summaries = {name: f"From {origin(point)}." for name, point in sorted(foreign_commands().items())} | COMMANDS
        with formatter.section("Commands"):
            formatter.write_dl([(name, summaries[name]) for name in self.list_commands(ctx)])

    def main(self, *args: Any, **keywords: Any) -> Any:
        if sys.stderr is None:
            sys.stderr = io.StringIO()  # else click writes errors to standard output
        try:
            with show_visibly():
                return self._main(*args, **keywords)
        finally:
            for stream in (sys.stdout, sys.stderr):
                if is_broken(stream):
                    let_go(stream)

    def _main(self, *args: Any, **keywords: Any) -> Any:
        try:
            return super().main(*args, **keywords)
        except OSError as error:  # of a help text or a message itself: those of commands end in `invoke`
            say(f"Error: {one_line(error)}")
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            from textforge.cli.slips import explain, values_of

            session, words = ctx.ensure_object(Session), ctx.meta[WORDS]
            session.plugin_names = values_of("--plugin", words)  # the parser stopped before it had all
            raise explain(error, words, session.plugins) from None
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except KeyboardInterrupt:
            say()
            ctx.exit(130)
        except BrokenPipeError:
            ctx.exit(0)
        except Exception as error:
            if ctx.ensure_object(Session).debug:
                raise
            raise OneLineError(error) from error


def make_main() -> CommandGroup:
    """The command ``textforge``."""
    settings = {"help_option_names": ["-h", "--help"]}

    @click.group(cls=CommandGroup, context_settings=settings, params=[plugin_option()], help=HELP)
    @click.option("--debug", is_flag=True, help="Show a traceback where something goes wrong.")
    @click.version_option(__version__, prog_name="textforge")
    @click.pass_context
    def main(context: click.Context, debug: bool) -> None:
        context.ensure_object(Session).debug = debug

    return main
