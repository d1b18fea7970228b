"""Reports: mutable components, several as one, and failures that name the plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import pytest

import textforge
from textforge.components.component import Component, option
from textforge.components.spec import parse_spec
from textforge.errors import OptionError, PluginError, StopTraining
from textforge.training.report import Report
from textforge.training.reports import PluginReport, Reports


class Noted(Report):
    """A report with options, and a list of its own."""

    name = "noted"
    path: str = option(default="x", help="A path.")
    every: int = option(default=1, ge=1, help="Every so many.")

    def __attrs_post_init__(self) -> None:
        self.seen: list[str] = []

    def message(self, text: str) -> None:
        self.seen.append(text)

    def finish(self) -> None:
        self.seen.append("finish")


class Plain(textforge.Report):
    count: int = 0

    def __init__(self, start: int = 5) -> None:
        self.count = start

    def message(self, text: str) -> None:
        self.count += 1


class Derived(Plain):
    other = 3


def test_a_report_declares_options_and_holds_what_it_likes() -> None:
    made = parse_spec("noted:losses.csv,every=3").build(Noted)
    assert (made.path, made.every, made.spec) == ("losses.csv", 3, "noted:path=losses.csv,every=3")
    made.message("a")
    made.other = 1
    assert made.seen == ["a"]
    assert made != Noted("losses.csv", 3)
    assert len({made, Noted("losses.csv", 3)}) == 2
    assert repr(made) == "Noted(path='losses.csv', every=3)"
    with pytest.raises(OptionError, match="noted: every must be >= 1, got 0"):
        Noted(every=0)
    with pytest.raises(OptionError, match="noted: every must be >= 1, got 0"):
        made.every = 0
    del made.other
    assert made.replace(every=2).every == 2


def test_a_report_without_options_may_have_an_init_of_its_own() -> None:
    plain, derived = Plain(7), Derived(9)
    plain.message("x")
    assert (plain.count, derived.count, Derived().count) == (8, 9, 5)
    assert plain != Plain(8)
    assert plain in [plain]
    assert isinstance(plain, Component)
    assert Report().options() == {}


def test_a_report_with_options_has_no_init_of_its_own() -> None:
    with pytest.raises(TypeError, match="its options make the constructor"):

        class Wrong(Report):
            path: str = option(default="x", help="A path.")

            def __init__(self) -> None:
                pass

    with pytest.raises(TypeError, match="its options make the constructor"):

        class WrongToo(Plain):
            path: str = option(default="x", help="A path.")


def test_other_components_stay_frozen() -> None:
    class Frozen(Component):
        name = "frozen"
        k: int = option(default=1, help="A number.")

    made = Frozen()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.k = 2  # type: ignore[misc]
    assert made == Frozen()


class Failing(Report):
    name = "failing"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def message(self, text: str) -> None:
        raise self.error

    finish = message  # type: ignore[assignment]


EVENTS: Sequence[tuple[str, tuple[Any, ...]]] = [
    ("message", ("a",)),
    ("start", (None,)),
    ("step", (None,)),
    ("epoch", (None, None)),
    ("samples", ((),)),
    ("checkpoint", (None,)),
    ("finish", ()),
]


@pytest.mark.parametrize(("event", "arguments"), EVENTS)
def test_every_event_is_passed_on_to_every_report_in_order(event: str, arguments: tuple[Any, ...]) -> None:
    seen: list[tuple[int, tuple[Any, ...]]] = []

    class Recording(Report):
        def __init__(self, number: int) -> None:
            setattr(self, event, lambda *given: seen.append((number, given)))

    getattr(Reports([Recording(1), PluginReport(Recording(2), "somebody")]), event)(*arguments)
    assert seen == [(1, arguments), (2, arguments)]


def test_where_one_stops_the_run_the_others_are_told_first() -> None:
    noted = Noted()
    with pytest.raises(StopTraining, match="enough"):
        Reports([Failing(StopTraining("enough")), noted]).message("a")
    assert noted.seen == ["a"]


def test_all_are_finished_where_one_fails() -> None:
    class Late(Report):
        def finish(self) -> None:
            raise StopTraining

    class Full(Report):
        def finish(self) -> None:
            raise OSError("the disk is full")

    noted = Noted()
    with pytest.raises(OSError, match="full"):
        Reports([Late(), Full(), noted]).finish()
    assert noted.seen == ["finish"]
    Reports([Late(), noted]).finish()


def test_a_failure_names_the_plugin() -> None:
    report = PluginReport(Failing(ZeroDivisionError("a\nb")), "acme (fails)")
    with pytest.raises(PluginError) as caught:
        report.message("x")
    assert str(caught.value) == "the report failing, by acme (fails), failed in message(): ZeroDivisionError: a b"
    for error in (StopTraining("x"), OptionError("y")):
        with pytest.raises(type(error)):
            PluginReport(Failing(error), "acme").message("x")
