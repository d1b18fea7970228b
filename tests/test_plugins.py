"""Discovery, guarded loading and look-up; each failure by itself, with everything else still working."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from plugin_texts import HALVE, HEAD, implementing, other, source

import textforge
from textforge.errors import AmbiguousComponent, BackendError, PluginError, SpecError, UnknownComponent
from textforge.names import CORE
from textforge.plugins.registry import Plugin, Plugins, Source
from textforge.samplers.top_k import TopK


def load(text: str) -> Plugin:
    (plugin,) = Plugins(sources=[source(text)]).found
    return plugin


class TestInstalled:
    def test_ours_come_first_and_none_fails(self, plugins: Plugins) -> None:
        assert plugins.found[0].source.distribution == CORE
        assert plugins.failures == ()
        assert {"files", "python-docs"} <= set(plugins.names("corpus"))
        assert "char" in plugins.names("encoder")
        assert "numpy" in plugins.names("backend")
        assert {"conv", "lstm", "ngram"} <= set(plugins.names("architecture"))
        assert {"greedy", "temperature", "top-k"} <= set(plugins.names("sampler"))

    def test_a_distribution_brings_a_component(self, install: Any) -> None:
        install("textforge-halve", {"halves": "fake_halve"}, version="2.5", fake_halve=HALVE)
        plugins = Plugins()
        (registered,) = [found for found in plugins.components("sampler") if found.name == "halve"]
        assert (registered.source.title, registered.source.version) == ("textforge-halve (halves)", "2.5")
        assert plugins.sampler("halve:4") == registered.cls(4)
        assert plugins.names("sampler") == tuple(sorted(plugins.names("sampler")))

    def test_nothing_is_loaded_before_the_first_look_up_and_then_once(self, install: Any, tmp_path: Path) -> None:
        trace = f"with open({str(tmp_path / 'trace')!r}, 'a') as file: file.write('loaded ')\n"
        install("textforge-halve", {"halve": "fake_halve"}, fake_halve=trace + HALVE)
        plugins = Plugins()
        assert not (tmp_path / "trace").exists()
        plugins.sampler("halve")
        plugins.sampler("halve")
        assert (tmp_path / "trace").read_text() == "loaded "

    def test_registries_share_nothing(self, install: Any) -> None:
        before = Plugins()
        assert "halve" not in before.names("sampler")
        install("textforge-halve", {"halve": "fake_halve"}, fake_halve=HALVE)
        assert "halve" in Plugins().names("sampler")
        assert "halve" not in before.names("sampler")

    def test_two_distributions_may_call_an_entry_point_the_same(self, install: Any) -> None:
        install("textforge-one", {"plugin": "fake_one"}, fake_one=other("one-a"))
        install("textforge-two", {"plugin": "fake_two"}, fake_two=other("two-a"))
        assert {"one-a", "two-a"} <= set(Plugins().names("sampler"))

    def test_a_module_that_two_distributions_register_is_one(self, install: Any) -> None:
        install("textforge-one", {"one": "fake_both"}, fake_both=HALVE)
        install("textforge-two", {"two": "fake_both"})
        plugins = Plugins()
        assert plugins.sampler("halve") == plugins.find("sampler", "halve")(2)
        assert len([found for found in plugins.components("sampler") if found.name == "halve"]) == 2
        assert plugins.names("sampler").count("halve") == 1

    def test_an_entry_point_may_name_an_object(self, install: Any) -> None:
        methods = (
            HEAD
            + """
class Hooks:
    @textforge.hookimpl
    def register_samplers(self, register):
        register(Halve)

