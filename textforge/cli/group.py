"""The group of commands. It imports what `textforge --help` needs, and no more than click."""

from __future__ import annotations

import functools
import importlib
import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from textforge import __version__
from textforge.cli.foreign import Listed, list_foreign, load_foreign, read_commands
from textforge.cli.messages import OneLineError, end_sentence, one_line
from textforge.cli.output import is_broken, let_go, say
from textforge.plugins.entry_points import is_core
from textforge.terminal import show_visibly, take_screens_away

if TYPE_CHECKING:
    from textforge.plugins.entry_points import Point

COMMANDS = {
    "train": "Learn a model from a text.",
    "generate": "Write text with a model.",
    "evaluate": "Measure how well a model predicts a text.",
    "score": "Measure how likely a model finds each text, and each token.",
    "compare": "Write from one prompt under several chains of samplers.",
    "novelty": "Measure how much of what a model writes is copied.",
    "mix": "Mix models into one that predicts better than each.",
    "export": "Write a model to a file that other programs read.",
    "corpus": "Show what a corpus is, and what each encoder makes of it.",
    "cache": "List what was downloaded or worked out and is kept, or clear it.",
    "info": "Show what a model is and how it was trained.",
    "plugins": "Show what is installed, from where, and what failed.",
    "options": "Show the options of every component.",
}
"""The built-in commands, each in a module of its name, and the first line of its help."""

FOREIGN = "textforge.cli.foreign"
"""The key, in a context's `meta`, of the name in messages of the plugin's command that runs."""
WORDS = "textforge.words"
"""The key, in a context's `meta`, of the words that were typed."""

HELP = """Learn a language model from a text, and write with it.

\b
    textforge train book.txt -o model/
    textforge generate model/ --prompt "It is "
"""


class Session:
    """The options before the command, and the plugins that they name."""

    def __init__(self, debug: bool = False) -> None:
        self.debug = debug
        self.plugin_names: list[str] = []
        self._plugins: dict[tuple[str, ...], Any] = {}

    def plugins(self) -> Any:
        """Return the plugins of this run: what is installed, and what ``--plugin`` names."""
        from textforge.plugins.registry import Plugins

        names = tuple(self.plugin_names)
        if names not in self._plugins:
            self._plugins[names] = Plugins(names, warn=lambda message: say(f"Warning: {message}"))
        return self._plugins[names]

    def name_plugins(self, names: Sequence[str]) -> None:
        """Add plugins that ``--plugin`` names, each once."""
        self.plugin_names += [name for name in dict.fromkeys(names) if name not in self.plugin_names]

    def find_culprit(self, error: Exception) -> str | None:
        """Return the name in messages of the plugin whose code an error came out of, if it is one's."""
        if not self._plugins or isinstance(error, OSError):  # a file's trouble is told as such
            return None
        from textforge.plugins.blame import find_culprit

        title = find_culprit(error, self.plugins().packages())
        return None if title is None else f"the plugin {title}"

    @functools.cached_property
    def foreign(self) -> list[Point]:
        """The entry points of plugins' commands."""
        return read_commands()  # a tenth of a second that no command of our own needs

    def list_foreign(self) -> list[Listed]:
        """Return the commands of plugins that are listed: by entry points, and by what ``--plugin`` names."""
        return list_foreign(self.foreign, self.plugins() if self.plugin_names else None, COMMANDS)


def current_plugins() -> Any:
    """Return the plugins of the run, `textforge.Plugins`: what is installed, and what ``--plugin`` names.

    For commands that plugins bring. Outside of a command of textforge, they are what is installed.

    >>> current_plugins().sampler("top-k:3")
    TopK(k=3)
    """
    context = click.get_current_context(silent=True)
    session = context.find_object(Session) if context else None
    return (session or Session()).plugins()


def add_plugins(context: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> None:
    """Note what ``--plugin`` names, before the command or behind it."""
    context.ensure_object(Session).name_plugins(names)


def plugin_option() -> click.Option:
    """Return the option ``--plugin``, which every command has."""
    return click.Option(
        ["--plugin"],
        multiple=True,
        expose_value=False,
        metavar="FILE_OR_MODULE",
        callback=add_plugins,
        is_eager=True,  # so that a help text behind it lists the plugin's commands
        help="Load a plugin that is not installed; repeatable.",
    )


class CommandGroup(click.Group):
    """A group that lists commands without importing them, and turns errors into one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[WORDS] = tuple(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *(listed.name for listed in ctx.ensure_object(Session).list_foreign())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name, _, distribution = cmd_name.partition("@")
        if name in COMMANDS and (not distribution or is_core(distribution)):
            command: click.Command = importlib.import_module(f"textforge.cli.{name}").command
        else:
            session = ctx.ensure_object(Session)
            self._note_plugins_behind(ctx, session)
            named = None if session.plugin_names else load_foreign(cmd_name, session.foreign, None)
            found = named or load_foreign(cmd_name, session.foreign, session.plugins())
            if found is None:
                return None
            command = found.command
            ctx.meta[FOREIGN] = found.title
            take_screens_away()  # what it styles is its own affair
        if not any(parameter.name == "plugin" for parameter in command.params):
            command.params.append(plugin_option())
        return command

    def _note_plugins_behind(self, ctx: click.Context, session: Session) -> None:
        """Note what ``--plugin`` names anywhere among the words, read or not: it may be what brings the command."""
        from textforge.cli.slips import find_values

        session.name_plugins(find_values("--plugin", ctx.meta.get(WORDS, ())))

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
            raise click.UsageError(end_sentence(f"There is no command {args[0]!r}{hint}"), ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        try:
            foreign = ctx.ensure_object(Session).list_foreign()
        except Exception as error:
            from textforge.errors import TextforgeError

            if isinstance(error, TextforgeError):  # of a plugin that `--plugin` names
                raise OneLineError(error) from error
            raise
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items(), *foreign])

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
            from textforge.cli.slips import explain

            session = ctx.ensure_object(Session)
            self._note_plugins_behind(ctx, session)  # the parser stopped before it had all
            raise explain(error, ctx.meta[WORDS], session.plugins) from None
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
            raise OneLineError(_blame(error, ctx)) from error


def _blame(error: Exception, ctx: click.Context) -> Exception:
    """Return an error that a plugin raised by accident as one that names the plugin."""
    from textforge.errors import PluginError, TextforgeError, is_memory_error, state_error

    if isinstance(error, TextforgeError) or is_memory_error(error):
        return error
    title = ctx.meta.get(FOREIGN) or ctx.ensure_object(Session).find_culprit(error)
    if title is None:
        return error
    return PluginError(f"{title} failed ({state_error(error)}): see where with textforge --debug …")


def make_main() -> CommandGroup:
    """Return the command ``textforge``."""
    settings = {"help_option_names": ["-h", "--help"]}

    @click.group(cls=CommandGroup, context_settings=settings, params=[plugin_option()], help=HELP)
    @click.option("--debug", is_flag=True, help="Show a traceback where something goes wrong.")
    @click.version_option(__version__, prog_name="textforge")
    @click.pass_context
    def main(context: click.Context, debug: bool) -> None:
        context.ensure_object(Session).debug = debug

    return main
