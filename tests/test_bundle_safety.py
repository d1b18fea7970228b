"""Bundles that kills, full disks, damage and strangers have met."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bundle_samples import assert_holds, contents, letters_plugins, other_run, step_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textforge.bundle import Bundle, BundleContents, BundleWriter
from textforge.bundle.files import sha256
from textforge.errors import BundleError

TESTS = Path(__file__).parent
SEED = 20240229


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    return subprocess.Popen(
        [sys.executable, "-c", f"from bundle_samples import *; {code}", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_killed_at_any_moment_the_bundle_loads_and_its_parts_agree(tmp_path):
    path = tmp_path / "model"
    BundleWriter.prepare(path).commit(contents(1))
    (path / "notes.txt").write_text("mine")
    moments = random.Random(SEED)
    seen = set()
    for _ in range(20):
        process = start("commit_forever(sys.argv[1])", str(path))
        with process:
            assert process.stdout.readline() == "started\n"
            time.sleep(moments.uniform(0.005, 0.15))
            process.kill()
        seen.add((step_of(path), tuple(sorted(Bundle.open(path).files))))
        assert (path / "notes.txt").read_text() == "mine"
    assert len(seen) > 1
    BundleWriter.prepare(path, overwrite=True).commit(contents(2))
    assert len(list(path.iterdir())) == 6


def failure(writer: BundleWriter, whole: BundleContents) -> str | None:
    """The errors that a commit fails with."""
    try:
        writer.commit(whole)
    except BundleError as error:
        return str(error)
    return None


CALLS = ("open", "write", "fsync", "replace", "unlink", "close", "ftruncate", "truncate", "lseek", "lstat", "listdir")


class Faults:
    """Makes the n-th of the calls to the system fail, and from then on, where asked, all that write."""

    def __init__(self, monkeypatch, at, *, half=False, lasting=False):
        self.at, self.half, self.lasting, self.count = at, half, lasting, 0
        self.failed = False
        for name in CALLS:
            monkeypatch.setattr(os, name, self.faulty(name, getattr(os, name)))

    def faulty(self, name, call):
        def faulty_call(*arguments, **keywords):
            self.count += 1
            if self.count == self.at or (self.lasting and self.failed and name == "write"):
                self.failed = True
                if self.half and name == "write":
                    call(arguments[0], arguments[1][: len(arguments[1]) // 2])
                if name == "close":
                    call(*arguments)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*arguments, **keywords)

        return faulty_call


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("later", [contents(3), other_run(3)], ids=["continued", "overwritten"])
def test_whichever_call_fails_the_earlier_bundle_loads(tmp_path, monkeypatch, later, half):
    at, ended = 0, False
    while not ended:
        at += 1
        path = tmp_path / str(at)
        BundleWriter.prepare(path).commit(contents(2))
        (path / "notes.txt").write_text("mine")
        writer = BundleWriter.prepare(path, overwrite=True)
        with monkeypatch.context() as patch:
            faults = Faults(patch, at, half=half, lasting=half)
            error = failure(writer, later)
            ended = not faults.failed
        assert error is None or "No space left on device; what was saved there before is unharmed" in error
        is_later = error is None or Bundle.open(path).position.step == 3
        assert_holds(path, later if is_later else contents(2))
        assert (path / "notes.txt").read_text() == "mine"
        if not half:  # else what was written may stay, for nothing could be written any more
            writer.commit(later)
            assert_holds(path, later)
            assert len(list(path.iterdir())) == 6
    assert at > 30


def test_a_failed_commit_leaves_no_half_written_file(tmp_path, monkeypatch):
    writer = BundleWriter.prepare(tmp_path)
    writer.commit(contents(1))
    before = {found.name: found.read_bytes() for found in tmp_path.iterdir()}
    writes = 0
    while True:
        writes += 1
        with monkeypatch.context() as patch:
            real, left = os.write, [writes]

            def write(descriptor, data, real=real, left=left):
                left[0] -= 1
                if left[0] > 0:
                    return real(descriptor, data)
                real(descriptor, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")

            patch.setattr(os, "write", write)
            if failure(writer, contents(2)) is None:
                break
        assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == before
    assert writes == 6
    assert_holds(tmp_path, contents(2))


def test_a_full_disk_in_a_process_of_its_own(tmp_path):
    path = tmp_path / "model"
    BundleWriter.prepare(path).commit(contents(2))
    code = """