hooks = Hooks()
"""
        )
        install("textforge-object", {"object": "fake_object:hooks"}, fake_object=methods)
        assert "halve" in Plugins().names("sampler")

    def test_metadata_that_is_missing_does_no_harm(self, install: Any) -> None:
        install("textforge-bare", {"bare": "fake_bare"}, metadata=False, fake_bare=HALVE)
        assert "halve" in Plugins().names("sampler")

    @pytest.mark.parametrize("text", ["[textforge]\nnonsense\n", "[textforge]\nhalve = not/a.module\n"])
    def test_entry_points_that_cant_be_read_hide_no_others(self, install: Any, text: str) -> None:
        install("textforge-broken", text)
        install("textforge-halve", {"halve": "fake_halve"}, fake_halve=HALVE)
        plugins = Plugins()
        assert {"halve", "top-k"} <= set(plugins.names("sampler"))
        (failure,) = [plugin for plugin in plugins.failures if plugin.source.distribution == "textforge-broken"]
        assert failure.error


class TestDisabling:
    @pytest.fixture
    def two(self, install: Any) -> None:
        install("textforge-one", {"uno": "fake_one"}, fake_one=other("one-a"))
        install("Textforge_Two", {"due": "fake_two"}, fake_two=other("two-a"))

    @pytest.mark.parametrize(
        ("value", "left"),
        [
            ("", {"one-a", "two-a"}),
            ("textforge-one", {"two-a"}),
            ("uno", {"two-a"}),
            (" uno , due ", set()),
            ("textforge.two", {"one-a"}),
            ("all", set()),
            ("1", set()),
            ("textforge", {"one-a", "two-a"}),
            ("samplers", {"one-a", "two-a"}),
        ],
    )
    def test_by_variable(self, two: None, monkeypatch: pytest.MonkeyPatch, value: str, left: set[str]) -> None:
        monkeypatch.setenv("TEXTFORGE_DISABLE_PLUGINS", value)
        plugins = Plugins()
        assert {"one-a", "two-a"} & set(plugins.names("sampler")) == left
        assert "top-k" in plugins.names("sampler")
        assert set(Plugins(disabled=value).names("sampler")) == set(plugins.names("sampler"))

    def test_what_is_left_out_is_not_imported_but_named(self, two: None) -> None:
        plugins = Plugins(disabled="uno")
        with pytest.raises(UnknownComponent, match=r"textforge-one \(uno\) is left out by TEXTFORGE_DISABLE_PLUGINS"):
            plugins.sampler("one-a")
        assert "fake_one" not in sys.modules
        assert [source.name for source in plugins.disabled] == ["uno"]

    def test_what_is_named_by_hand_is_not_left_out(self, tmp_path: Path) -> None:
        file = tmp_path / "halve.py"
        file.write_text(HALVE)
        assert "halve" in Plugins([file], disabled="all").names("sampler")


BROKEN = {
    "an exception at import": ("1 / 0", "ZeroDivisionError: division by zero"),
    "an exception without a text": ("raise ValueError", "ValueError"),
    "an exception of several lines": ("raise ValueError('a\\n  b')", "ValueError: a b"),
    "an exception that has no words": (
        "class Mute(Exception):\n    def __str__(self): raise RuntimeError\nraise Mute",
        "Mute",
    ),
    "an exit at import": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "a syntax error": ("def", "SyntaxError: "),
    "a missing dependency": (
        "import fake_missing_dependency",
        "ModuleNotFoundError: No module named 'fake_missing_dependency'; pip install textforge-broken may bring it",
    ),
    "a module of another version of textforge": (
        "import textforge.nowhere",
        "ModuleNotFoundError: No module named 'textforge.nowhere'; it was written for another version of textforge",
    ),
    "a class body that is refused": (
        HALVE.replace(" = textforge.option(", " = dict("),
        "TypeError: Halve.by is neither an option nor learnt",
    ),
    "a newer interface": (
        "PLUGIN_API = 99" + HALVE,
        f"textforge {textforge.__version__} has {textforge.PLUGIN_API}: install a newer textforge",
    ),
    "a version that is no number": (
        'PLUGIN_API = "1"' + HALVE,
        "PLUGIN_API must be a whole number >= 1, got '1'",
    ),
    "no hook at all": (
        HEAD,
        "it has no hook: write one of register_architectures, register_backends, register_commands",
    ),
    "a misspelt hook": (
        HALVE.replace("register_samplers", "register_sampler"),
        "register_reports, register_samplers; did you mean 'register_samplers'?",
    ),
    "an undecorated hook": (
        HALVE.replace("@textforge.hookimpl", ""),
        "register_samplers is not marked: write @textforge.hookimpl above it",
    ),
    "a hook marked for another project": (
        HALVE.replace("@textforge.hookimpl", "@__import__('pluggy').HookimplMarker('pytest')"),
        "register_samplers is not marked",
    ),
    "an argument with a default": (
        HALVE.replace("(register):", "(register=None):"),
        "the argument 'register' of register_samplers has a default, so it is never passed: remove the default",
    ),
    "no argument": (
        HALVE.replace("(register):", "():"),
        "register_samplers has no argument `register`: write def register_samplers(register)",
    ),
    "an argument that doesn't exist": (HALVE.replace("(register):", "(registry):"), "{'registry'} are declared in"),
    "a hook that raises": (HALVE + "    raise LookupError('lost')\n", "LookupError: lost"),
    "a hook that exits": (HALVE + "    raise SystemExit\n", "SystemExit"),
    "a hook that gives back": (
        HALVE.replace("register(Halve)", "return [Halve]"),
        "register_samplers gave back [<class",
    ),
    "an instance": (
        HALVE.replace("register(Halve)", "register(Halve())"),
        "register_samplers was given Halve(by=2.0): textforge.Sampler is what it is for, so register the class Halve",
    ),
    "no class": (HALVE.replace("register(Halve)", "register(None)"), "register_samplers was given None"),
    "another kind": (
        HALVE.replace("register_samplers", "register_encoders"),
        "textforge.Encoder is what it is for, so register a class derived from it",
    ),
    "the base class": (HALVE.replace("(Halve)", "(textforge.Sampler)"), "Sampler.name must be two characters or more"),
    "no name": (HALVE.replace('name = "halve"', ""), "Halve.name must be two characters or more of lower-case letters"),
    "a name of one letter": (other("h"), "of lower-case letters, digits and '-', got 'h'"),
    "a name with capitals": (other("Halve"), "got 'Halve'"),
    "a name with a colon": (other("a:b"), "got 'a:b'"),
    "a name with a line end": (HALVE.replace('"halve"', r'"halve\n"'), r"got 'halve\n'"),
    "a name that is no text": (HALVE.replace('"halve"', "3"), "got 3"),
    "an abstract class": (HALVE.replace("__call__", "call"), "the sampler 'halve' lacks __call__"),
    "an implementation without a path": (
        implementing("register(backend='numpy', architecture='gru', by='nowhere')"),
        "register_implementations needs an import path, by='package.module:Name', for gru on numpy, got 'nowhere'",
    ),
    "an implementation by an object": (
        implementing("register(backend='numpy', architecture='gru', by=print)"),
        "needs an import path, by='package.module:Name', for gru on numpy, got <built-in function print>",
    ),
    "an implementation by a class of the file": (
        implementing("register(backend='numpy', architecture='gru', by=Halve)") + "\nclass Halve:\n    pass\n",
        """Halve'>: write by=f"{__name__}:Halve" for what stands in the same file""",
    ),
    "an implementation for no backend": (
        implementing("register(backend=None, architecture='gru', by='a:B')"),
        "register_implementations needs the backend's name as a text, got None",
    ),
    "an implementation of no architecture": (
        implementing("register(backend='numpy', architecture='GRU', by='a:B')"),
        "register_implementations needs the architecture's name as a text, got 'GRU'",
    ),
    "an implementation for a backend and a format": (
        implementing("register(backend='numpy', format='onnx', architecture='gru', by='a:B')"),
        "register_implementations needs backend=… or format=…, and was given both",
    ),
    "an implementation for a format without a name": (
        implementing("register(format=3, architecture='gru', by='a:B')"),
        "register_implementations needs the format's name as a text, got 3",
    ),
    "an implementation without the backend": (
        implementing("register(architecture='gru', by='a:B')"),
        "register_implementations needs the backend's name as a text, got None",
    ),
}


