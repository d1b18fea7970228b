"""Components: declared once, in the class body.

An option written as ::

    class TopK(Sampler):
        name = "top-k"
        k: int = textforge.option(default=40, ge=1, help="How many tokens to keep.")

is at once the constructor's argument, its check, the spec ``top-k:40``, the saved configuration,
a row of ``textforge options`` and a line of the documentation.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from abc import ABC
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

import attrs

from textforge import values
from textforge.errors import OptionError, SpecError, nearest

T = TypeVar("T")
_KEY = "textforge"


@attrs.frozen
class Option:
    """What is declared of one option."""

    name: str
    kind: Any
    help: str
    default: Any = attrs.NOTHING
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    choices: tuple[Any, ...] | None = None
    runtime: bool = False

    @property
    def required(self) -> bool:
        """Whether the option has no default."""
        return self.default is attrs.NOTHING

    def check(self, value: Any) -> Any:
        """The value in the form it is kept in.

        Raises `ValueError`, its message without the option's name, where it is refused.
        """
        checked = values.check(value, self.kind)
        if checked is None:
            return checked
        if self.choices is not None and checked not in self.choices:
            choices = [str(choice) for choice in self.choices]
            hint = nearest(str(value), choices)
            raise ValueError(f"must be one of {', '.join(choices)}, got {values.shown(value)}{hint}")
        if isinstance(checked, (int, float)) and not self._in_bounds(checked):
            raise ValueError(f"must be {self.bounds}, got {values.shown(value)}")
        return checked

    def _in_bounds(self, value: float) -> bool:
        return (
            (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
        )

    @property
    def bounds(self) -> str:
        """The range in words, such as ``> 0 and <= 1``; empty where there is none."""
        signs = {">": self.gt, ">=": self.ge, "<": self.lt, "<=": self.le}
        return " and ".join(f"{sign} {bound}" for sign, bound in signs.items() if bound is not None)

    def write(self, value: Any) -> str:
        """The value as it stands in a spec."""
        return values.write(value, self.kind)


def option(
    *,
    default: T = attrs.NOTHING,  # type: ignore[assignment]
    help: str,
    gt: float | None = None,
    ge: float | None = None,
    lt: float | None = None,
    le: float | None = None,
    choices: Sequence[Any] | None = None,
    runtime: bool = False,
) -> T:
    """Declare an option of a component.

    `default` makes it optional; `gt`, `ge`, `lt`, `le` and `choices` say which values are accepted.
    An option of a backend is part of the model it makes, unless it is `runtime`: how to run the
    model, free to change from one run to the next.
    """
    declaration = Option(
        name="",
        kind=None,
        help=help,
        default=default,
        gt=gt,
        ge=ge,
        lt=lt,
        le=le,
        choices=None if choices is None else tuple(choices),
        runtime=runtime,
    )
    return attrs.field(default=default, metadata={_KEY: declaration})


def learned(*, default: Any = None) -> Any:
    """Declare what a component learns from data: saved and compared, but no option.

    It is given by keyword, and stands in neither the spec nor the repr.
    """
    return attrs.field(default=default, kw_only=True, repr=False, metadata={_KEY: "learned"})


def _declared(cls: type) -> list[tuple[str, Any]]:
    fields: Sequence[attrs.Attribute[Any]] = getattr(cls, "__attrs_attrs__", ())
    return [(field.name, field.metadata[_KEY]) for field in fields]


def _refuse_undeclared(cls: type) -> None:
    for name, annotation in inspect.get_annotations(cls).items():
        if _is_class_variable(annotation) or _KEY in getattr(cls.__dict__.get(name), "metadata", {}):
            continue
        written = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", annotation)
        raise TypeError(
            f"{cls.__name__}.{name} is neither an option nor learnt: write "
            f"`{name}: {written} = textforge.option(default=…, help=…)`, "
            f"or `{name} = …` without an annotation for a constant of the class"
        )
    for name, value in cls.__dict__.items():
        if _KEY in (getattr(value, "metadata", None) or {}) and name not in inspect.get_annotations(cls):
            raise TypeError(f"{cls.__name__}.{name} needs its type: write `{name}: int = textforge.option(…)`")


def _is_class_variable(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.split("[")[0].endswith("ClassVar")
    return annotation is ClassVar or typing.get_origin(annotation) is ClassVar


def _declare(cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Give each new field its check, and each overridden one its inherited place."""
    inherited = [name for name, _ in _declared(cls.__mro__[1])]
    for base in cls.__mro__[2:]:
        inherited += [name for name, _ in _declared(base) if name not in inherited]
    place = {name: index for index, name in enumerate(inherited)}
    own = inspect.get_annotations(cls)
    ready = [_with_check(cls, field) if field.name in own else field for field in fields]
    return sorted(ready, key=lambda field: place.get(field.name, len(place)))


