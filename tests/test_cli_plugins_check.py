"""``textforge plugins check``, and the pytest classes in an author's own suite."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from plugin_texts import table_architecture

from textforge.cli import main

BROKEN = """
import numpy as np
import textforge

class Loud(textforge.Sampler):
    "Doubles."
    name = "loud"
    by: float = textforge.option(default=2, gt=0, help="By how much.")

    def __call__(self, logits, context):
        return (logits * self.by).astype(np.float32)

class Loud2(textforge.Corpus):
    "Shouts."
    name = "loud"

    def read(self):
        yield "AAAH"

class Needy(textforge.Corpus):
    "Needs something."
    name = "needy"
    path: str = textforge.option(help="A path.")

    def read(self):
        yield self.path

@textforge.hookimpl
def register_samplers(register):
    register(Loud)

@textforge.hookimpl
def register_corpora(register):
    register(Loud2)
    register(Needy)
"""


def check(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plugins", "check", *map(str, arguments)])


@pytest.fixture
def loud(install: Any) -> None:
    install("textforge-loud", {"loud": "fake_loud"}, fake_loud=BROKEN)


@pytest.fixture
def bundle() -> Path:
    return Path(__file__).parent / "bundles" / "0.1.0" / "lstm"


def test_a_line_for_each_check() -> None:
    result = check("top-k:3")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "sampler top-k:3"
    assert lines[-1] == "    21 ok, 0 failed, 0 not applicable"
    assert all(re.fullmatch(r"    [a-z ]{22} ok", line) for line in lines[1:-1])


def test_what_does_not_apply_says_why() -> None:
    result = check("ngram:order=2", "--backend", "numpy")
    assert result.exit_code == 0
    assert "    exact resume           not applicable: it doesn't learn step by step\n" in result.stdout


def test_a_failure_says_how_to_mend_it_and_ends_with_status_1(loud: None) -> None:
    result = check("loud:3", "--kind", "sampler")
    assert result.exit_code == 1
    assert (
        "    dtype                  FAILED: expected logits in float64, got float32: "
        "don't convert them, or end with .astype(np.float64)\n"
    ) in result.stdout
    assert "20 ok, 1 failed" in result.stdout
    assert not result.stderr


def test_a_check_that_is_known_to_fail(loud: None) -> None:
    result = check("loud:3", "--kind", "sampler", "--expect-failure", "dtype=it doubles float32")
    assert result.exit_code == 0
    assert "    dtype                  failed as expected: it doubles float32\n" in result.stdout
    assert "    20 ok, 0 failed, 0 not applicable, 1 failed as expected\n" in result.stdout
    result = check("loud:3", "--kind", "sampler", "--expect-failure", "dtype", "--expect-failure", "check_shape")
    assert result.exit_code == 1
    assert "    shape                  FAILED: expected a failure (known to fail), got a pass: take it" in result.stdout
    assert check("textforge-loud", "--expect-failure", "dtype").exit_code == 0


CHOOSY = """
import textforge

class Choosy(textforge.Sampler):
    "Works with few tokens."
    name = "choosy"
    most: int = textforge.option(default=20, help="Most tokens of an encoder.")
    least: int = textforge.option(default=1, help="Least tokens of an encoder.")

    def check(self, encoder):
        if not self.least <= encoder.vocabulary_size <= self.most:
            raise textforge.TextforgeError("this isn't what it works with")

    def __call__(self, logits, context):
        return logits * 1.0

@textforge.hookimpl
def register_samplers(register):
    register(Choosy)