class TestGuardedLoading:
    @pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
    def test_a_broken_plugin_is_recorded_and_the_others_work(self, install: Any, text: str, message: str) -> None:
        install("textforge-broken", {"broken": "fake_broken"}, fake_broken=text)
        install("textforge-a", {"a": "fake_a"}, fake_a=other("first-a"))
        install("textforge-z", {"z": "fake_z"}, fake_z=other("last-z"))
        plugins = Plugins()
        (failure,) = [plugin for plugin in plugins.failures if plugin.source.distribution == "textforge-broken"]
        assert failure.error is not None
        assert message in failure.error
        assert "\n" not in failure.error
        assert failure.components == ()
        assert isinstance(failure.exception, (Exception, SystemExit))
        assert {"first-a", "last-z", "top-k"} <= set(plugins.names("sampler"))
        assert "halve" not in plugins.names("sampler")

    def test_an_unknown_name_tells_of_plugins_that_failed(self) -> None:
        plugins = Plugins(sources=[source("1 / 0", "min-p", "textforge-min-p"), source(HALVE)])
        with pytest.raises(UnknownComponent) as caught:
            plugins.sampler("min-p:0.1")
        assert str(caught.value) == (
            "there is no sampler 'min-p'; installed: halve; if a plugin brings it, install that plugin "
            "(textforge-min-p (min-p) failed to load: ZeroDivisionError: division by zero)"
        )

    def test_a_keyboard_interrupt_is_nobodys_failure(self) -> None:
        with pytest.raises(KeyboardInterrupt):
            load("raise KeyboardInterrupt")
        with pytest.raises(KeyboardInterrupt):
            load(HALVE + "    raise KeyboardInterrupt\n")

    def test_what_a_failing_plugin_had_registered_is_taken_back(self) -> None:
        text = (
            HALVE
            + """
@textforge.hookimpl
def register_encoders(register):
    raise OSError("no disk")
"""
        )
        assert load(text).components == ()
        for order in (text, HALVE.replace("register(Halve)", "register(Halve); register(Halve())")):
            plugin = load(order)
            assert plugin.error
            assert plugin.components == ()

    def test_a_plugin_may_say_which_interface_it_is_written_to(self) -> None:
        assert load("PLUGIN_API = 1" + HALVE).error is None

    def test_one_plugin_may_bring_several_kinds(self) -> None:
        text = (
            HALVE.replace("register(Halve)", "register(Halve); register(Third)")
            + """
class Third(Halve):
    name = "third"

class Empty(textforge.Corpus):
    name = "empty"
    def read(self):
        return iter(())

@textforge.hookimpl
def register_corpora(register):
    register(Empty)
"""
        )
        plugin = load(text)
        assert plugin.error is None
        assert [(found.kind, found.name) for found in plugin.components] == [
            ("corpus", "empty"),
            ("sampler", "halve"),
            ("sampler", "third"),
        ]

    def test_a_hook_may_be_called_otherwise(self) -> None:
        text = (
            HEAD
            + """
@textforge.hookimpl(specname="register_samplers")
def bring(register):
    register(Halve)
"""
        )
        assert [found.name for found in load(text).components] == ["halve"]

    def test_names_that_a_module_loads_lazily_stay_unloaded(self) -> None:
        module = types.ModuleType("fake_lazy")
        exec(HALVE, vars(module))
        asked: list[str] = []
        module.__getattr__ = asked.append  # type: ignore[method-assign]
        module.__dir__ = lambda: [*vars(module), "heavy"]  # type: ignore[method-assign]
        assert Plugins([module]).names("sampler").count("halve") == 1
        assert "heavy" not in asked


