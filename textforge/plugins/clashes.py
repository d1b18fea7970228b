"""Clashes: several plugins bring something of one name. Textforge's own wins; between others the name is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from textforge.errors import AmbiguousComponent
from textforge.plugins.entry_points import DISABLE_VARIABLE, is_core
from textforge.plugins.sources import Source


class Brought(Protocol):
    """Something that a plugin brings by a name, imported or not."""

    @property
    def source(self) -> Source:
        """The plugin."""

    @property
    def by(self) -> str:
        """The import path."""


T = TypeVar("T", bound=Brought)


def settle(found: Sequence[T], title: str, name: str | None) -> tuple[T, list[T]]:
    """Return what a name means, of all that has it, and what that hides.

    `title` is how messages call it, such as ``sampler 'top-k'``, and `name` what ``@`` may follow, if anything. Raises
    `AmbiguousComponent` where plugins other than textforge itself bring different things.
    """
    ours = [each for each in found if is_core(each.source.distribution)]
    chosen = (ours or found)[0]
    others = [each for each in found if not is_same(each, chosen)]
    if others and not ours:
        raise AmbiguousComponent(_describe(found, title, name))
    return chosen, others


def is_same(one: Brought, other: Brought) -> bool:
    """Return whether two plugins bring the same object."""
    classes: list[Any] = [getattr(each, "cls", None) for each in (one, other)]
    return classes[0] is classes[1] if all(classes) else one.by == other.by


def _describe(found: Sequence[Brought], title: str, name: str | None) -> str:
    sources = " and ".join(dict.fromkeys(each.source.title for each in found))
    handles = list(dict.fromkeys(each.source.handle for each in found))
    ways = f"write {' or '.join(f'{name}@{handle}' for handle in handles)}, " if name and len(handles) > 1 else ""
    return f"there is more than one {title}, by {sources}: {ways}uninstall one, or name one in {DISABLE_VARIABLE}"


def describe_hidden(hidden: Brought, title: str, name: str | None, by: str = "textforge's own") -> str:
    """Return the warning that something is hidden by textforge's own, or by what else is said."""
    way = f": write {name}@{hidden.source.handle} to use it" if name else ""
    return f"the {title} of {hidden.source.title} is hidden by {by}{way}"
