"""Exporting, whatever the format: what is checked, what is refused, and what is left behind."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import bigram_plugin
import numpy as np
import pytest
from click.testing import CliRunner, Result
from export_samples import SAVED, saved_lstm
from support import ModelMaker, PieceEncoder, ScriptedModel, builtin_plugins, hashed_logits

import textforge
from textforge.cli import main
from textforge.encoders.char import CharEncoder
from textforge.errors import ExportError, PluginError
from textforge.formats.base import ReadBack
from textforge.library import exporting
from textforge.library.exporting import about, export
from textforge.library.generator import TextGenerator
from textforge.model import Array, Arrays, SavedModel
from textforge.plugins.registry import Plugins

ENCODER = CharEncoder().fit(["abcdefghij\n"])


class TablesFormat(textforge.Format):
    """Writes the tables of the bigram model as an .npz file; `spoil` is what goes wrong with the logits."""

    name = "npz"
    description = "two tables"
    suffix = ".npz"

    def write(
        self,
        saved: SavedModel,
        architecture: textforge.Architecture,
        implementation: Any,
        path: Path,
        about: Mapping[str, Any],
    ) -> ReadBack | SavedModel:
        assert (architecture.name, about["architecture"], implementation) == ("bigram", "bigram", fill)
        implementation(saved, path)
        with np.load(path) as tables:
            last, before = tables["last"], tables["before"]

        def read(ids: Array, state: Arrays | None) -> tuple[Array, Arrays]:
            start = np.zeros(len(ids), np.int64) if state is None else state["previous"]
            previous = np.concatenate([start[:, np.newaxis], ids[:, :-1]], axis=1)
            logits: Array = last[ids] + before[previous]
            return self.spoil(logits), {"previous": ids[:, -1]}

        return read

    @staticmethod
    def spoil(logits: Array) -> Array:
        return logits


class CopyFormat(textforge.Format):
    """Writes nothing, but gives a copy of the model back: `change` is what goes wrong."""

    name = "copy"
    description = "no file to speak of"
    any_architecture = True

    def write(self, saved: SavedModel, architecture: Any, implementation: Any, path: Path, about: Any) -> SavedModel:
        assert implementation is None
        changed = self.change(saved)
        return attrs.evolve(changed, arrays={name: array.copy() for name, array in changed.arrays.items()})

    @staticmethod
    def change(saved: SavedModel) -> SavedModel:
        return saved


def fill(saved: SavedModel, path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, **saved.arrays)  # type: ignore[arg-type]


@textforge.hookimpl
def register_formats(register: Any) -> None:
    register(TablesFormat)
    register(CopyFormat)


@textforge.hookimpl
def register_implementations(register: Any) -> None:
    register(format="npz", architecture="bigram", by="fake_tables:fill")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    module = types.ModuleType("fake_tables")
    vars(module).update(register_formats=register_formats, register_implementations=register_implementations, fill=fill)
    monkeypatch.setitem(sys.modules, "fake_tables", module)
    monkeypatch.setitem(sys.modules, "bigram_plugin", bigram_plugin)
    return Plugins([module, bigram_plugin], disabled="all")


def bigram() -> SavedModel:
    return bigram_plugin.make_bigram(11, 0).save()


def write(path: Path, plugins: Plugins, **keywords: Any) -> exporting.Exported:
    return export(bigram(), ENCODER, "npz", path, plugins=plugins, **keywords)


def content(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- what is written ---


def test_a_plugin_s_format_is_written_and_measured(registry: Plugins, tmp_path: Path) -> None:
    made = write(tmp_path / "tables.npz", registry)
    size = (tmp_path / "tables.npz").stat().st_size
    assert made == exporting.Exported(tmp_path / "tables.npz", "npz", "two tables", size, 0.0, 1024 + 1024 + 16)
    assert content(tmp_path) == ["tables.npz"]
    with np.load(made.path) as tables:
        np.testing.assert_array_equal(tables["last"], bigram().arrays["last"])


def test_a_generator_exports_its_model(registry: Plugins, tmp_path: Path) -> None:
    generator = TextGenerator(bigram_plugin.BigramModel(bigram()), ENCODER, plugins=registry)
    assert generator.export(tmp_path / "a.npz", format="npz").format == "npz"
    with pytest.raises(ExportError, match="there already"):
        generator.export(tmp_path / "a.npz", format="npz")
    generator.export(str(tmp_path / "a.npz"), format="npz", overwrite=True)


def test_a_file_says_what_its_model_is() -> None:
    saved = saved_lstm(model_window=60)
    known = about(saved, ENCODER)
    assert known == {
        "textforge": textforge.__version__,
        "architecture": "lstm",
        "options": saved.options,
        "vocabulary_size": 11,
        "window": 60,
        "encoder": "char",
        "tokens": list(ENCODER.vocabulary),
    }


def test_a_vocabulary_too_large_for_a_note_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = PieceEncoder.of("é" * 10, "b" * 10)
    monkeypatch.setattr(exporting, "ABOUT_BYTES", 80)  # as JSON they take 78
    assert "tokens" in about(bigram(), pieces)
    monkeypatch.setattr(exporting, "ABOUT_BYTES", 77)
    assert "tokens" not in about(bigram(), pieces)


# --- what is checked ---


def test_a_file_with_other_logits_is_not_kept(
    registry: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.npz").write_text("mine")
    monkeypatch.setattr(TablesFormat, "spoil", staticmethod(lambda logits: logits + np.float32(2e-2)))
    message = "the format npz wrote a file whose logits differ by 2.0e-02 from the model's after 1 tokens, .*nothing"
    for path in (tmp_path / "new.npz", tmp_path / "old.npz"):
        with pytest.raises(ExportError, match=f"^{message} was kept"):
            write(path, registry, overwrite=True)
    assert content(tmp_path) == ["old.npz"]
    assert (tmp_path / "old.npz").read_text() == "mine"


@pytest.mark.parametrize("make", SAVED.values(), ids=SAVED)
def test_a_model_that_is_read_back_must_be_the_one_that_was_written(
    make: Any, registry: Plugins, tmp_path: Path
) -> None:
    made = export(make(), ENCODER, "copy", tmp_path / "x", plugins=registry)
    assert (made.distance, made.tokens, made.size) == (0, 0, 0)


def other_array(change: Any) -> Any:
    return lambda saved: attrs.evolve(saved, arrays=saved.arrays | {"output.bias": change(saved.arrays["output.bias"])})


OTHERS = {
    "options": lambda saved: attrs.evolve(saved, options={**saved.options, "hidden_size": 1}),
    "window": lambda saved: attrs.evolve(saved, window=3),
    "vocabulary_size": lambda saved: attrs.evolve(saved, vocabulary_size=12),
    "architecture": lambda saved: attrs.evolve(saved, architecture="conv"),
    "extra": lambda saved: attrs.evolve(saved, arrays=saved.arrays | {"extra": np.zeros(1, np.float32)}),
    "output.bias": other_array(lambda array: array + np.float32(1e-6)),
    "embedding.weight": lambda saved: attrs.evolve(
        saved, arrays={name: array for name, array in saved.arrays.items() if name != "embedding.weight"}
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_model_read_back_is_refused(
    name: str, registry: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CopyFormat, "change", staticmethod(OTHERS[name]))
    with pytest.raises(ExportError, match=rf"^the format copy wrote .* another model back, for these differ: {name};"):
        export(saved_lstm(), ENCODER, "copy", tmp_path / "x", plugins=registry)
    assert content(tmp_path) == []


def test_the_model_that_was_given_is_not_what_was_read(
    registry: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CopyFormat, "write", lambda self, saved, *rest: saved)
    message = (
        "^the format copy gives back the model that it was given, not what it reads from its file; nothing was kept"
    )
    with pytest.raises(ExportError, match=message):
        export(saved_lstm(), ENCODER, "copy", tmp_path / "x", plugins=registry)
    assert content(tmp_path) == []


def test_so_is_one_in_fewer_bits(registry: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CopyFormat, "change", staticmethod(other_array(lambda array: array.astype(np.float64))))
    with pytest.raises(ExportError, match=r"these differ: output\.bias;"):
        export(saved_lstm(), ENCODER, "copy", tmp_path / "x", plugins=registry)


@pytest.mark.parametrize("raised", [RuntimeError("oh"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_writer_that_fails_leaves_nothing(
    raised: BaseException, registry: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: TablesFormat, saved: SavedModel, architecture: Any, by: Any, path: Path, about: Any) -> ReadBack:
        path.write_text("half of it")
        raise raised

    monkeypatch.setattr(TablesFormat, "write", fail)
    place = tmp_path / "new.npz"
    messages = {
        RuntimeError: "the format npz (tests.test_exporting:TablesFormat) failed to write the model: RuntimeError: oh",
        OSError: f"can't write {place}: No space left on device; choose another place",
    }
    expected = {RuntimeError: PluginError, OSError: ExportError}.get(type(raised), KeyboardInterrupt)
    with pytest.raises(expected) as caught:
        write(place, registry)
    assert content(tmp_path) == []
    assert str(caught.value) == messages.get(type(raised), "")


def test_a_state_that_is_carried_on_wrongly_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from textforge.formats.onnx import lstm

    def confused(saved: SavedModel, architecture: Any) -> Any:
        graph = lstm_graph(saved, architecture)
        for node in graph.nodes:
            node.output[-1] = {"next_hidden": "next_cell", "next_cell": "next_hidden"}.get(
                node.output[-1], node.output[-1]
            )
        return graph

    lstm_graph = lstm.lstm_graph
    monkeypatch.setattr(lstm, "lstm_graph", confused)
    with pytest.raises(ExportError, match="from the model's after 2 tokens"):
        export(saved_lstm(), ENCODER, "onnx", tmp_path / "model.onnx")
    assert content(tmp_path) == []


# --- what is refused ---


def test_a_file_that_is_there_is_left_alone(registry: Plugins, tmp_path: Path) -> None:
    (tmp_path / "mine.npz").write_text("mine")
    with pytest.raises(ExportError, match=r"mine\.npz is there already; replace it with overwrite=True, or choose"):
        write(tmp_path / "mine.npz", registry)
    assert (tmp_path / "mine.npz").read_text() == "mine"
    write(tmp_path / "mine.npz", registry, overwrite=True)
    assert (tmp_path / "mine.npz").read_bytes()[:2] == b"PK"
    assert content(tmp_path) == ["mine.npz"]


def test_a_file_that_came_meanwhile_is_left_alone(
    registry: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(logits: Array) -> Array:
        (tmp_path / "new.npz").write_text("theirs")
        return logits

    monkeypatch.setattr(TablesFormat, "spoil", staticmethod(meanwhile))
    with pytest.raises(ExportError, match="there already"):
        write(tmp_path / "new.npz", registry)
    assert content(tmp_path) == ["new.npz"]
    assert (tmp_path / "new.npz").read_text() == "theirs"


@pytest.mark.parametrize("overwrite", [False, True])
def test_places_where_no_file_can_be(overwrite: bool, registry: Plugins, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling.npz").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.npz").mkdir()
    for place, message in (
        (tmp_path / "folder.npz", "is a folder: name a file in it"),
        (tmp_path / "no" / "x.npz", "can't write .*: No such file or directory; choose another place"),
        (tmp_path / "file" / "x.npz", "can't write .*: Not a directory; choose another place"),
        (tmp_path / ("x" * 300 + ".npz"), "can't write .*: File name too long"),
        (tmp_path / "dangling.npz", "no regular file" if overwrite else "there already"),
    ):
        with pytest.raises(ExportError, match=message):
            write(place, registry, overwrite=overwrite)
    assert content(tmp_path) == ["dangling.npz", "file", "folder.npz"]


@pytest.mark.skipif(sys.platform == "win32", reason="it has no /dev/null")
def test_a_device_is_not_replaced(registry: Plugins) -> None:
    with pytest.raises(ExportError, match="/dev/null is no regular file"):
        export(bigram(), ENCODER, "copy", "/dev/null", plugins=registry, overwrite=True)


@pytest.mark.parametrize(
    ("name", "format", "message"),
    [
        ("x.pt", "onnx", "a file of the format onnx must end in .onnx, got x.pt: call it x.onnx"),
        ("x", "onnx", "a file of the format onnx must end in .onnx, got x: call it x.onnx"),
        ("x.ONNX", "onnx", "a file of the format onnx must end in .onnx, got x.ONNX: call it x.onnx"),
        ("v-1.2", "onnx", "a file of the format onnx must end in .onnx, got v-1.2: call it v-1.2.onnx"),
        ("-", "onnx", "a model can't be written to standard output, since .*: name a file, such as model.onnx"),
        ("-", "copy", "a model can't be written to standard output, since .*: name a file, such as model"),
    ],
)
def test_a_name_that_says_something_else_is_refused(
    name: str, format: str, message: str, registry: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExportError, match=f"^{message}$"):
        export(saved_lstm(), ENCODER, format, name, plugins=registry)
    assert content(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on a file's size can be set there")
def test_a_disk_that_is_full(tmp_path: Path) -> None:
    code = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_exporting import ENCODER, export, saved_lstm
import onnx, onnxruntime
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
export(saved_lstm(), ENCODER, "onnx", {str(tmp_path / "model.onnx")!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        f"textforge.errors.ExportError: can't write {tmp_path / 'model.onnx'}: File too large; choose another place"
    )
    assert content(tmp_path) == []


def test_an_unknown_format_names_those_there_are(tmp_path: Path, registry: Plugins) -> None:
    with pytest.raises(
        ExportError, match=r"^there is no format 'onx'; formats for this model: onnx; did you mean 'onnx'\?"
    ):
        export(saved_lstm(), ENCODER, "onx", tmp_path / "x", plugins=Plugins(disabled="all"))
    with pytest.raises(
        ExportError, match=r"^a model of the architecture 'lstm' can't be written as 'npz'; .*: copy, onnx$"
    ):
        export(saved_lstm(), ENCODER, "npz", tmp_path / "x", plugins=registry)
    with pytest.raises(
        ExportError, match=r"^a model of the architecture 'bigram' can't be written as 'onnx'; .*: copy, npz$"
    ):
        export(bigram(), ENCODER, "onnx", tmp_path / "x", plugins=registry)


def test_a_plugin_that_is_left_out_may_be_what_brings_a_format(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"is no format 'torch'; .*: onnx \(.*is left out by TEXTFORGE_DISABLE_PLUG"):
        export(saved_lstm(), ENCODER, "torch", tmp_path / "x", plugins=Plugins(disabled="all"))


def test_a_format_that_is_not_installed_is_told_with_those_that_are(tmp_path: Path) -> None:
    own = builtin_plugins()
    with pytest.raises(ExportError, match=r"^there is no format 'torch'; formats for this model: onnx$"):
        export(saved_lstm(), ENCODER, "torch", tmp_path / "x", plugins=own)


def test_a_format_may_be_given_as_an_object(registry: Plugins, tmp_path: Path) -> None:
    assert export(bigram(), ENCODER, CopyFormat(), tmp_path / "x", plugins=registry).format == "copy"


def test_edited_weights_are_refused_by_the_architecture(tmp_path: Path) -> None:
    saved = saved_lstm()
    broken = attrs.evolve(saved, arrays={n: a for n, a in saved.arrays.items() if n != "lstm.0.bias"})
    with pytest.raises(textforge.TextforgeError, match=r"lacks the weights lstm\.0\.bias"):
        export(broken, ENCODER, "onnx", tmp_path / "x.onnx")
    assert content(tmp_path) == []


# --- the command ---


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "lstm"
    TextGenerator(ModelMaker().load(saved_lstm()), ENCODER).save(path)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_command_says_what_it_wrote_on_standard_error_alone(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    result = run("export", model, "--format", "onnx", path)
    assert result.exit_code == 0, result.stderr
    assert not result.stdout
    first, second = result.stderr.splitlines()
    assert first.startswith(f"wrote {path}, {path.stat().st_size:,} bytes: an ONNX graph")
    assert second.startswith("its logits are within ")
    assert second.endswith("e-07 of the model's own, over 2,064 tokens")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["{model}", "{there}", "--format", "onnx"], 1, "Error: {there} is there already; replace it with --overwrite"),
        (["{model}", "{new}", "--format", "onxx"], 1, "Error: there is no format 'onxx'; formats for this model: "),
        (
            ["{model}", "{there}/x.onnx", "--format", "onnx"],
            1,
            "Error: can't write {there}/x.onnx: Not a directory; choose",
        ),
        (["{model}", "{new}.pt", "--format", "onnx"], 1, "Error: a file of the format onnx must end in .onnx, got "),
        (["{model}", "-", "--format", "onnx"], 1, "Error: a model can't be written to standard output, since the file"),
        (["{there}", "{new}", "--format", "onnx"], 1, "Error: {there} is a file; a model is a folder"),
        (["{model}", "{new}"], 2, "Error: Missing option '--format'"),
        (["{model}", "--format", "onnx"], 2, "Error: Missing argument 'FILE'"),
    ],
)
def test_errors_are_one_line(model: Path, tmp_path: Path, arguments: list[str], status: int, message: str) -> None:
    places = {"model": model, "there": tmp_path / "there.onnx", "new": tmp_path / "new"}
    places["there"].write_text("mine")
    result = run("export", *(argument.format(**places) for argument in arguments))
    assert result.exit_code == status
    assert not result.stdout
    assert result.stderr.splitlines()[-1].startswith(message.format(**places))
    if status == 1:
        assert len(result.stderr.splitlines()) == 1
    assert content(tmp_path) == ["there.onnx"]
    assert places["there"].read_text() == "mine"


def test_an_n_gram_model_has_no_format(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("it is, is it? " * 50)
    textforge.train(tmp_path / "book.txt", architecture="ngram:order=2", output=tmp_path / "m", seed=1)
    result = run("export", tmp_path / "m", "--format", "onnx", tmp_path / "x.onnx")
    assert result.stderr == (
        "Error: a model of the architecture 'ngram' can't be written as 'onnx'; formats for it: none\n"
    )


def test_a_model_that_no_backend_runs_is_refused(tmp_path: Path) -> None:
    generator = TextGenerator(ScriptedModel(11, hashed_logits(11)), ENCODER)
    with pytest.raises(ExportError, match="the architecture 'scripted' can't be written as 'onnx'"):
        generator.export(tmp_path / "x.onnx", format="onnx")


def test_the_command_says_so_where_weights_were_compared(model: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "fake_plain.py"
    plugin.write_text(
        "import copy, textforge\nclass Plain(textforge.Format):\n    name, description = 'plain', 'a plain file'\n"
        "    any_architecture = True\n    def write(self, saved, *others): return copy.deepcopy(saved)\n"
        "@textforge.hookimpl\ndef register_formats(register): register(Plain)\n"
    )
    result = run("export", model, "--format", "plain", tmp_path / "x", "--plugin", plugin)
    assert result.stderr == f"wrote {tmp_path / 'x'}, 0 bytes: a plain file\nwhat it holds is the model, bit for bit\n"
    shown = run("--plugin", plugin, "export", "--help").stdout
    assert "Installed formats:\n" in shown
    assert "  plain  a plain file\n" in shown
    assert "  onnx   an ONNX graph that reads one token a row" in shown


def test_what_a_format_needs_of_architectures_is_listed() -> None:
    shown = run("plugins").stdout
    assert re.search(r"^textforge-lm .*\n(    .*\n)*    format +onnx$", shown, re.M)
    assert re.search(
        r"^textforge-lm .*\n(    .*\n)*    implements +.*conv as onnx, gpt as onnx, lstm as onnx.*$", shown, re.M
    )


def test_a_plugin_that_can_t_be_loaded_spoils_no_help(tmp_path: Path) -> None:
    shown = run("--plugin", tmp_path / "no.py", "export", "--help")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Usage: ")


def test_the_commands_help_imports_no_framework() -> None:
    code = (
        "import sys\nfrom textforge.cli import main\n"
        "main(['export', '--help'], standalone_mode=False)\n"
        "print({'torch', 'tensorflow', 'keras', 'onnx', 'onnxruntime', 'safetensors', 'pooch', 'rich'} "
        "& set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