class TestLookUp:
    def test_an_unknown_name_lists_the_known_and_proposes_the_nearest(self) -> None:
        plugins = Plugins(sources=[source(HALVE), source(other("greedy"))])
        with pytest.raises(UnknownComponent) as caught:
            plugins.sampler("havle:3")
        assert str(caught.value) == "there is no sampler 'havle'; installed: greedy, halve; did you mean 'halve'?"
        with pytest.raises(LookupError, match=r"^there is no corpus 'halve'; installed: none; if a plugin brings it"):
            plugins.corpus("halve")

    def test_a_copy_looks_up_what_the_first_does(self, tmp_path: Path, modules_undone: None) -> None:
        file = tmp_path / "halve.py"
        file.write_text(HALVE)
        plugins = Plugins(str(file), disabled="all")
        assert plugins.sampler("halve")
        for other_plugins in (copy.deepcopy(plugins), pickle.loads(pickle.dumps(plugins))):
            assert other_plugins.names("sampler") == plugins.names("sampler")
            assert other_plugins.sampler("halve:3").by == 3

    def test_kinds_may_share_a_name(self) -> None:
        text = (
            HALVE
            + """
class Corpus(textforge.Corpus):
    name = "halve"
    def read(self):
        return iter(())

@textforge.hookimpl
def register_corpora(register):
    register(Corpus)
"""
        )
        plugins = Plugins(sources=[source(text)])
        assert type(plugins.corpus("halve")) is not type(plugins.sampler("halve"))

    def test_specs_chains_and_objects_are_interchangeable(self, plugins: Plugins) -> None:
        top, warm = plugins.chain("top-k:3 | temperature:0.5")
        assert plugins.chain(top) == [top]
        assert plugins.chain(["top-k:3", "temperature:0.5"]) == [top, warm]
        assert plugins.chain(("top-k:3 | temperature:0.5", top, ["temperature:0.5"])) == [top, warm, top, warm]
        assert plugins.chain([]) == []
        assert plugins.sampler(top) is top

    @pytest.mark.parametrize("wrong", [3, None, TopK, object(), b"top-k", [3], {"top-k"}, [["top-k"], None]])
    def test_what_is_neither(self, plugins: Plugins, wrong: Any) -> None:
        with pytest.raises(PluginError, match=r"^a sampler is expected, as a spec or an object, got "):
            plugins.chain(wrong)

    def test_a_class_in_place_of_an_object(self, plugins: Plugins) -> None:
        with pytest.raises(PluginError, match=r"got <class '.*TopK'>: write TopK\(…\)$"):
            plugins.sampler(TopK)  # type: ignore[arg-type]

    def test_an_object_of_another_kind(self, plugins: Plugins) -> None:
        with pytest.raises(PluginError, match=r"^an encoder is expected, as a spec or an object, got TopK\(k=40\)$"):
            plugins.encoder(TopK())  # type: ignore[arg-type]

    def test_a_chain_in_place_of_one(self, plugins: Plugins) -> None:
        with pytest.raises(SpecError, match="one component is expected here, got a chain of 2"):
            plugins.sampler("top-k:3 | temperature:1")

    def test_an_unknown_kind_lists_those_there_are(self, plugins: Plugins) -> None:
        kinds = "architecture, backend, corpus, encoder, format, metric, report, sampler"
        with pytest.raises(PluginError, match=f"no kind of component 'samplers'; the kinds are {kinds}"):
            plugins.components("samplers")


