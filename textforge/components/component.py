"""Components: declared once, in the class body.

An option written as ::

    class TopK(Sampler):
        name = "top-k"
        k: int = textforge.option(default=40, ge=1, help="Number of tokens to keep.")

is at once the constructor's argument, its check, the spec ``top-k:40``, the saved configuration,
a row of ``textforge options`` and a line of the documentation.
"""

from __future__ import annotations

import copy
import time
from abc import ABC
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar, cast, dataclass_transform

import attrs

from textforge.components import values
from textforge.components.bodies import check_body, check_mutable_body, complete_fields, list_declared
from textforge.components.options import Option, learned, option
from textforge.errors import OptionError, SpecError, nearest

__all__ = ["Component", "Declared", "Option", "build", "learned", "option"]

T = TypeVar("T")


def _unfreeze(cls: type[Declared]) -> None:
    """Take back what attrs gave the frozen classes that `cls` derives from."""
    cls._is_mutable = True
    for name in ("__setattr__", "__delattr__", "__eq__", "__ne__", "__hash__"):
        setattr(cls, name, getattr(object, name))


@dataclass_transform(frozen_default=True, field_specifiers=(option, learned))
class Declared(ABC):  # noqa: B024 -- abstract for what its subclasses leave open
    """A frozen class whose fields are options, or learnt from data.

    ``class Watcher(Declared, mutable=True)`` makes it and its subclasses mutable, compared by identity, for what holds
    something of its own while it works. Such a class may write its own ``__init__`` where it declares no options.
    """

    _is_mutable: ClassVar[bool] = False
    _has_own_init: ClassVar[bool] = False
    _defined_at: ClassVar[float] = 0.0

    def __init_subclass__(cls, mutable: bool = False, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls._defined_at = time.time()
        if mutable:
            _unfreeze(cls)
        if not cls._is_mutable:
            check_body(cls)
            attrs.define(cls, frozen=True, slots=False, repr=False, field_transformer=complete_fields)
            return
        cls._has_own_init = cls._has_own_init or "__init__" in vars(cls)
        check_mutable_body(cls)
        make_init = not cls._has_own_init
        attrs.define(cls, slots=False, repr=False, eq=False, init=make_init, field_transformer=complete_fields)

    @classmethod
    def options(cls) -> dict[str, Option]:
        """Return the options that the class declares, by name, in the order of the constructor."""
        return {name: found for name, found in list_declared(cls) if isinstance(found, Option)}

    @classmethod
    def learned_fields(cls) -> tuple[str, ...]:
        """Return the names of what is learnt from data."""
        return tuple(name for name, found in list_declared(cls) if not isinstance(found, Option))

    def option_values(self) -> dict[str, Any]:
        """Return the values of all options, defaults included, by name."""
        return {name: getattr(self, name) for name in self.options()}

    def learned_values(self) -> dict[str, Any]:
        """Return what was learnt from data, by name."""
        return {name: getattr(self, name) for name in self.learned_fields()}

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values, of options or of what is learnt, checked as in the constructor."""
        for name in changes.keys() - set(self.learned_fields()):
            self.known_option(name)
        return attrs.evolve(self, **changes)  # type: ignore[misc]

    @classmethod
    def title(cls) -> str:
        """Return the beginning of messages about the options."""
        return ""

    @classmethod
    def known_option(cls, name: str) -> Option:
        """Return the option of that name; raises `OptionError`, which lists those there are, where there is none."""
        declared = cls.options()
        if name not in declared:
            has = f"its options are {', '.join(declared)}" if declared else "it has none"
            raise OptionError(f"{cls.title()}there is no option {name!r}; {has}{nearest(name, declared)}")
        return declared[name]

    def __repr__(self) -> str:
        written = ", ".join(f"{name}={value!r}" for name, value in self.option_values().items())
        return f"{type(self).__name__}({written})"


def find_time_defined(cls: type[Declared]) -> float:
    """Return the time at which a class was defined, in seconds since the epoch: code changed later isn't its own."""
    return cls._defined_at


class Component(Declared):
    """An exchangeable part: a corpus, an encoder, a sampler, a report, ….

    A subclass sets `name`, the name it is looked up by: two characters or more, lower-case
    letters, digits and ``-``.
    """

    name: ClassVar[str]
    _distribution: ClassVar[str | None] = None

    @classmethod
    def title(cls) -> str:
        """Return the beginning of messages about the options: the component's name."""
        return f"{getattr(cls, 'name', cls.__name__)}: "

    def replace(self, **changes: Any) -> Self:
        changed = super().replace(**changes)
        return name_distribution(changed, self._distribution) if self._distribution else changed

    @property
    def spec(self) -> str:
        """The text that reads back as this component: its name, and the options that differ.

        An only option is always there: ``temperature:1.0`` says more than ``temperature``.
        """
        name = f"{self.name}@{self._distribution}" if self._distribution else self.name
        options = self.options()
        if len(options) == 1:
            [(only, value)] = self.option_values().items()
            return f"{name}:{options[only].write(value)}"
        changed = {
            name: options[name].write(value)
            for name, value in self.option_values().items()
            if options[name].required or value != options[name].default
        }
        pairs = ",".join(f"{name}={text}" for name, text in changed.items())
        return f"{name}:{pairs}" if pairs else name


C = TypeVar("C", bound=Component)


def name_distribution(component: C, distribution: str) -> C:
    """Return a copy of a component whose spec names the distribution, as in ``top-k@textforge-foo:40``."""
    component = copy.copy(component)
    object.__setattr__(component, "_distribution", distribution)  # it is frozen
    return component


def build(cls: type[T], first: Any = None, given: Mapping[str, Any] = MappingProxyType({})) -> T:
    """Return a component from the values of a spec: `first` is the first option's, if not None.

    Raises `OptionError` for an option that is unknown, given twice or missing.
    """
    declared: type[Component] = cls  # type: ignore[assignment]
    options = declared.options()
    given = dict(given)
    if first is not None:
        given = _with_first(declared, first, given)
    for name in given:
        declared.known_option(name)
    missing = [name for name, found in options.items() if found.required and name not in given]
    if missing:
        raise OptionError(f"{declared.title()}{missing[0]} is needed: write {declared.name}:{missing[0]}=…")
    return cast("T", declared(**given))


def _with_first(cls: type[Component], first: Any, given: dict[str, Any]) -> dict[str, Any]:
    options = list(cls.options())
    if not options:
        raise OptionError(f"{cls.title()}it has no options, got {values.quote(str(first))}")
    if options[0] in given:
        raise SpecError(f"{cls.title()}{options[0]} is given twice; the first value is {options[0]}'s")
    return {options[0]: first, **given}