import resource, textforge
whole = contents(2)
big = attrs.evolve(whole.model, arrays={'w': np.arange(50_000.0)})
writer = BundleWriter.prepare(sys.argv[1], resume=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    writer.commit(attrs.evolve(whole, model=big))
except textforge.TextforgeError as error:
    print(error)
"""
    process = start(f"exec({code!r})", str(path))
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "can't save the model" in output
    assert "unharmed" in output
    assert_holds(path, contents(2))
    assert len(list(path.iterdir())) == 5
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100_000


# Damage


def read_everything(path: Path) -> None:
    """Load all there is; only a `BundleError`, of one line, may come of it."""
    try:
        bundle = Bundle.open(path)
    except BundleError as error:
        assert_printable(error)
        return
    for read in (lambda: bundle.encoder(letters_plugins()), bundle.model, bundle.checkpoint, bundle.history):
        try:
            read()
        except BundleError as error:
            assert_printable(error)


def assert_printable(error: BundleError) -> None:
    assert str(error).isprintable()
    assert len(str(error)) < 700


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample")
    BundleWriter.prepare(path).commit(contents(2))
    return {found.name: found.read_bytes() for found in sorted(path.iterdir())}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


def restore(folder: Path, sample: dict[str, bytes], **changes: bytes | None) -> None:
    for found in folder.iterdir():
        found.unlink()
    for name, data in sample.items():
        if changes.get(name, data) is not None:
            (folder / name).write_bytes(changes.get(name, data))


MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def damage(draw):
    """A change of bytes: flipped, cut, inserted or replaced."""
    at, kind = draw(st.floats(0, 1)), draw(st.sampled_from(["flip", "cut", "insert", "replace"]))
    extra = draw(st.binary(min_size=1, max_size=9))

    def apply(data: bytes) -> bytes:
        place = int(at * max(0, len(data) - 1))
        if kind == "flip":
            return data[:place] + bytes([data[place] ^ (extra[0] or 1)]) + data[place + 1 :]
        if kind == "cut":
            return data[:place]
        if kind == "insert":
            return data[:place] + extra + data[place:]
        return data[:place] + extra + data[place + len(extra) :]

    return apply


@MANY
@given(change=damage(), which=st.integers(0, 4))
def test_a_changed_file_is_noticed(sample, scratch, change, which):
    name = list(sample)[which]
    changed = change(sample[name])
    restore(scratch, sample, **{name: changed})
    read_everything(scratch)
    kept_lines = name == "history.jsonl" and changed.startswith(sample[name])
    if name != "config.json" and changed != sample[name] and not kept_lines:
        with pytest.raises(BundleError, match=r"damaged|missing"):
            Bundle.open(scratch).contents(letters_plugins())


@MANY
@given(change=damage(), part=st.sampled_from(["encoder", "model", "checkpoint", "history"]))
def test_a_strangers_file_with_a_fitting_digest_raises_nothing_else(sample, scratch, change, part):
    manifest = json.loads(sample["config.json"])
    entry = manifest["files"][part]
    changed = change(sample[entry["name"]])
    entry |= {"size": len(changed), "sha256": sha256(changed)}
    restore(scratch, sample, **{entry["name"]: changed, "config.json": json.dumps(manifest).encode()})
    read_everything(scratch)


def places(value, at=()):
    """Every key and index in some JSON, as a path."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from places(inner, (*at, key))


STRANGE = [None, True, -1, 0, 10**30, 1e300, "", "x", "\ud800\n", "../x", "/etc/passwd", [], [[]], {}, {"a": []}, ["a"]]


def changed_json(text: bytes, place, value) -> bytes:
    manifest = json.loads(text)
    inner = manifest
    for key in place[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return json.dumps(manifest).encode()


def test_any_value_of_the_manifest_may_be_missing_or_anything_else(sample, scratch):
    restore(scratch, sample)
    count = 0
    for place in places(json.loads(sample["config.json"])):
        for value in [..., *STRANGE]:
            (scratch / "config.json").write_bytes(changed_json(sample["config.json"], place, value))
            read_everything(scratch)
            count += 1
    assert count > 1000


def test_any_value_of_the_encoder_may_be_missing_or_anything_else(sample, scratch):
    manifest = json.loads(sample["config.json"])
    name = manifest["files"]["encoder"]["name"]
    for place in places(json.loads(sample[name])):
        for value in [..., *STRANGE]:
            data = changed_json(sample[name], place, value)
            manifest["files"]["encoder"] |= {"size": len(data), "sha256": sha256(data)}
            restore(scratch, sample, **{name: data, "config.json": json.dumps(manifest).encode()})
            read_everything(scratch)


FLOATS = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"__metadata__": None},
        {"__metadata__": None, "a": FLOATS},
        {"__metadata__": {}, "a": FLOATS},
        {"__metadata__": {"textforge": 1}, "a": FLOATS},
        *(
            {"__metadata__": {"textforge": text}, "a": FLOATS}
            for text in ("", "[]", "{}", '{"position": 1}', "[" * 9999)
        ),
        {"a": {**FLOATS, "dtype": "BF16", "shape": [4]}},
        {"a": {**FLOATS, "dtype": "F8_E4M3", "shape": [8]}},
        {"a": {**FLOATS, "shape": [1 << 62]}},
        {"a": {**FLOATS, "shape": [1 << 62, 4]}},
        {"a": {**FLOATS, "shape": [1 << 70]}},
        {"a": {**FLOATS, "shape": [-2]}},
        {"a": {**FLOATS, "shape": [1] * 70 + [2]}},
        {"a": {**FLOATS, "data_offsets": [0, 1 << 60]}},
        {"a": {**FLOATS, "data_offsets": [8, 0]}},
        {"a": {**FLOATS, "shape": [0, 1 << 62], "data_offsets": [0, 0]}, "b": FLOATS},
        {"a": FLOATS, "b": FLOATS},
    ],
    ids=range(21),
)
def test_a_header_of_any_kind_raises_nothing_else(sample, tmp_path, header):
    text = json.dumps(header).encode()
    data = len(text).to_bytes(8, "little") + text + (b"\0" * 8 if "a" in header else b"")
    for part in ("model", "checkpoint"):
        manifest = json.loads(sample["config.json"])
        entry = manifest["files"][part]
        entry |= {"size": len(data), "sha256": sha256(data)}
        restore(tmp_path, sample, **{entry["name"]: data, "config.json": json.dumps(manifest).encode()})
        read_everything(tmp_path)
    with pytest.raises(BundleError, match=r"checkpoint-.* is damaged"):
        Bundle.open(tmp_path).checkpoint()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "its JSON ends or breaks at line 1"),
        (b"{", "its JSON ends or breaks"),
        (b"\xff\xfe{", "not UTF-8"),
        (b"[]", "no format_version"),
        (b"{}", "no format_version"),
        (b'{"format_version": true}', "no format_version"),
        (b'{"format_version": 0}', "no format_version"),
        (b'{"format_version": 1}', "corpora is missing"),
        (b'{"format_version": 3}', r"format 3, and this textforge reads up to 2; upgrade textforge"),
        (b'{"format_version": 1, "a": NaN}', "no number"),
        (b'{"format_version": 1, "a": 1e999}', "no number"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"format_version": ' + b"9" * 5000 + b"}", "damaged"),
    ],
    ids=range(13),
)
def test_what_is_wrong_with_a_manifest_is_told(tmp_path, data, expected):
    (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(BundleError, match=expected) as caught:
        Bundle.open(tmp_path)
    assert str(tmp_path / "config.json") in str(caught.value)
    assert_printable(caught.value)


def test_a_file_of_the_wrong_size_or_gone_is_told(sample, tmp_path):
    (name,) = [name for name in sample if name.startswith("model")]
    restore(tmp_path, sample, **{name: sample[name][:-1]})
    with pytest.raises(BundleError, match=r"model-.* is damaged: it has \d+ bytes, and \d+ were saved; copy"):
        Bundle.open(tmp_path).model()
    restore(tmp_path, sample, **{name: None})
    with pytest.raises(BundleError, match=r"model-.* is missing; copy the whole folder again, or train"):
        Bundle.open(tmp_path).model()


def test_a_bundle_saved_anew_while_it_is_read_is_told(tmp_path):
    writer = BundleWriter.prepare(tmp_path)
    writer.commit(contents(1))
    bundle = Bundle.open(tmp_path)
    writer.commit(contents(2))
    with pytest.raises(BundleError, match="saved anew while it was read; load it again"):
        bundle.model()


def test_what_is_no_bundle_is_told(tmp_path):
    with pytest.raises(BundleError, match="there is no folder"):
        Bundle.open(tmp_path / "none")
    with pytest.raises(BundleError, match=r"holds no trained model: it has no config\.json"):
        Bundle.open(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match="is a file"):
        Bundle.open(tmp_path / "file")
    for path in ("a\0b", "x" * 5000, "\ud800", "a\nb"):
        with pytest.raises(BundleError) as caught:
            Bundle.open(path)
        assert str(caught.value).isprintable()
        with pytest.raises(BundleError) as caught:
            BundleWriter.prepare(tmp_path / "file" / path)
        assert str(caught.value).isprintable()


def test_an_unreadable_bundle_is_told(tmp_path, sample, monkeypatch):
    restore(tmp_path, sample)
    bundle = Bundle.open(tmp_path)

    def refuse(*arguments, **keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    for read in (bundle.model, lambda: Bundle.open(tmp_path)):
        with pytest.raises(BundleError, match=r"can't read .*: Permission denied; check"):
            read()


# Strangers


@pytest.mark.parametrize(
    "name",
    [
        "../secret.safetensors",
        "../model-0123456789abcdef.safetensors",
        "/tmp/model-0123456789abcdef.safetensors",
        "sub/model-0123456789abcdef.safetensors",
        "sub\\model-0123456789abcdef.safetensors",
        "C:model-0123456789abcdef.safetensors",
        "model-0123456789abcdef.safetensors\n",
        "notes.txt",
        "config.json",
        "..",
        "",
    ],
)
def test_a_manifest_names_only_files_of_its_own_folder(sample, tmp_path, name):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.safetensors").write_text("secret")
    restore(folder, {**sample, "notes.txt": b"mine"})
    for part in ("encoder", "model", "checkpoint", "history"):
        data = changed_json(sample["config.json"], ("files", part, "name"), name)
        (folder / "config.json").write_bytes(data)
        for attempt in (Bundle.open, lambda path: BundleWriter.prepare(path, overwrite=True)):
            with pytest.raises(BundleError, match="is no name of a bundle's file"):
                attempt(folder)


def test_links_that_lead_out_are_neither_read_nor_written(sample, tmp_path):
    folder = tmp_path / "model"
    for name in sample:
        folder.mkdir(exist_ok=True)
        restore(folder, sample)
        outside = tmp_path / "outside"
        outside.write_bytes(sample[name] + b"\n")
        (folder / name).unlink()
        (folder / name).symlink_to(outside)
        with pytest.raises(BundleError, match="no regular file"):
            Bundle.open(folder).contents(letters_plugins())
        if name != "config.json":
            BundleWriter.prepare(folder, overwrite=True).commit(contents(3))
            assert_holds(folder, contents(3))
        assert outside.read_bytes() == sample[name] + b"\n"


def test_a_pipe_in_a_files_place_doesnt_wait(sample, tmp_path):
    for name in sample:
        restore(tmp_path, sample, **{name: None})
        os.mkfifo(tmp_path / name)
        with pytest.raises(BundleError, match="no regular file"):
            Bundle.open(tmp_path).contents(letters_plugins())
