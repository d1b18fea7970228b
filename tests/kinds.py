"""Every kind of value that an option may have, and strategies for values of each."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from textforge.components import values

KINDS: list[Any] = [
    bool,
    int,
    float,
    str,
    int | None,
    float | None,
    str | None,
    bool | str,
    int | str,
    float | int,
    int | float | str | None,
    tuple[str, ...],
    tuple[int, ...],
    tuple[float | None, ...],
    tuple[tuple[int, ...], ...],
    tuple[str, ...] | str,
    dict[str, int],
    dict[str, str | None],
    dict[str, tuple[float, ...]],
    dict[str, dict[str, bool]] | None,
]


def strategy(kind: Any) -> st.SearchStrategy[Any]:
    """Any value that the kind keeps."""
    members = values.members(kind)
    if len(members) > 1:
        return st.one_of([strategy(member) for member in members])
    item = values.item_kind(kind)
    if item is not None:
        return st.lists(strategy(item), max_size=4).map(tuple)
    if isinstance(kind, type) and kind in SCALARS:
        return SCALARS[kind]
    return st.dictionaries(TEXTS, strategy(kind.__args__[1]), max_size=4)


TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet=',|="[]{}\\: \n\t\x00\x7f\x85\u2028\u202e\xa0noetru1.', max_size=12),
    st.sampled_from(["none", "true", "false", "1", "-0.5", "inf", "nan", "null", "1e5", "C:\\a.txt", "http://a/?b=c"]),
)
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    type(None): st.none(),
    bool: st.booleans(),
    int: st.integers(),
    float: st.floats(allow_nan=False),
    str: TEXTS,
}
