"""A short run of the fuzzer of `make fuzz`: no damage ends in a crash, and the fuzzer notices what it should."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")

from gpt2forge.errors import UserError
from tests.checkpoint.fuzzing import attempt as attempts
from tests.checkpoint.fuzzing.attempt import Target, attempt, limit_time
from tests.checkpoint.fuzzing.campaign import Campaign
from tests.checkpoint.fuzzing.coverage import Coverage
from tests.checkpoint.fuzzing.index_entries import list_entries, make_index
from tests.checkpoint.fuzzing.inputs import FAILED, KEPT
from tests.checkpoint.fuzzing.readers import READERS, Reader, make_targets
from tests.checkpoint.fuzzing.samples import make_samples
from tests.checkpoint.fuzzing.tally import open_tally
from tests.checkpoint.fuzzing.turn import Turn
from tests.checkpoint.tiny import DATA


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    make_samples(folder)
    return folder


@pytest.mark.parametrize("name", READERS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_damage_ends_in_a_crash(samples: Path, tmp_path: Path, name: str) -> None:
    turn = Turn(make_targets(samples, tmp_path / "targets", READERS[name]), tmp_path / "home")
    assert all(attempt(target, target.seed, Coverage()) == "" for target in turn.targets)
    turn.run(10, random.Random(1))
    assert turn.coverage.reached > 20
    assert [path.read_text() for path in (tmp_path / "home" / FAILED).glob("*.txt")] == []


def fail(error: Exception) -> Callable[[Path], object]:
    def read(path: Path) -> None:
        raise error

    return read


def fail_without_memory(path: Path) -> None:
    raise UserError("damaged") from MemoryError()


def spin(path: Path) -> None:
    while True:
        pass


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "crash": (fail(ZeroDivisionError()), "ZeroDivisionError"),
    "nothing said": (fail(UserError("")), "not one printable line"),
    "memory refused": (fail_without_memory, "needs too much memory"),
    "memory taken": (lambda path: bytes(attempts.MEMORY * 2).count(1), "grew by"),
    "hang": (spin, "TimeoutError"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_noticed(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "SECONDS", 0.2)
    if what == "memory taken":  # other tests of this process may have had more
        largest = iter((0, attempts.MEMORY + 1))
        monkeypatch.setattr(attempts, "find_largest_memory", lambda: next(largest))
    read, why = WRONG[what]
    with limit_time():
        assert why in attempt(Target(tmp_path / "file", lambda: read(tmp_path), b""), b"input", Coverage())


def prepare_toy(folder: Path) -> Callable[[], object]:
    """Return a reader that ends the process at a content that has become short."""
    return lambda: os.kill(os.getpid(), signal.SIGKILL) if (folder / "file").stat().st_size < 40 else None


@pytest.mark.slow
def test_process_that_ends_is_a_failure_and_the_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "samples" / "toy").mkdir(parents=True)
    (tmp_path / "samples" / "toy" / "file").write_bytes(bytes(80))
    home = tmp_path / "home"
    home.mkdir()
    readers = {"toy": Reader(("toy",), ("file",), prepare_toy)}
    tally = open_tally(home / "tally.json")
    Campaign(tmp_path / "samples", home, readers, wanted=60, seed=1, tally=tally).run()
    assert "60 of 60 inputs" in capsys.readouterr().out
    reasons = {path.read_text() for path in (home / "toy" / FAILED).glob("*.txt")}
    assert reasons == {"the process ended with SIGKILL"}
    assert open_tally(home / "tally.json") == tally


def test_kept_inputs_are_known_in_the_next_turn(samples: Path, tmp_path: Path) -> None:
    reader, home = READERS["safetensors"], tmp_path / "home"
    turns = [Turn(make_targets(samples, tmp_path / name, reader), home) for name in ("one", "two")]
    turns[0].run(30, random.Random(1))
    kept = list((home / KEPT).iterdir())
    turns[1].run(0, random.Random(1))
    assert kept and turns[1].coverage.reached >= turns[0].coverage.reached


def test_index_is_made_of_its_entries_and_of_damaged_ones() -> None:
    entries = list_entries((DATA / "openai" / "model.ckpt.index").read_bytes())
    assert list_entries(make_index(entries)) == entries
    assert make_index(entries[:50]) and make_index(b"\xff")