"""


def test_what_does_no_work_at_all_is_told_once(install: Any) -> None:
    install("textforge-choosy", {"choosy": "fake_choosy"}, fake_choosy=CHOOSY)
    result = check("choosy")
    assert result.exit_code == 1
    first, *rest = result.stdout.splitlines()[1:]
    assert first.startswith(
        "    use                    FAILED: expected something to check the sampler with, got it refuses an encoder of"
    )
    assert first.endswith(": give what it needs in its test class, or with --encoder or --model")
    assert rest == [
        "    0 ok, 1 failed, 0 not applicable",
        "    the other checks were not run: each would fail for the same reason",
    ]


def test_a_sampler_works_with_the_encoder_that_is_named(install: Any) -> None:
    install("textforge-choosy", {"choosy": "fake_choosy"}, fake_choosy=CHOOSY)
    result = check("choosy:least=100,most=1000", "--encoder", "char")
    assert result.exit_code == 0
    assert "    one token vocabulary   not applicable: it refuses an encoder of 1 tokens" in result.stdout
    assert "    20 ok, 0 failed, 1 not applicable" in result.stdout


def test_a_model_gives_a_sampler_its_encoder_and_a_backend_what_to_run(install: Any, bundle: Path) -> None:
    install("textforge-choosy", {"choosy": "fake_choosy"}, fake_choosy=CHOOSY)
    size = json.loads((bundle / "config.json").read_text(encoding="utf-8"))["model"]["vocabulary_size"]
    result = check(f"choosy:least={size},most={size}", "--model", bundle)
    assert result.exit_code == 0, result.stdout
    result = check("lstm", "--backend", "numpy", "--model", bundle)
    assert result.exit_code == 0
    assert result.stdout.startswith("implementation lstm:hidden_size=8,num_layers=2,embedding_size=4 on numpy:")
    assert "14 ok, 0 failed, 5 not applicable" in result.stdout


def test_a_model_of_another_architecture_is_refused(bundle: Path) -> None:
    result = check("conv:channels=4", "--backend", "numpy", "--model", bundle)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: the model is of the architecture lstm, not conv\n"


def test_what_is_mostly_not_applicable_is_no_success() -> None:
    from textforge.cli.plugins_check import _tell
    from textforge.testing import CheckResult

    results = [CheckResult("use"), *[CheckResult("shape", skipped="no")] * 2]
    assert not _tell(results)
    assert _tell([*results, CheckResult("dtype")])


def test_a_distribution_stands_for_all_it_brings(loud: None) -> None:
    result = check("Textforge_Loud")
    assert result.exit_code == 1
    assert re.findall(r"^\S.*$", result.stdout, re.M) == ["corpus loud", "corpus needy", "sampler loud:2.0"]
    assert "    not checked: needy: path is needed: write needy:path=…\n" in result.stdout
    assert check("textforge-loud", "--kind", "corpus").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["loud", "--kind", "corpus", "--encoder", "char"], "--encoder is for checking a sampler, not a corpus: leave"),
        (["loud", "--kind", "sampler", "--model", "nowhere"], "there is no folder nowhere"),
        (["loud", "--kind", "sampler", "--expect-failure", "row-dropped"], "did you mean 'rows dropped'?"),
        (["loud"], "'loud' is the name of corpus and sampler: say which one with --kind"),
        (["lout"], "there is no component or distribution 'lout'; components: adaptive-p, "),
        (["lout"], "did you mean 'loud'?"),
        (["needy"], "needy: path is needed: write needy:path=…"),
        (["loud:0", "--kind", "sampler"], "loud: by must be > 0, got 0"),
        (["loud:1,2", "--kind", "sampler"], "can't read 'loud:1,2'"),
        (["Loud:"], "can't read 'Loud:'"),
    ],
)
def test_what_is_no_component(loud: None, arguments: list[str], message: str) -> None:
    result = check(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr


def test_a_distribution_of_which_nothing_can_be_made(install: Any) -> None:
    install("textforge-needy", {"n": "fake_n"}, fake_n=BROKEN.replace("    register(Loud2)\n", ""))
    result = check("textforge-needy", "--kind", "corpus")
    assert result.exit_code == 1
    assert result.stderr == "Error: needy: path is needed: write needy:path=…\n"
    assert result.stdout == ""
    install("textforge-broken", {"b": "fake_b"}, fake_b="1 / 0")
    result = check("textforge-broken")
    assert result.exit_code == 1
    assert "Error: textforge-broken (b) failed to load: ZeroDivisionError: division by zero" in result.stderr


UNCHECKED = """
import textforge
from fake_loud import Loud, Needy

class Watch(textforge.Report):
    "Watches."
    name = "watch"

class Count(textforge.Metric):
    "Counts."
    name = "count"
    unit = "tokens"

    def measure(self, model, encoder, tokens):
        return len(tokens)

class Echo(textforge.Architecture):
    "Has no weights."
    name = "echo"

    def weights(self, vocabulary_size):
        return {}

@textforge.hookimpl
def register_reports(register):
    register(Watch)

@textforge.hookimpl
def register_metrics(register):
    register(Count)

@textforge.hookimpl
def register_commands(register):
    register("shout", by="fake_watch:shout")
