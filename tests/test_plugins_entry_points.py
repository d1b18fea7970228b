"""Entry points that name one thing each: known from metadata, imported only when it is looked up."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path
from typing import Any

import pytest
from plugin_texts import HALVE, HEAD, other

from textforge.errors import PluginError, UnknownComponent
from textforge.plugins.kinds import KINDS, base_class
from textforge.plugins.registry import Plugins

NAMED = "[textforge.samplers]\nhalve = fake_halve:Halve\n"


def test_a_name_is_known_without_an_import_and_its_class_imported_when_it_is_looked_up(install: Any) -> None:
    install("textforge-halve", NAMED, fake_halve=HEAD)
    plugins = Plugins()
    assert "halve" in plugins.names("sampler")
    assert plugins.sampler("top-k:3").k == 3
    assert "fake_halve" not in sys.modules
    assert plugins.sampler("halve:4").by == 4
    assert "fake_halve" in sys.modules


def test_a_look_up_imports_nothing_else(install: Any) -> None:
    install("textforge-halve", NAMED, fake_halve=HEAD)
    install("textforge-slow", "[textforge.samplers]\nslow = fake_slow:Slow\n", fake_slow="1 / 0")
    install("textforge-other", "[textforge.encoders]\nslow = fake_slow:Slow\n")
    plugins = Plugins()
    assert plugins.sampler("halve")
    with pytest.raises(UnknownComponent):
        plugins.sampler("unheard-of")
    assert plugins.failures == ()
    assert "fake_slow" not in sys.modules


def test_it_is_imported_once(install: Any, tmp_path: Path) -> None:
    trace = f"with open({str(tmp_path / 'trace')!r}, 'a') as file: file.write('loaded ')\n"
    install("textforge-halve", NAMED, fake_halve=trace + HEAD)
    plugins = Plugins()
    assert plugins.sampler("halve") == plugins.sampler("halve")
    assert [found.name for found in plugins.components("sampler")].count("halve") == 1
    assert (tmp_path / "trace").read_text() == "loaded "


def test_every_kind_has_a_group() -> None:
    from textforge.plugins.kinds import GROUPS

    assert list(GROUPS.values()) == list(KINDS)
    assert {"textforge.corpora", "textforge.samplers", "textforge.metrics"} <= set(GROUPS)


def test_the_old_way_and_the_new_way_in_one_distribution(install: Any) -> None:
    install("textforge-halve", f"[textforge]\nhooks = fake_hooks\n{NAMED}", fake_halve=HEAD, fake_hooks=other("ab"))
    plugins = Plugins()
    assert {"halve", "ab", "top-k"} <= set(plugins.names("sampler"))
    titles = {plugin.source.title for plugin in plugins.found}
    assert {"textforge-halve (hooks)", "textforge-halve (halve)"} <= titles


def test_a_class_that_both_name_is_one(install: Any) -> None:
    install("textforge-halve", f"[textforge]\nhooks = fake_halve\n{NAMED}", fake_halve=HALVE)
    assert Plugins().sampler("halve:3").by == 3


BROKEN = {
    "an exception": ("1 / 0", "ZeroDivisionError: division by zero"),
    "an exit": ("raise SystemExit", "SystemExit"),
    "nothing of that name": ("", "AttributeError: module 'fake_halve' has no attribute 'Halve'"),
    "another name": (other("third"), "its entry point is called 'halve', and Halve.name is 'third'"),
    "an instance": ("import json; Halve = json", "register_samplers was given <module 'json'"),
    "a newer interface": ("PLUGIN_API = 99\n" + HEAD, "it needs version 99 of the plugin interface"),
    "an abstract class": (HEAD.replace("__call__", "call"), "the sampler 'halve' lacks __call__"),
    "a missing package": ("import fake_absent", "No module named 'fake_absent'; pip install textforge-halve may bring"),
}


@pytest.mark.parametrize(("text", "reason"), BROKEN.values(), ids=BROKEN)
def test_one_that_fails_is_told_when_it_is_asked_for_and_disturbs_nothing(install: Any, text: str, reason: str) -> None:
    install("textforge-halve", NAMED, fake_halve=text)
    install("textforge-third", "[textforge.samplers]\nthird-one = fake_third:Halve\n", fake_third=other("third-one"))
    plugins = Plugins()
    assert plugins.sampler("third-one")
    with pytest.raises(PluginError) as caught:
        plugins.sampler("halve")
    assert str(caught.value).startswith("can't load the sampler 'halve' of the plugin textforge-halve (halve): ")
    assert reason in str(caught.value)
    assert caught.value.__cause__ is not None
    assert "halve" not in [found.name for found in plugins.components("sampler")]
    assert [plugin.source.title for plugin in plugins.failures] == ["textforge-halve (halve)"]


@pytest.mark.parametrize(
    ("entry_points", "reason"),
    [
        ("[textforge.samplers]\nHalve = fake_halve:Halve\n", "must be called by a component's name"),
        ("[textforge.implementations]\ntorch = fake_halve:Halve\n", "must be called by two names with a dot between"),
        ("[textforge.implementations]\nnumpy.gru = fake_halve\n", "needs an import path, by='package.module:Name'"),
    ],
)
def test_a_wrong_entry_point_is_recorded(install: Any, entry_points: str, reason: str) -> None:
    install("textforge-halve", entry_points, fake_halve=HEAD)
    plugins = Plugins()
    assert "top-k" in plugins.names("sampler")
    (failure,) = [plugin for plugin in plugins.found if plugin.error]
    assert reason in str(failure.error)


def test_one_may_be_left_out_by_its_name(install: Any) -> None:
    install("textforge-halve", NAMED, fake_halve=HEAD)
    plugins = Plugins(disabled="halve")
    with pytest.raises(UnknownComponent, match=r"textforge-halve \(halve\) is left out by TEXTFORGE_DISABLE_PLUGINS"):
        plugins.sampler("halve")
    assert "fake_halve" not in sys.modules


def test_an_implementation_is_imported_when_it_is_loaded(install: Any) -> None:
    install(
        "textforge-gru",
        "[textforge.implementations]\nnumpy.gru = fake_network:Network\n",
        fake_network="class Network: pass",
    )
    found = Plugins().implementation("numpy", "gru")
    assert (found.backend, found.architecture, found.by) == ("numpy", "gru", "fake_network:Network")
    assert "fake_network" not in sys.modules
    assert found.load() is sys.modules["fake_network"].Network


def test_an_implementation_of_a_format(install: Any) -> None:
    install("textforge-gru", "[textforge.format_implementations]\ntable.gru = fake_table:write_gru\n")
    plugins = Plugins()
    assert plugins.implementation("table", "gru", "format").by == "fake_table:write_gru"
    with pytest.raises(UnknownComponent, match="there is no implementation of the architecture 'gru' on 'table'"):
        plugins.implementation("table", "gru")


def test_each_plugin_says_how_long_it_took_to_load(install: Any) -> None:
    install("textforge-halve", NAMED, fake_halve="import time; time.sleep(0.05)\n" + HEAD)
    install("textforge-slow", {"slow": "fake_slow"}, fake_slow="import time; time.sleep(0.05); 1 / 0")
    seconds = {plugin.source.title: plugin.seconds for plugin in Plugins().found}
    assert 0.05 <= seconds["textforge-halve (halve)"] < 5
    assert 0.05 <= seconds["textforge-slow (slow)"] < 5


@pytest.mark.parametrize("kind", ["corpus", "encoder", "architecture", "sampler"])
def test_every_component_of_a_room_has_an_entry_point(kind: str) -> None:
    base = base_class(kind)
    room = base.__module__.rpartition(".")[0]
    for module in pkgutil.iter_modules(importlib.import_module(room).__path__):
        importlib.import_module(f"{room}.{module.name}")
    classes = [base]
    for cls in classes:
        classes += cls.__subclasses__()
    written = {cls.name for cls in classes if cls.__module__.startswith(room) and "name" in vars(cls)}
    assert written
    assert written <= set(Plugins(disabled="all").names(kind))