@pytest.mark.usefixtures("modules_undone")
class TestNamedByHand:
    def write(self, path: Path, text: str = HALVE) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def named(self, *extra: Any) -> Plugins:
        return Plugins(extra, sources=[])

    def test_a_file_by_its_whole_path(self, tmp_path: Path) -> None:
        file = self.write(tmp_path / "my plugin.v2.py")
        for name in (file, str(file)):
            plugins = self.named(name)
            assert plugins.sampler("halve:3").spec == "halve:3.0"
            (plugin,) = plugins.found
            assert (plugin.source.title, plugin.source.distribution) == (str(file), None)

    def test_one_need_not_stand_in_a_list(self, tmp_path: Path) -> None:
        file = self.write(tmp_path / "halve.py")
        assert Plugins(str(file), sources=[]).names("sampler") == ("halve",)
        assert Plugins(file, sources=[]).names("sampler") == ("halve",)

    @pytest.mark.parametrize("name", ["halve.py", "./halve.py", "sub/../halve.py", "fake_halve", "fake_package.inner"])
    def test_relative_names(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.chdir(tmp_path)
        self.write(tmp_path / "sub" / "nothing.txt")
        self.write(tmp_path / "halve.py")
        self.write(tmp_path / "fake_halve.py")
        self.write(tmp_path / "fake_package" / "__init__.py", "")
        self.write(tmp_path / "fake_package" / "inner.py")
        path = list(sys.path)
        assert self.named(name).names("sampler") == ("halve",)
        assert sys.path == path

    def test_a_module_object(self) -> None:
        module = types.ModuleType("fake_module")
        exec(HALVE, vars(module))
        assert self.named(module, module).names("sampler") == ("halve",)

    def test_two_files_of_one_name(self, tmp_path: Path) -> None:
        one = self.write(tmp_path / "a" / "plugin.py", other("one-a"))
        two = self.write(tmp_path / "b" / "plugin.py", other("two-a"))
        plugins = self.named(one, two)
        assert plugins.names("sampler") == ("one-a", "two-a")
        modules = {found.cls.__module__ for found in plugins.components("sampler")}
        assert len(modules) == 2
        assert modules <= set(sys.modules)

    def test_one_file_named_twice(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        file = self.write(tmp_path / "halve.py")
        plugins = self.named("halve.py", str(file), "./halve.py")
        assert len(plugins.found) == 1
        assert plugins.sampler("halve")

    def test_a_file_that_was_changed_is_read_anew(self, tmp_path: Path) -> None:
        file = self.write(tmp_path / "halve.py")
        before = self.named(file)
        assert before.names("sampler") == ("halve",)
        self.write(file, other("a-name-of-another-length"))
        assert self.named(file).names("sampler") == ("a-name-of-another-length",)
        assert before.names("sampler") == ("halve",)

    @pytest.mark.parametrize("name", ["json.py", "numpy.py", "textforge.py", "fake_unheard_of.py"])
    def test_a_file_shadows_no_module(self, tmp_path: Path, name: str) -> None:
        before = sys.modules.get(name.removesuffix(".py"))
        assert self.named(self.write(tmp_path / name)).names("sampler") == ("halve",)
        assert sys.modules.get(name.removesuffix(".py")) is before

    @pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
    def test_classes_that_look_their_module_up(self, tmp_path: Path, future: str) -> None:
        text = (
            future
            + """
import dataclasses, pickle, typing
import attrs
"""
            + HALVE
            + """
@dataclasses.dataclass
class Data:
    constant: typing.ClassVar[int] = 1
    value: int = 2

@attrs.define
class Attrs:
    value: int = 3

class Tuple(typing.NamedTuple):
    value: int = 4

typing.get_type_hints(Data)
assert pickle.loads(pickle.dumps(Halve(3))) == Halve(3)
"""
        )
        (plugin,) = self.named(self.write(tmp_path / "halve.py", text)).found
        assert plugin.error is None

    def test_it_finds_the_modules_beside_it_from_any_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.write(tmp_path / "far" / "fake_factor.py", "FACTOR = 2\nclass Network:\n    pass\n")
        register = "register(backend='numpy', architecture='gru', by='fake_factor:Network')"
        self.write(tmp_path / "far" / "halve.py", "from fake_factor import FACTOR\n" + implementing(register))
        monkeypatch.chdir(self.write(tmp_path / "elsewhere" / "text.txt").parent)
        path = list(sys.path)
        plugins = self.named(Path("..") / "far" / "halve.py")
        implementation = plugins.implementation("numpy", "gru")
        del sys.modules["fake_factor"]
        assert implementation.load().__name__ == "Network"
        assert sys.path == path

    def test_beside_what_is_installed(self, install: Any, tmp_path: Path) -> None:
        install("textforge-halve", {"halve": "fake_halve"}, fake_halve=HALVE)
        file = self.write(tmp_path / "halve.py")
        with pytest.raises(AmbiguousComponent, match=r"by textforge-halve \(halve\) and .*halve\.py: "):
            Plugins([file]).sampler("halve")
        assert Plugins([file], disabled="textforge-halve").sampler("halve")

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("missing.py", "can't load the plugin missing.py: there is no file missing.py"),
            ("./missing", "can't load the plugin ./missing: there is no file missing"),
            ("./folder", "can't load the plugin ./folder: folder is a folder: name a file in it"),
            (
                "./fake_package",
                "fake_package is a package: name it fake_package, without a path, from the folder that holds it",
            ),
            ("./notes.txt", "can't load the plugin ./notes.txt: notes.txt is no Python file: its name must end in .py"),
            ("fake_absent", "there is no module fake_absent; a file is named with its ending, ./fake_absent.py"),
            ("fake_absent.inner", "there is no module fake_absent.inner"),
            ("", "'' is neither a file that ends in .py nor a module's name"),
            ("two words", "'two words' is neither a file"),
            (".relative", "'.relative' is neither a file"),
            ("broken.py", "can't load the plugin broken.py: ZeroDivisionError: division by zero"),
            ("needy.py", "No module named 'fake_missing'; install what has it"),
            ("fake_needy", "No module named 'fake_missing'; install what has it"),
            ("leaves.py", "can't load the plugin leaves.py: SystemExit"),
            ("typo.py", "can't load the plugin typo.py: SyntaxError: "),
            ("plain.py", "can't load the plugin plain.py: it has no hook: write one of register_architectures"),
        ],
    )
    def test_one_that_fails_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        self.write(tmp_path / "folder" / "notes.txt")
        self.write(tmp_path / "notes.txt")
        self.write(tmp_path / "fake_package" / "__init__.py")
        self.write(tmp_path / "broken.py", "1 / 0")
        self.write(tmp_path / "needy.py", "import fake_missing")
        self.write(tmp_path / "fake_needy.py", "import fake_missing")
        self.write(tmp_path / "leaves.py", "raise SystemExit")
        self.write(tmp_path / "typo.py", "import\n")
        self.write(tmp_path / "plain.py", HEAD)
        before = set(sys.modules)
        with pytest.raises(PluginError) as caught:
            self.named(name).names("sampler")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.__cause__ is not None
        left = {module for module in set(sys.modules) - before if module.startswith("textforge_file_")}
        assert not left or name == "plain.py"


