"""Exporting, whatever the format: what is checked, what is refused, and what is left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bigram_plugin
import numpy as np
import pytest
from click.testing import CliRunner, Result
from export_samples import saved_lstm
from hypothesis import given
from hypothesis import strategies as st
from support import PieceEncoder, ScriptedModel, hashed_logits

import textforge
from textforge.backends.numpy.lstm import NumpyLSTM
from textforge.cli import main
from textforge.encoders.char import CharEncoder
from textforge.errors import ExportError
from textforge.library import exporting
from textforge.library.exporting import about, export, some_ids
from textforge.library.generator import TextGenerator
from textforge.model import Array, ReadBack, SavedModel
from textforge.plugins.registry import Plugins

ENCODER = CharEncoder().fit(["abcdefghij\n"])
Spoil = Callable[[Array], Array]


class TablesBackend(bigram_plugin.BigramBackend):
    """Writes the tables of the bigram model as an .npz file; `spoil` is what goes wrong with the logits."""

    name = "tables"
    formats = {"npz": "two tables"}  # noqa: RUF012 -- as a plugin's author writes it

    def export(self, saved: SavedModel, format: str, path: Path, about: Any) -> ReadBack:
        assert (format, about["architecture"]) == ("npz", "bigram")
        with path.open("wb") as file:
            np.savez(file, **saved.arrays)
        with np.load(path) as tables:
            last, before = tables["last"], tables["before"]

        def logits(ids: Array) -> Array:
            previous = np.concatenate([np.zeros_like(ids[:, :1]), ids[:, :-1]], axis=1)
            found: Array = last[ids] + before[previous]
            return self.spoil(found)

        return logits

    @staticmethod
    def spoil(logits: Array) -> Array:
        return logits


@pytest.fixture
def registry() -> Plugins:
    return Plugins([module_of(TablesBackend)], disabled="all")


def module_of(backend: type[textforge.Backend]) -> Any:
    import types

    @textforge.hookimpl
    def register_backends(register: Any) -> None:
        register(backend)

    module = types.ModuleType("fake_tables")
    module.register_backends = register_backends  # type: ignore[attr-defined]
    return module


def bigram() -> SavedModel:
    return TablesBackend().create(11, 0).save()


def write(path: Path, plugins: Plugins, **keywords: Any) -> exporting.Exported:
    return export(bigram(), ENCODER, "npz", path, plugins=plugins, **keywords)


def content(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- what is written ---


def test_a_plugin_s_format_is_written_and_measured(registry: Plugins, tmp_path: Path) -> None:
    made = write(tmp_path / "tables.npz", registry)
    assert made == exporting.Exported(
        tmp_path / "tables.npz", "npz", "two tables", (tmp_path / "tables.npz").stat().st_size, 0.0, 1000
    )
    assert content(tmp_path) == ["tables.npz"]
    with np.load(made.path) as tables:
        np.testing.assert_array_equal(tables["last"], bigram().arrays["last"])


def test_a_generator_exports_its_model(registry: Plugins, tmp_path: Path) -> None:
    generator = TextGenerator(TablesBackend().load(bigram()), ENCODER, plugins=registry)
    assert generator.export(tmp_path / "a.npz", format="npz").format == "npz"
    with pytest.raises(ExportError, match="there already"):
        generator.export(tmp_path / "a.npz", format="npz")
    generator.export(str(tmp_path / "a.npz"), format="npz", overwrite=True)


def test_a_file_says_what_its_model_is() -> None:
    saved = saved_lstm(window=60)
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


def half_wrong(logits: Array) -> Array:
    logits[:, 1:] += np.float32(1e-3)
    return logits


def one_nan(logits: Array) -> Array:
    logits[1, 3, 2] = np.nan
    return logits


BROKEN: dict[str, tuple[Spoil, str]] = {
    "shifted": (lambda logits: logits + np.float32(2e-5), r"2\.0e-05 from the model's after 1 tokens, and 1\.0e-05 is"),
    "later": (half_wrong, r"1\.0e-03 from the model's after 2 tokens"),
    "nan": (one_nan, "nan from the model's after 4 tokens"),
    "rows swapped": (lambda logits: logits[::-1], "from the model's after 1 tokens"),
    "shape": (lambda logits: logits[:, :, :-1], r"of shape \(2, 500, 10\), where the model's are \(2, 500, 11\)"),
}


@pytest.mark.parametrize(("spoil", "message"), BROKEN.values(), ids=BROKEN)
def test_a_file_with_other_logits_is_not_kept(
    spoil: Spoil, message: str, registry: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.npz").write_text("mine")
    monkeypatch.setattr(TablesBackend, "spoil", staticmethod(spoil))
    for path in (tmp_path / "new.npz", tmp_path / "old.npz"):
        with pytest.raises(ExportError, match=f"^the backend tables wrote a file .*{message}.*nothing was kept"):
            write(path, registry, overwrite=True)
    assert content(tmp_path) == ["old.npz"]
    assert (tmp_path / "old.npz").read_text() == "mine"


@pytest.mark.parametrize("raised", [RuntimeError("oh"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_writer_that_fails_leaves_nothing(
    raised: BaseException, registry: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: TablesBackend, saved: SavedModel, format: str, path: Path, about: Any) -> ReadBack:
        path.write_text("half of it")
        raise raised

    monkeypatch.setattr(TablesBackend, "export", fail)
    named = isinstance(raised, OSError)
    with pytest.raises(ExportError if named else type(raised)) as caught:
        write(tmp_path / "new.npz", registry)
    assert content(tmp_path) == []
    if named:
        place = tmp_path / "new.npz"
        assert str(caught.value) == f"can't write {place}: No space left on device; choose another place"


def test_a_state_that_is_carried_on_wrongly_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from textforge.formats.onnx import export as onnx_export
    from textforge.formats.onnx.lstm import lstm_graph

    def confused(saved: SavedModel) -> Any:
        graph = lstm_graph(saved)
        for node in graph.nodes:
            node.output[-1] = {"next_hidden": "next_cell", "next_cell": "next_hidden"}.get(
                node.output[-1], node.output[-1]
            )
        return graph

    monkeypatch.setattr(onnx_export, "GRAPHS", {"lstm": confused})
    with pytest.raises(ExportError, match="from the model's after 2 tokens"):
        export(saved_lstm(), ENCODER, "onnx", tmp_path / "model.onnx")


def test_a_model_that_magnifies_rounding_is_written(tmp_path: Path) -> None:
    """Its logits in float32 are soon far from those in float64: no fault of a file's."""
    saved = saved_lstm(embedding_size=None, num_layers=2, hidden_size=33, scale=6)
    made = export(saved, ENCODER, "onnx", tmp_path / "model.onnx")
    assert made.distance > 1e-4


