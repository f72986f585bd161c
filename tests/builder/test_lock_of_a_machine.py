"""Locks of steps whose last bits depend on the processor: they name the machine on which they were written."""

from pathlib import Path

import pytest

from gpt2forge.builder.lockfile import read_lock, write_lock
from gpt2forge.builder.report import StepReport
from gpt2forge.errors import RecipeError
from gpt2forge.measure.host import describe_machine
from gpt2forge.plan.plan import PlannedStep
from gpt2forge.stages.all_stages import STAGES
from gpt2forge.store.store import Store

KEY, OTHER, ELSEWHERE = (
    "a" * 64,
    "b" * 64,
    "AuthenticAMD family 25 model 1, instructions 12345678, 4 threads on 2 cores",
)


def write(path: Path) -> None:
    steps = [
        StepReport(stage=stage, outcome="built", reason="", key=KEY, digest=OTHER, seconds=1.0, peak_memory_bytes=1)
        for stage in ("convert", "calibrate", "quantize")
    ]
    write_lock(path, steps, by_processor=("calibrate", "quantize"))


def check(path: Path, name: str, key: str) -> None:
    stage = next(stage for stage in STAGES if stage.name == name)
    step = PlannedStep(stage=stage, verdict="will run", reason="", pre_image={}, identity=key, key=key)
    read_lock(path).check_step(step, Store(path.parent / "cache"))


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Return a lock that was written on another machine."""
    path = tmp_path / "mine.lock"
    write(path)
    path.write_text(path.read_text().replace(describe_machine(), ELSEWHERE))
    return path


def test_lock_names_the_machine_and_the_steps_that_depend_on_it(tmp_path: Path) -> None:
    write(tmp_path / "mine.lock")
    lines = (tmp_path / "mine.lock").read_text().splitlines()
    assert lines[0] == f"machine calibrate,quantize {describe_machine()}"
    assert lines[1:] == [f"{stage} {KEY} {OTHER}" for stage in ("calibrate", "convert", "quantize")]


def test_step_that_another_machine_locked_is_one_line_with_the_way_on(lock: Path) -> None:
    with pytest.raises(RecipeError) as error:
        check(lock, "calibrate", OTHER)
    assert str(error.value) == (
        f"{lock}:1:1: `calibrate` and `quantize` depend on the machine, and the lock was written on `{ELSEWHERE}`; this "
        f"is `{describe_machine()}`: build on such a machine, or write the lock on this one with `--write-lock`"
    )


def test_equal_key_of_another_machine_is_no_error(lock: Path) -> None:
    check(lock, "calibrate", KEY)


def test_other_steps_and_other_changes_are_told_as_ever(lock: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="`convert` has the key bbbbbbbbbbbb"):
        check(lock, "convert", OTHER)
    write(tmp_path / "here.lock")
    with pytest.raises(RecipeError, match="`calibrate` has the key"):
        check(tmp_path / "here.lock", "calibrate", OTHER)
