"""The result of a trial is the last line of pytest's own output."""

import re
import subprocess
import sys
from pathlib import Path

from tests.pythons.interpreters import Interpreter
from tests.pythons.project import ROOT
from tests.pythons.trial import Result, plan_trial, summarize

TESTS = """
import pytest
def test_a(): pass
def test_b(): pytest.skip("not here")
"""


def run_pytest(folder: Path, text: str) -> Result:
    (folder / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    return summarize(done.returncode, done.stdout, folder / "log")


def test_counts_and_seconds_are_reported(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, TESTS)
    assert result.passed
    assert re.fullmatch(r"1 passed, 1 skipped in [\d.]+s", result.summary)


def test_failed_tests_are_named(tmp_path: Path) -> None:
    result = run_pytest(tmp_path, f"{TESTS}def test_c(): assert 1 == 2\n")
    assert not result.passed
    first, *rest = result.summary.split("\n  ")
    assert re.fullmatch(r"1 failed, 1 passed, 1 skipped in [\d.]+s", first)
    assert rest == ["FAILED test_it.py::test_c - assert 1 == 2", f"all of the output is in {tmp_path}/log"]


def test_pytest_that_does_not_start_is_a_failure(tmp_path: Path) -> None:
    assert summarize(3, "Segmentation fault", tmp_path / "log") == Result(
        passed=False, summary=f"failed, pytest ended with exit code 3\n  all of the output is in {tmp_path}/log"
    )


def test_trials_have_folders_of_their_own() -> None:
    old, new = Interpreter("python3.11", "3.11.9"), Interpreter("python3.14", "3.14.2")
    trials = [
        plan_trial(name, python, torch) for name, python in (("x", new), ("lowest", old)) for torch in (True, False)
    ]
    assert [trial.folder for trial in trials] == [
        "python-3.14.2",
        "python-3.14.2-without-torch",
        "python-lowest-3.11.9",
        "python-lowest-3.11.9-without-torch",
    ]
    assert trials[0].constraints and not trials[2].constraints


def test_python_that_is_named_and_missing_is_a_failure() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.pythons", "python3.99"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == "python3.99: not tried, `python3.99` is neither on PATH nor among pyenv's versions\n"