def test_a_wrong_file_of_such_a_model_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = saved_lstm(embedding_size=None, num_layers=2, hidden_size=33, scale=6)
    other = saved_lstm(embedding_size=None, num_layers=2, hidden_size=33, scale=6.001)
    monkeypatch.setattr(exporting, "find_writer", lambda *_: Other(other))
    with pytest.raises(ExportError, match="after 1 tokens"):
        export(saved, ENCODER, "onnx", tmp_path / "model.onnx")


class Other:
    """Writes another model than the one it is given."""

    name = "other"

    def __init__(self, other: SavedModel) -> None:
        self.other = other

    def export(self, saved: SavedModel, format: str, path: Path, about: Any) -> ReadBack:
        model = NumpyLSTM(self.other)
        return lambda ids: model.forward(ids, model.start(len(ids)))


@given(st.integers(1, 3000))
def test_the_tokens_compared_are_as_many_different_ones_as_there_is_room_for(vocabulary_size: int) -> None:
    ids = some_ids(vocabulary_size)
    assert ids.shape == (2, 500)
    assert ids.min() >= 0
    assert ids.max() < vocabulary_size
    assert len(np.unique(ids)) == min(vocabulary_size, 1000)
    if vocabulary_size > 1:
        assert (ids[0] != ids[1]).any()


def test_a_large_vocabulary_is_compared_over_fewer_tokens() -> None:
    assert some_ids(50_000).shape == (2, 167)
    assert some_ids(20_000_000).shape == (2, 1)


# --- what is refused ---


def test_a_file_that_is_there_is_left_alone(registry: Plugins, tmp_path: Path) -> None:
    (tmp_path / "mine.npz").write_text("mine")
    with pytest.raises(ExportError, match=r"mine\.npz is there already; replace it with --overwrite, or choose"):
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

    monkeypatch.setattr(TablesBackend, "spoil", staticmethod(meanwhile))
    with pytest.raises(ExportError, match="there already"):
        write(tmp_path / "new.npz", registry)
    assert content(tmp_path) == ["new.npz"]
    assert (tmp_path / "new.npz").read_text() == "theirs"