"""


def test_what_there_are_no_checks_of_is_told(install: Any) -> None:
    install("textforge-watch", {"w": "fake_watch"}, fake_watch=UNCHECKED, fake_loud=BROKEN)
    result = check("textforge-watch")
    assert result.exit_code == 1
    assert result.stderr == "Error: nothing of textforge-watch was checked: see why above\n"
    assert re.findall(r"^\S.*$", result.stdout, re.M) == ["report watch", "metric count", "command shout"]
    for name, reason in (
        ("watch", "a report, of which there are no checks: see it at work, `textforge train … --report watch`"),
        ("count", "a metric, of which there are no checks: see it at work, `textforge evaluate … --metric count`"),
        ("shout", "a command, of which there are no checks: run it, `textforge shout`"),
    ):
        assert f"    not checked: {name} is {reason}\n" in result.stdout
        alone = check(name)
        assert (alone.exit_code, alone.stderr) == (1, f"Error: {name} is {reason}\n")
    result = check("textforge-watch", "--kind", "sampler")
    assert result.exit_code == 1
    assert result.stderr == "Error: textforge-watch brings nothing that could be checked of the kind sampler\n"


def test_what_a_hook_and_an_entry_point_both_name_is_checked_once(install: Any) -> None:
    points = "[textforge]\nloud = fake_loud\n[textforge.samplers]\nloud = fake_loud:Loud\n"
    install("textforge-loud", points, fake_loud=BROKEN)
    result = check("textforge-loud", "--kind", "sampler")
    assert re.findall(r"^\S.*$", result.stdout, re.M) == ["sampler loud:2.0"]


def test_an_implementation_for_a_backend_that_is_not_installed_is_told_and_the_rest_checked(install: Any) -> None:
    text = (
        UNCHECKED
        + """
@textforge.hookimpl
def register_architectures(register):
    register(Echo)

@textforge.hookimpl
def register_implementations(register):
    register(backend="paper", architecture="echo", by="fake_echo:Network")
"""
    )
    install("textforge-echo", {"echo": "fake_echo"}, fake_echo=text, fake_loud=BROKEN)
    result = check("textforge-echo")
    assert "implementation echo on paper\n    not checked: there is no backend 'paper'; installed: " in result.stdout
    assert "architecture echo\n    use " in result.stdout


def test_an_architecture_points_to_the_checks_of_what_computes_it(install: Any) -> None:
    result = check("conv:channels=4,num_layers=2")
    assert result.exit_code == 0
    assert re.search(r"^    to check what computes it: .*--backend numpy", result.stdout.splitlines()[-1])
    assert "to check what computes it" not in check("conv:channels=4,num_layers=2", "--backend", "numpy").stdout
    text = UNCHECKED + "@textforge.hookimpl\ndef register_architectures(register):\n    register(Echo)\n"
    install("textforge-echo", {"echo": "fake_echo"}, fake_echo=text, fake_loud=BROKEN)
    assert check("echo").stdout.endswith("    no installed plugin computes it on any backend\n")


def test_a_plugin_that_fails_to_load_spares_the_others_of_its_distribution(install: Any) -> None:
    points = "[textforge.samplers]\nloud = fake_loud:Loud\nlost = fake_loud:Lost\n"
    install("textforge-loud", points, fake_loud=BROKEN.replace(".astype(np.float32)", ""))
    result = check("textforge-loud")
    assert result.exit_code == 1
    assert "plugin lost\n    not checked: textforge-loud (lost) failed to load: AttributeError: " in result.stdout
    assert "sampler loud:2.0\n" in result.stdout
    assert ", 0 failed, " in result.stdout


def test_a_file_that_is_not_installed(tmp_path: Path) -> None:
    path = tmp_path / "loud.py"
    path.write_text(BROKEN, encoding="utf-8")
    assert check("loud", "--kind", "corpus", "--plugin", path).exit_code == 0
    assert check("loud", "--kind", "sampler", "--plugin", path).exit_code == 1


def test_a_component_whose_name_is_taken_is_checked_by_its_distribution(tmp_path: Path) -> None:
    path = tmp_path / "taken.py"
    path.write_text(BROKEN.replace('"loud"', '"top-k"'), encoding="utf-8")
    result = check("top-k@taken.py:by=3", "--kind", "sampler", "--plugin", path)
    assert result.exit_code == 1
    assert "    dtype                  FAILED: " in result.stdout
    assert check("top-k:3", "--kind", "sampler", "--plugin", path).exit_code == 0


def test_pytest_is_not_needed() -> None:
    code = """
        import sys
        sys.modules["pytest"] = None
        from textforge.cli import main
        main(["plugins", "check", "greedy"])
    """
    done = subprocess.run([sys.executable, "-c", code.replace("\n        ", "\n")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "21 ok" in done.stdout


def pytest_in(folder: Path, text: str) -> str:
    (folder / "test_mine.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-W", "error", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder).stdout


def test_three_lines_run_every_check(tmp_path: Path) -> None:
    shown = pytest_in(
        tmp_path,
        """
