"""The class bodies of components: what is declared in one, and a refusal of what doesn't mean what it seems to."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Sequence
from typing import Any, ClassVar

import attrs

from textforge.components.options import KEY, Option
from textforge.errors import OptionError


def list_declared(cls: type) -> list[tuple[str, Any]]:
    """Return the fields of a class, by name, each with what was declared: an `Option`, or that it is learnt."""
    fields: Sequence[attrs.Attribute[Any]] = getattr(cls, "__attrs_attrs__", ())
    return [(field.name, field.metadata[KEY]) for field in fields]


def _list_inherited(cls: type) -> list[str]:
    """Return the fields of the classes that `cls` derives from, in the order of the constructor."""
    return list(dict.fromkeys(name for base in cls.__mro__[1:] for name, _ in list_declared(base)))


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


def check_body(cls: type) -> None:
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


def check_mutable_body(cls: Any) -> None:
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


def complete_fields(cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
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
