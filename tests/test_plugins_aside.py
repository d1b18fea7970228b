"""Output that a plugin prints as it is loaded: aside, on standard error, and no other thread's with it."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from textforge.plugins.aside import print_aside


def test_only_the_thread_that_loads_prints_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    loading, printed = threading.Event(), threading.Event()

    def load() -> None:
        with print_aside():
            print("a banner")
            loading.set()
            assert printed.wait(10)

    thread = threading.Thread(target=load)
    thread.start()
    assert loading.wait(10)
    print("a result")
    printed.set()
    thread.join()
    print("another")
    assert capsys.readouterr() == ("a result\nanother\n", "a banner\n")


def test_two_threads_that_overlap_leave_standard_output_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    first, second, first_done = threading.Event(), threading.Event(), threading.Event()

    def load_first() -> None:
        with print_aside():
            first.set()
            assert second.wait(10)
        first_done.set()

    def load_second() -> None:
        assert first.wait(10)
        with print_aside():
            second.set()
            assert first_done.wait(10)
            print("still aside")

    threads = [threading.Thread(target=load) for load in (load_first, load_second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sys.stdout is before
    print("a result")
    assert capsys.readouterr() == ("a result\n", "still aside\n")


def test_one_load_within_another_prints_aside_until_the_outer_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with print_aside():
        with print_aside():
            print("inner")
        print("outer")
    print("a result")
    assert capsys.readouterr() == ("a result\n", "inner\nouter\n")


def test_without_a_standard_output_nothing_is_put_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with print_aside():
        print("lost")
        assert sys.stdout is None


CRASHING = """
import sys, threading
from textforge.plugins.aside import print_aside

sys.setswitchinterval(1e-6)
done = threading.Event()

def load():
    while not done.is_set():
        with print_aside():
            pass

threads = [threading.Thread(target=load) for _ in range(3)]
for thread in threads:
    thread.start()
for number in range(20_000):
    print("-", number)
done.set()
"""


def test_a_thread_that_prints_meanwhile_does_not_crash() -> None:
    done = subprocess.run([sys.executable, "-c", CRASHING], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"- {number}" for number in range(20_000)]