@pytest.mark.parametrize("overwrite", [False, True])
def test_places_where_no_file_can_be(overwrite: bool, registry: Plugins, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for place, message in (
        (tmp_path, "is a folder: name a file in it"),
        (tmp_path / "no" / "x.npz", "can't write .*: No such file or directory; choose another place"),
        (tmp_path / "file" / "x.npz", "can't write .*: Not a directory; choose another place"),
        (tmp_path / ("x" * 300), "can't write .*: File name too long"),
        (tmp_path / "dangling", "no regular file" if overwrite else "there already"),
    ):
        with pytest.raises(ExportError, match=message):
            write(place, registry, overwrite=overwrite)
    assert content(tmp_path) == ["dangling", "file"]


@pytest.mark.skipif(sys.platform == "win32", reason="it has no /dev/null")
def test_a_device_is_not_replaced(registry: Plugins) -> None:
    with pytest.raises(ExportError, match="/dev/null is no regular file"):
        write(Path("/dev/null"), registry, overwrite=True)


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
        ExportError, match=r"^there is no format 'onx'; formats for this model: onnx; did you mean 'onn"
    ):
        export(saved_lstm(), ENCODER, "onx", tmp_path / "x", plugins=Plugins(disabled="all"))
    with pytest.raises(ExportError, match=r"^a model of the architecture 'lstm' can't be written as 'npz'; .*: onnx$"):
        export(saved_lstm(), ENCODER, "npz", tmp_path / "x", plugins=registry)
    with pytest.raises(
        ExportError, match=r"^a model of the architecture 'bigram' can't be written as 'onnx'; .*: npz$"
    ):
        export(bigram(), ENCODER, "onnx", tmp_path / "x", plugins=registry)


@pytest.mark.parametrize("format", ["torch", "keras"])
def test_a_format_that_is_not_installed_is_named_with_the_command_that_brings_it(format: str, tmp_path: Path) -> None:
    with pytest.raises(
        ExportError,
        match=rf"^there is no format '{format}'; formats for this model: onnx \(textforge-{format} brings it: "
        rf"pip install textforge-{format}\)$",
    ):
        export(saved_lstm(), ENCODER, format, tmp_path / "x", plugins=only_textforge())


def only_textforge() -> Plugins:
    from textforge.plugins.sources import installed_sources

    return Plugins(sources=[source for source in installed_sources() if source.distribution == "textforge"])


def test_a_format_without_export_is_the_plugin_s_fault(registry: Plugins, tmp_path: Path) -> None:
    class Idle(bigram_plugin.BigramBackend):
        name = "idle"
        formats = {"csv": "nothing"}  # noqa: RUF012

    with pytest.raises(textforge.TextforgeError, match="the backend idle names the format 'csv', but has no export"):
        export(bigram(), ENCODER, "csv", tmp_path / "x", plugins=Plugins([module_of(Idle)], disabled="all"))
    assert content(tmp_path) == []


# --- the command ---


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "lstm"
    TextGenerator(NumpyLSTM(saved_lstm()), ENCODER).save(path)
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
    assert second.endswith("e-07 of the model's own, over 1,000 tokens")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["{model}", "{there}", "--format", "onnx"], 1, "Error: {there} is there already; replace it with --overwrite"),
        (["{model}", "{new}", "--format", "onxx"], 1, "Error: there is no format 'onxx'; formats for this model: "),
        (["{model}", "{there}/x", "--format", "onnx"], 1, "Error: can't write {there}/x: Not a directory; choose"),
        (["{there}", "{new}", "--format", "onnx"], 1, "Error: {there} is a file; a model is a folder"),
        (["{model}", "{new}"], 2, "Error: Missing option '--format'"),
        (["{model}", "--format", "onnx"], 2, "Error: Missing argument 'FILE'"),
    ],
)
def test_errors_are_one_line(model: Path, tmp_path: Path, arguments: list[str], status: int, message: str) -> None:
    places = {"model": model, "there": tmp_path / "there", "new": tmp_path / "new"}
    places["there"].write_text("mine")
    result = run("export", *(argument.format(**places) for argument in arguments))
    assert result.exit_code == status
    assert not result.stdout
    assert result.stderr.splitlines()[-1].startswith(message.format(**places))
    if status == 1:
        assert len(result.stderr.splitlines()) == 1
    assert content(tmp_path) == ["there"]
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


def test_the_commands_help_imports_no_framework() -> None:
    code = (
        "import sys\nfrom textforge.cli import main\n"
        "main(['export', '--help'], standalone_mode=False)\n"
        "print({'torch', 'tensorflow', 'keras', 'onnx', 'onnxruntime', 'safetensors', 'pooch', 'rich'} "
        "& set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
