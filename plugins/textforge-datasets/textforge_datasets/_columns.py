"""The columns of an Arrow schema by name: which there are, which have texts, and how a struct's field is reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyarrow import DataType, RecordBatch, Schema

_KINDS = (
    ("is_boolean", "true or false"),
    ("is_integer", "a number"),
    ("is_floating", "a number"),
    ("is_decimal", "a number"),
    ("is_binary", "binary data"),
    ("is_large_binary", "binary data"),
    ("is_fixed_size_binary", "binary data"),
    ("is_temporal", "a time"),
    ("is_map", "a map"),
    ("is_nested", "a list"),
)
"""The words for what is no text, by the first test of pyarrow.types that a type passes."""


def list_columns(schema: Schema) -> dict[str, DataType]:
    """Return the types of a schema's columns by name, with a struct's fields in its place, as ``song.words``."""
    return dict(_list_fields(schema, ""))


def _list_fields(fields: Any, before: str) -> Iterator[tuple[str, DataType]]:
    from pyarrow import types

    for field in fields:
        name = before + field.name
        if types.is_struct(field.type) and field.type.num_fields:
            yield from _list_fields(field.type, f"{name}.")
        else:
            yield name, field.type


def find_path(schema: Schema, column: str) -> tuple[str, ...]:
    """Return the names on the way to a column, of a struct and its field, say; none where it isn't there.

    A name with dots is one within another where there is no column of the whole name.
    """
    from pyarrow import types

    names = [field.name for field in schema]  # of a schema, or of a struct
    if column in names:
        return (column,)
    parts = column.split(".")
    for cut in range(1, len(parts)):
        outer, inner = ".".join(parts[:cut]), ".".join(parts[cut:])
        type_ = schema.field(outer).type if names.count(outer) == 1 else None
        if type_ is not None and types.is_struct(type_) and (rest := find_path(type_, inner)):
            return (outer, *rest)
    return ()


def find_type(schema: Schema, path: tuple[str, ...]) -> DataType:
    """Return the type of the column that `find_path` found."""
    found: Any = schema
    for name in path:
        found = found.field(name).type
    return found


def is_text(type_: DataType) -> bool:
    """Return whether a column of this type has texts, as they are or by a dictionary."""
    from pyarrow import types

    if types.is_dictionary(type_):
        type_ = type_.value_type
    return bool(types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_))


def is_null(type_: DataType) -> bool:
    """Return whether a column of this type has nulls alone."""
    from pyarrow import types

    return bool(types.is_null(type_))


def describe_type(type_: DataType) -> str:
    """Return the kind of a column that has no texts, in words."""
    from pyarrow import types

    if types.is_dictionary(type_):
        return describe_type(type_.value_type)
    if types.is_struct(type_):
        return "a struct"
    return next((words for test, words in _KINDS if getattr(types, test)(type_)), f"of the type {type_}")


def take_column(batch: RecordBatch, path: tuple[str, ...]) -> Any:
    """Return the array of a column, (n,); a field of a struct that is null is null."""
    from pyarrow import compute

    array = batch.column(path[0])
    for name in path[1:]:
        array = compute.struct_field(array, name)
    return array