TYPED = '''
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import textforge
from textforge.samplers.base import Logits


class MinP(textforge.Sampler):
    """A cut to the tokens at least `p` times as likely as the likeliest one."""

    name = "min-p"
    p: float = textforge.option(default=0.05, gt=0, le=1, help="Floor, relative to the likeliest token.")
    keep: int | None = textforge.option(default=None, ge=1, help="How many to keep at least.")

    def __call__(self, logits: Logits, context: textforge.Context) -> Logits:
        floor = logits.max(axis=-1, keepdims=True) + np.log(self.p)
        return np.where(logits < floor, -np.inf, logits)


@textforge.hookimpl
def register_samplers(register: Callable[[type[textforge.Sampler]], None]) -> None:
    register(MinP)


MinP()
MinP(0.1, 3)
MinP(p=1, keep=None).replace(p=0.5).p.is_integer()
'''
MISTAKES = {
    "MinP(q=1)": "call-arg",
    "MinP('high')": "arg-type",
    "MinP().p = 0.5": "misc",
    "MinP(1, 2, 3)": "call-arg",
    "textforge.TextforgeError().text": "attr-defined",
}


def test_a_plugin_passes_mypy_strict_and_its_mistakes_do_not(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(TYPED)
    bad.write_text("import textforge\nfrom good import MinP\n" + "\n".join(MISTAKES))
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(tmp_path / "cache")]
    run = subprocess.run([*command, "good.py", "bad.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    found = [line.split(": error: ") for line in run.stdout.splitlines() if ": error: " in line]
    wanted = list(MISTAKES.values())
    assert [place for place, _ in found] == [f"bad.py:{number}" for number in range(3, 3 + len(wanted))], run.stdout
    assert [text.rsplit("[", 1)[1].rstrip("]") for _, text in found] == wanted


def test_a_plugin_that_is_left_out_is_installed_already() -> None:
    with pytest.raises(UnknownComponent, match="is left out by TEXTFORGE_DISABLE_PLUGINS") as error:
        Plugins(disabled="textforge-torch").backend("torch")
    assert "pip install" not in str(error.value)


KINDS_TEXT = """
import textforge
from textforge.architectures.base import Architecture
from textforge.evaluation.metric import Metric
from textforge.formats.base import Format

class Gated(Architecture):
    "A gated network."
    name = "gated"
    size: int = textforge.option(default=8, ge=1, help="Units.")

    def weights(self, vocabulary_size):
        return {}

class Table(Format):
    "A table."
    name = "table"
    description = "a table"

    def write(self, saved, architecture, implementation, path, about):
        return saved

class Length(Metric):
    "The text's length."
    name = "length"

    def measure(self, model, encoder, text):
        return float(len(text))

class Quiet(textforge.Report):
    "Nothing."
    name = "quiet"

@textforge.hookimpl
def register_architectures(register):
    register(Gated)

@textforge.hookimpl
def register_formats(register):
    register(Table)

@textforge.hookimpl
def register_metrics(register):
    register(Length)

@textforge.hookimpl
def register_reports(register):
    register(Quiet)
"""


def test_architectures_formats_metrics_and_reports_are_looked_up_like_samplers() -> None:
    plugins = Plugins(sources=[source(KINDS_TEXT)])
    assert plugins.failures == ()
    assert plugins.architecture("gated:4").spec == "gated:4"
    assert plugins.format("table").description == "a table"
    assert plugins.metric("length").measure(None, None, "four") == 4
    assert plugins.find("report", "quiet").name == "quiet"
    with pytest.raises(PluginError, match="an architecture is expected, as a spec or an object, got 3"):
        plugins.architecture(3)
    with pytest.raises(UnknownComponent, match=r"^there is no format 'tabel'; installed: table; did"):
        plugins.format("tabel")


@pytest.mark.usefixtures("modules_undone")
class TestImplementations:
    def of(self, by: str, name: str = "fake", distribution: str | None = None) -> Source:
        text = implementing(f"register(backend='numpy', architecture='gru', by={by!r})")
        return source(text, name, distribution)

    def test_one_is_found_by_backend_and_architecture_and_imported_when_it_is_asked_to(self, install: Any) -> None:
        text = implementing("register(backend='numpy', architecture='gru', by='fake_network:Network')")
        install("textforge-gru", {"gru": "fake_gru"}, fake_gru=text, fake_network="class Network: pass")
        found = Plugins().implementation("numpy", "gru")
        assert (found.backend, found.architecture, found.by) == ("numpy", "gru", "fake_network:Network")
        assert found.source.title == "textforge-gru (gru)"
        assert "fake_network" not in sys.modules
        assert found.load() is sys.modules["fake_network"].Network

    def test_a_missing_one_names_the_backends_that_have_it(self) -> None:
        plugins = Plugins(sources=[self.of("a:B")])
        with pytest.raises(UnknownComponent) as caught:
            plugins.implementation("torch", "gru")
        assert str(caught.value) == (
            "there is no implementation of the architecture 'gru' on 'torch'; it is implemented on: numpy"
        )
        with pytest.raises(UnknownComponent, match="on 'numpy'; it is implemented on: none"):
            plugins.implementation("numpy", "lstm")

    def test_a_format_s_are_apart_from_those_of_a_backend_of_its_name(self) -> None:
        both = implementing(
            "register(backend='torch', architecture='gru', by='a:Network')\n"
            "    register(format='torch', architecture='gru', by='a:Module')\n"
            "    register(format='onnx', architecture='gru', by='a:graph')"
        )
        plugins = Plugins(sources=[source(both, "fake", None)])
        assert plugins.implementation("torch", "gru").by == "a:Network"
        assert plugins.implementation("torch", "gru", kind="format").by == "a:Module"
        assert [each.by for each in plugins.implementations()] == ["a:Network"]
        assert [each.by for each in plugins.implementations("format")] == ["a:graph", "a:Module"]
        with pytest.raises(UnknownComponent, match=r"'gru' on 'onnx'; it is implemented on: torch$"):
            plugins.implementation("onnx", "gru")

    def test_two_that_differ_are_refused_and_both_named(self) -> None:
        plugins = Plugins(sources=[self.of("a:B", "one", "textforge-one"), self.of("a:C", "two", "textforge-two")])
        with pytest.raises(AmbiguousComponent, match=r"textforge-one \(one\) and textforge-two \(two\)"):
            plugins.implementation("numpy", "gru")
        same = Plugins(sources=[self.of("a:B", "one"), self.of("a:B", "two")])
        assert same.implementation("numpy", "gru").by == "a:B"

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("1 / 0", "ZeroDivisionError: division by zero"),
            ("", "AttributeError: module 'fake_network' has no attribute 'Network'"),
            ("import fake_absent", "No module named 'fake_absent'; pip install textforge-gru may bring it"),
            ("raise SystemExit(2)", "SystemExit: 2"),
        ],
    )
    def test_whatever_goes_wrong_names_the_plugin(self, install: Any, text: str, reason: str) -> None:
        hook = implementing("register(backend='numpy', architecture='gru', by='fake_network:Network')")
        install("textforge-gru", {"gru": "fake_gru"}, fake_gru=hook, fake_network=text)
        with pytest.raises(PluginError) as caught:
            Plugins().implementation("numpy", "gru").load()
        message = str(caught.value)
        assert "can't load fake_network:Network" in message
        assert "the plugin textforge-gru (gru)" in message
        assert reason in message
        assert caught.value.__cause__ is not None

    def test_a_framework_that_is_missing_is_told_in_its_own_words(self, install: Any) -> None:
        hook = implementing("register(backend='numpy', architecture='gru', by='fake_network:Network')")
        text = "import textforge.errors\nraise textforge.errors.BackendError('run `pip install that`')"
        install("textforge-gru", {"gru": "fake_gru"}, fake_gru=hook, fake_network=text)
        with pytest.raises(BackendError, match=r"^run `pip install that`$"):
            Plugins().implementation("numpy", "gru").load()

    def test_one_of_a_file_or_module_named_by_hand(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        hook = "register(backend='numpy', architecture='gru', by='fake_network:Network')"
        (tmp_path / "fake_network.py").write_text("class Network: pass")
        (tmp_path / "fake_named.py").write_text(implementing(hook))
        own = implementing(hook.replace("'fake_network:Network'", "f'{__name__}:Network'")) + "class Network: pass\n"
        (tmp_path / "file.py").write_text(own)
        assert Plugins("fake_named", sources=[]).implementation("numpy", "gru").load().__name__ == "Network"
        assert Plugins("file.py", sources=[]).implementation("numpy", "gru").load().__name__ == "Network"