from textforge.testing import SamplerTests
from textforge.samplers.top_k import TopK

class TestTopK(SamplerTests):
    components = [TopK(1), TopK(40)]
""",
    )
    assert "42 passed" in shown


TABLE_TESTS = """
from textforge.testing import ImplementationTests

class TestTable(ImplementationTests):
    backend = "numpy"
    components = ("table",)
    plugins = GIVEN
"""


@pytest.mark.parametrize("given", ["__name__", "[__name__]", "textforge.Plugins([__name__])"])
def test_a_suite_looks_in_the_file_that_it_is_in(tmp_path: Path, given: str) -> None:
    result = pytest_in(tmp_path, table_architecture("table") + TABLE_TESTS.replace("GIVEN", given))
    assert re.search(r"^1\d passed, \d skipped in", result, re.M), result


def test_a_failing_check_reads_well_and_names_the_component(tmp_path: Path) -> None:
    shown = pytest_in(
        tmp_path,
        "from textforge.testing import SamplerTests\n" + BROKEN + "\nclass TestLoud(SamplerTests):\n"
        "    components = [Loud()]\n",
    )
    assert "20 passed" in shown
    assert "1 failed" in shown
    assert "test_dtype[loud:2.0]" in shown
    assert "CheckFailure: expected logits in float64, got float32: don't convert them" in shown


def test_an_expected_failure_is_no_failure_and_an_unexpected_pass_is_one(tmp_path: Path) -> None:
    shown = pytest_in(
        tmp_path,
        "from textforge.testing import SamplerTests\n" + BROKEN + "\nclass TestLoud(SamplerTests):\n"
        "    components = [Loud()]\n"
        "    expected_failures = {'check_dtype': 'it is old', 'check_shape': 'it was odd'}\n",
    )
    assert "1 failed, 19 passed, 1 xfailed" in shown
    assert "CheckFailure: expected a failure (it was odd), got a pass: take it out of the expected failures" in shown


def test_an_expected_failure_of_no_check(tmp_path: Path) -> None:
    shown = pytest_in(
        tmp_path,
        "from textforge.testing import SamplerTests\n\nclass TestLoud(SamplerTests):\n"
        "    expected_failures = {'check_dtypes': 'it is old'}\n",
    )
    assert "PluginError: there is no check 'dtypes' of a sampler" in shown
    assert "did you mean 'dtype'?" in shown


def test_a_component_that_does_no_work_fails_once(tmp_path: Path) -> None:
    shown = pytest_in(
        tmp_path,
        "from textforge.testing import SamplerTests\n"
        + BROKEN.replace("(logits * self.by)", "(logits * self.bye)")
        + "\nclass TestLoud(SamplerTests):\n    components = [Loud()]\n",
    )
    assert "1 failed" in shown
    assert "AttributeError: 'Loud' object has no attribute 'bye'" in shown
    assert "the sampler doesn't do its work: see test_use" in shown


def test_a_class_that_tests_nothing_says_so(tmp_path: Path) -> None:
    shown = pytest_in(
        tmp_path, "from textforge.testing import CorpusTests\n\nclass TestNothing(CorpusTests):\n    pass\n"
    )
    assert "TestNothing tests nothing: write `components = [MyComponent()]` in its body" in shown
    assert " passed" not in shown


def test_a_fixture_makes_what_needs_a_file_and_a_check_can_be_left_out(tmp_path: Path) -> None:
    shown = pytest_in(
        tmp_path,
        """
import pytest
from textforge.corpora.files import FilesCorpus
from textforge.testing import CorpusTests

class TestFiles(CorpusTests):
    test_documents = None

    @pytest.fixture
    def component(self, tmp_path):
        (tmp_path / "a.txt").write_text("text")
        return FilesCorpus((str(tmp_path / "a.txt"),))
""",
    )
    assert "14 passed" in shown
