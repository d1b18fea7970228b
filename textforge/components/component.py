"""Components: declared once, in the class body.

An option written as ::

    class TopK(Sampler):
        name = "top-k"
        k: int = textforge.option(default=40, ge=1, help="How many tokens to keep.")

is at once the constructor's argument, its check, the spec ``top-k:40``, the saved configuration,
a row of ``textforge options`` and a line of the documentation.
"""

from __future__ import annotations

import copy
import inspect
import sys
import types
import typing
from abc import ABC
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

import attrs

from textforge.components import values
from textforge.components.options import KEY, Option, learned, option
from textforge.errors import OptionError, SpecError, nearest

__all__ = ["Component", "Declared", "Option", "build", "learned", "option"]

T = TypeVar("T")


def _list_declared(cls: type) -> list[tuple[str, Any]]:
    fields: Sequence[attrs.Attribute[Any]] = getattr(cls, "__attrs_attrs__", ())
    return [(field.name, field.metadata[KEY]) for field in fields]


def _list_inherited(cls: type) -> list[str]:
    """Return the fields of the classes that `cls` derives from, in the order of the constructor."""
    return list(dict.fromkeys(name for base in cls.__mro__[1:] for name, _ in _list_declared(base)))


def _read_own_annotations(cls: type) -> dict[str, Any]:
    """Return the annotations of the class's own body, read so that one that can't be evaluated yet does no harm."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(cls)


def _is_class_variable(annotation: Any) -> bool:
    annotation = getattr(annotation, "__forward_arg__", annotation)
    if isinstance(annotation, str):
        return annotation.split("[")[0].strip().endswith("ClassVar")
    return annotation is ClassVar or typing.get_origin(annotation) is ClassVar


def _is_field(value: Any) -> bool:
    return isinstance(value, type(attrs.field()))


def _check_body(cls: type) -> None:
    """Refuse, with a `TypeError` that says what to write, a class body that doesn't mean what it seems to."""
    annotations = {
        name: annotation
        for name, annotation in _read_own_annotations(cls).items()
        if not _is_class_variable(annotation)
    }
    for name, annotation in annotations.items():
        _refuse_undeclared(cls, name, annotation)
        _refuse_name(cls, name)
    inherited = _list_inherited(cls)
    for name, value in vars(cls).items():
        if _is_field(value) and name not in annotations:
            raise TypeError(f"{cls.__name__}.{name} needs its type: write `{name}: int = textforge.option(…)`")
        if name in inherited and name not in annotations:
            raise TypeError(
                f"{cls.__name__}.{name} would hide the option it inherits: declare it anew, "
                f"`{name}: … = textforge.option(default=…, help=…)`, or choose another name"
            )
    if "__init__" in vars(cls):
        raise _init_error(cls)


def _check_mutable_body(cls: type[Declared]) -> None:
    """Check the body of a mutable class: what isn't an option is its own affair, and without options so is __init__."""
    fields = [name for name, value in vars(cls).items() if _is_field(value) and KEY in value.metadata]
    for name in fields:
        _refuse_name(cls, name)
    if cls._has_own_init and (fields or _list_inherited(cls)):
        raise _init_error(cls)


def _init_error(cls: type) -> TypeError:
    return TypeError(
        f"{cls.__name__} has an __init__, but its options make the constructor: "
        "write __attrs_post_init__(self) for what is checked after it"
    )


def _refuse_undeclared(cls: type, name: str, annotation: Any) -> None:
    value: Any = vars(cls).get(name)
    if _is_field(value) and KEY in value.metadata:
        return
    written = getattr(annotation, "__forward_arg__", None) or getattr(annotation, "__name__", annotation)
    raise TypeError(
        f"{cls.__name__}.{name} is neither an option nor learnt: write "
        f"`{name}: {written} = textforge.option(default=…, help=…)`, "
        f"or `{name} = …` without an annotation for a constant of the class"
    )