def _with_check(cls: type, field: attrs.Attribute[Any]) -> attrs.Attribute[Any]:
    found = field.metadata[_KEY]
    if not isinstance(found, Option):
        return field
    declaration = attrs.evolve(found, name=field.name, kind=_resolve(cls, field.type))
    _check_declaration(cls, declaration)
    return field.evolve(
        metadata={_KEY: declaration},
        converter=attrs.Converter(_converted, takes_self=True, takes_field=True),
    )


def _check_declaration(cls: type, declaration: Option) -> None:
    where = f"{cls.__name__}.{declaration.name}"
    if not declaration.help.strip():
        raise TypeError(f"{where} needs a help text: option(help=…)")
    try:
        values.supported(declaration.kind)
        if not declaration.required:
            declaration.check(declaration.default)
    except ValueError as error:
        raise TypeError(f"the default of {where} {error}") from None


def _converted(value: Any, component: Any, field: attrs.Attribute[Any]) -> Any:
    try:
        return component.options()[field.name].check(value)
    except ValueError as error:
        raise OptionError(f"{component.title()}{field.name} {error}") from None


def _resolve(cls: type, annotation: Any) -> Any:
    if not isinstance(annotation, str):
        return annotation
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    namespace = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    return typing.get_type_hints(holder, namespace, dict(vars(cls)))["it"]


@dataclass_transform(frozen_default=True, field_specifiers=(option, learned))
class Declared(ABC):  # noqa: B024 -- abstract for what its subclasses leave open
    """A frozen class whose fields are options, or learnt from data."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        _refuse_undeclared(cls)
        attrs.define(cls, frozen=True, slots=False, repr=False, field_transformer=_declare)

    @classmethod
    def options(cls) -> dict[str, Option]:
        """What the class declares, by name, in the order of the constructor."""
        return {name: found for name, found in _declared(cls) if isinstance(found, Option)}

    @classmethod
    def learned_fields(cls) -> tuple[str, ...]:
        """The names of what is learnt from data."""
        return tuple(name for name, found in _declared(cls) if not isinstance(found, Option))

    def option_values(self) -> dict[str, Any]:
        """The options in full, defaults included."""
        return {name: getattr(self, name) for name in self.options()}

    def learned_values(self) -> dict[str, Any]:
        """What was learnt from data, by name."""
        return {name: getattr(self, name) for name in self.learned_fields()}

    def replace(self, **changes: Any) -> Self:
        """A copy with other values, checked as in the constructor."""
        return attrs.evolve(self, **changes)  # type: ignore[misc]

    @classmethod
    def title(cls) -> str:
        """What messages about the options begin with."""
        return ""

    @classmethod
    def known_option(cls, name: str) -> Option:
        """The option of that name, or an `OptionError` that lists those there are."""
        declared = cls.options()
        if name not in declared:
            has = f"its options are {', '.join(declared)}" if declared else "it has none"
            raise OptionError(f"{cls.title()}there is no option {name!r}; {has}{nearest(name, declared)}")
        return declared[name]

    def __repr__(self) -> str:
        written = ", ".join(f"{name}={value!r}" for name, value in self.option_values().items())
        return f"{type(self).__name__}({written})"


class Component(Declared):
    """Something exchangeable: a corpus, an encoder, a backend or a sampler.

    A subclass sets `name`, the name it is looked up by: two characters or more, lower-case
    letters, digits and ``-``.
    """

    name: ClassVar[str]

    @classmethod
    def title(cls) -> str:
        """What messages about the options begin with: the component's name."""
        return f"{getattr(cls, 'name', cls.__name__)}: "

    @property
    def spec(self) -> str:
        """The text that reads back as this component: its name, and the options that differ."""
        options = self.options()
        changed = {
            name: options[name].write(value)
            for name, value in self.option_values().items()
            if options[name].required or value != options[name].default
        }
        if len(options) == 1 and changed:
            return f"{self.name}:{next(iter(changed.values()))}"
        pairs = ",".join(f"{name}={text}" for name, text in changed.items())
        return f"{self.name}:{pairs}" if pairs else self.name


def build(cls: type[T], first: Any = None, given: Mapping[str, Any] = MappingProxyType({})) -> T:
    """A component from the values of a spec: `first` is the first option's, if not None.

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
    return typing.cast("T", declared(**given))


def _with_first(cls: type[Component], first: Any, given: dict[str, Any]) -> dict[str, Any]:
    options = list(cls.options())
    if not options:
        raise OptionError(f"{cls.title()}it has no options, got {values.shown(str(first))}")
    if options[0] in given:
        raise SpecError(f"{cls.title()}{options[0]} is given twice; the first value is {options[0]}'s")
    return {options[0]: first, **given}
