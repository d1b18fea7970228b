"""Components that leave options open: those that aren't given, others may choose."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from textforge.components.component import Component


class OpenComponent(Component):
    """A component that knows which of its options were given: a recipe chooses among the others.

    A given default is given all the same: two components may be equal, and only one of them be settled.
    """

    _given: ClassVar[frozenset[str]] = frozenset()

    def __new__(cls, *values: Any, **options: Any) -> Self:
        """Note which options are given."""
        made = super().__new__(cls)
        given = frozenset([*list(cls.options())[: len(values)], *options])
        object.__setattr__(made, "_given", given)  # it is frozen
        return made

    @property
    def given(self) -> frozenset[str]:
        """The names of the options that the constructor was given, rather than left at their defaults."""
        return self._given

    def replace(self, **changes: Any) -> Self:
        changed = super().replace(**changes)
        object.__setattr__(changed, "_given", self.given | changes.keys())
        return changed
