"""The list of what is installed that ``textforge plugins`` shows, as text or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import attrs

from textforge.cli.foreign import check_command
from textforge.cli.group import COMMANDS, Session
from textforge.cli.output import show
from textforge.errors import TextforgeError
from textforge.plugins.registry import DISABLE_VARIABLE, KINDS, Command, Plugin, Plugins, Source

IMPLEMENTS = "implements"
"""The label of implementations."""


@attrs.frozen
class Entry:
    """A plugin as it is shown; all that a distribution's entry points bring is one."""

    source: Source
    brought: dict[str, list[str]]
    """Names by kind, those of commands and implementations too."""
    notes: list[str] = attrs.field(factory=list)
    """The reasons why names don't mean what the plugin brought."""
    errors: list[str] = attrs.field(factory=list)
    seconds: float = 0.0
    left_out: bool = False
    entry_points: list[str] = attrs.field(factory=list)
    """The names of the entry points; of a plugin named by hand, the file or module."""

    @property
    def title(self) -> str:
        """The line above what is shown of the plugin."""
        by_name = self.source.provides is None and self.left_out  # others of the distribution may be there
        named = None if by_name else self.source.distribution
        return " ".join(filter(None, [named or self.source.title, self.source.version]))


def show_plugins(session: Session, as_json: bool) -> bool:
    """Show every plugin, and return whether all of them loaded."""
    plugins: Plugins = session.plugins()
    entries = [_make_entry(plugins, plugin) for plugin in plugins.found]
    entries += [Entry(source, _names_left_out(source), left_out=True) for source in plugins.disabled]
    groups: dict[tuple[str, bool], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.title, entry.left_out), []).append(entry)
    merged = [_merge(group) for group in groups.values()]
    if as_json:
        show(json.dumps([_to_json(entry) for entry in merged], indent=2))
    else:
        for entry in merged:
            show("\n".join([entry.title, *(f"    {line}" for line in _lines(entry))]))
    return not any(entry.errors for entry in entries)


def _make_entry(plugins: Plugins, plugin: Plugin) -> Entry:
    errors = [plugin.error] if plugin.error else [*filter(None, map(_try_command, plugin.commands))]
    if plugin.source.distribution:
        errors = [f"{plugin.source.name}: {error}" for error in errors]
    return Entry(plugin.source, _names(plugin), list(_notes(plugins, plugin)), errors, plugin.seconds)


def _merge(entries: list[Entry]) -> Entry:
    brought: dict[str, list[str]] = {}
    for kind in (*KINDS, IMPLEMENTS, "command"):
        if names := [name for entry in entries for name in entry.brought.get(kind, [])]:
            brought[kind] = sorted(names) if kind in KINDS else names
    return attrs.evolve(
        entries[0],
        brought=brought,
        notes=[note for entry in entries for note in entry.notes],
        errors=[error for entry in entries for error in entry.errors],
        seconds=sum(entry.seconds for entry in entries),
        entry_points=[entry.source.name for entry in entries],
    )


def _names_left_out(source: Source) -> dict[str, list[str]]:
    if source.provides is None:
        return {}
    kind = source.provides.kind
    return {kind if kind in (*KINDS, "command") else IMPLEMENTS: [source.provides.name]}


def _names(plugin: Plugin) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for component in plugin.components:
        names.setdefault(component.kind, []).append(component.name)
    for implementation in plugin.implementations:
        place = "on" if implementation.kind == "backend" else "as"
        names.setdefault(IMPLEMENTS, []).append(f"{implementation.architecture} {place} {implementation.backend}")
    for command in plugin.commands:
        names.setdefault("command", []).append(command.name)
    return names


def _notes(plugins: Plugins, plugin: Plugin) -> Iterator[str]:
    for component in plugin.components:
        yield from filter(None, [plugins.note_clash(component.kind, component.name, component)])
    for command in plugin.commands:
        if command.name in COMMANDS:
            yield (
                f"the command {command.name!r} is hidden by textforge's own: "
                f"run it as textforge {command.name}@{plugin.source.handle}"
            )
        else:
            yield from filter(None, [plugins.note_clash("command", command.name, command)])


def _try_command(command: Command) -> str | None:
    """Import a command, and return what is wrong with it, if anything."""
    try:
        check_command(command.load(), command.by, f"the command {command.name!r}")
    except TextforgeError as error:
        return str(error)
    return None


def _lines(entry: Entry) -> Iterator[str]:
    texts = [(kind, ", ".join(names)) for kind, names in entry.brought.items()]
    texts += [("note", note) for note in entry.notes] + [("failed", error) for error in entry.errors]
    yield from (f"{label:<12} {text}" for label, text in texts)
    yield f"left out by {DISABLE_VARIABLE}" if entry.left_out else f"{'loaded in':<12} {1000 * entry.seconds:.0f} ms"


def _to_json(entry: Entry) -> dict[str, Any]:
    return {
        "distribution": entry.source.distribution,
        "version": entry.source.version,
        "entry_points": entry.entry_points,
        "components": {kind: names for kind, names in entry.brought.items() if kind in KINDS},
        "implementations": entry.brought.get(IMPLEMENTS, []),
        "commands": entry.brought.get("command", []),
        "seconds": round(entry.seconds, 6),
        "notes": entry.notes,
        "error": "; ".join(entry.errors) or None,
        "left_out_by": DISABLE_VARIABLE if entry.left_out else None,
    }