def _refuse_name(cls: type, name: str) -> None:
    if name.startswith("_") or not name.isascii():
        raise TypeError(f"{cls.__name__}.{name} can't be written in a spec: use letters, digits and inner '_' only")
    for base in cls.__mro__[1:]:
        if name in vars(base) or _is_class_variable(_read_own_annotations(base).get(name)):
            raise TypeError(f"{cls.__name__}.{name} would hide {base.__name__}.{name}: choose another name")


def _complete(cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Give each new field its check, and each overridden one its inherited place."""
    place = {name: index for index, name in enumerate(_list_inherited(cls))}
    own = _read_own_annotations(cls)
    declared = [field for field in fields if KEY in field.metadata]
    ready = [_with_check(cls, field) if field.name in own else field for field in declared]
    ready.sort(key=lambda field: place.get(field.name, len(place)))
    _refuse_required_after_optional(cls, ready)
    return ready


def _refuse_required_after_optional(cls: type, fields: list[attrs.Attribute[Any]]) -> None:
    optional = None
    for field in fields:
        if field.default is not attrs.NOTHING:
            optional = optional or (None if field.kw_only else field.name)
        elif optional:
            raise TypeError(
                f"{cls.__name__}.{field.name} has no default, but {optional} before it has one: "
                "give it a default too, or declare it first"
            )


def _with_check(cls: type, field: attrs.Attribute[Any]) -> attrs.Attribute[Any]:
    found = field.metadata[KEY]
    if not isinstance(found, Option):
        return field
    try:
        declaration = found.complete(field.name, _resolve(cls, field.type))
    except (TypeError, NameError, SyntaxError) as error:
        raise TypeError(f"{cls.__name__}.{field.name} {_declaration_error(error, field)}") from None
    converter = attrs.Converter(_convert, takes_self=True, takes_field=True)
    return field.evolve(metadata={KEY: declaration}, converter=converter)


def _declaration_error(error: Exception, field: attrs.Attribute[Any]) -> str:
    if isinstance(error, TypeError):
        return str(error)
    return f"has a type that can't be read, {field.type!r}: {error}; import what it names at the top of the module"


def _convert(value: Any, component: Any, field: attrs.Attribute[Any]) -> Any:
    try:
        return component.options()[field.name].check(value)
    except ValueError as error:
        raise OptionError(f"{component.title()}{field.name} {error}") from None


def _resolve(cls: type, annotation: Any) -> Any:
    """Return the type that an annotation stands for, its quoted parts too."""
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    namespace = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    return typing.get_type_hints(holder, namespace, dict(vars(cls)))["it"]


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

    def __init_subclass__(cls, mutable: bool = False, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if mutable:
            _unfreeze(cls)
        if not cls._is_mutable:
            _check_body(cls)
            attrs.define(cls, frozen=True, slots=False, repr=False, field_transformer=_complete)
            return
        cls._has_own_init = cls._has_own_init or "__init__" in vars(cls)
        _check_mutable_body(cls)
        make_init = not cls._has_own_init
        attrs.define(cls, slots=False, repr=False, eq=False, init=make_init, field_transformer=_complete)

    @classmethod
    def options(cls) -> dict[str, Option]:
        """Return the options that the class declares, by name, in the order of the constructor."""
        return {name: found for name, found in _list_declared(cls) if isinstance(found, Option)}

    @classmethod
    def learned_fields(cls) -> tuple[str, ...]:
        """Return the names of what is learnt from data."""
        return tuple(name for name, found in _list_declared(cls) if not isinstance(found, Option))

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
    return typing.cast("T", declared(**given))


def _with_first(cls: type[Component], first: Any, given: dict[str, Any]) -> dict[str, Any]:
    options = list(cls.options())
    if not options:
        raise OptionError(f"{cls.title()}it has no options, got {values.quote(str(first))}")
    if options[0] in given:
        raise SpecError(f"{cls.title()}{options[0]} is given twice; the first value is {options[0]}'s")
    return {options[0]: first, **given}
