"""Modules that run from their sources: old byte code and a changed source do not run."""

import hashlib
import json
import os
import py_compile
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from gpt2forge.checked_import import CHANGED, DIGESTS, make_command

ONE, TWO = 'print("one")\n', 'print("two")\n'


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """Make a package `gpt2forge` of one module, `gpt2forge.said`, beside a library `said_too`."""
    (tmp_path / "gpt2forge").mkdir()
    (tmp_path / "gpt2forge/__init__.py").write_text("")
    (tmp_path / "gpt2forge/said.py").write_text("import gpt2forge.words, said_too\n")
    (tmp_path / "gpt2forge/words.py").write_text(ONE)
    (tmp_path / "said_too.py").write_text(ONE)
    return tmp_path / "gpt2forge/words.py"


def start(module: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in (DIGESTS, "PYTHONDONTWRITEBYTECODE")}
    return subprocess.run(
        make_command("gpt2forge.said"),
        env={**clean, "PYTHONPATH": str(module.parents[1]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def edit(path: Path) -> None:
    """Edit a module, and keep its size and time."""
    before = path.stat()
    path.write_text(TWO)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def digest(path: Path) -> str:
    return json.dumps({"gpt2forge.words": hashlib.sha256(path.read_bytes()).hexdigest()})


def test_source_runs_and_not_byte_code_of_its_size_and_time(module: Path) -> None:
    library = module.parents[1] / "said_too.py"
    for path in (module, library):
        py_compile.compile(str(path), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
        edit(path)
    assert start(module).stdout == "two\none\n"  # a library is imported as usual


def test_byte_code_names_the_hash_of_its_source_and_serves_every_process(module: Path) -> None:
    assert start(module).stdout == "one\none\n"
    kept = Path(cache_from_source(str(module)))
    flags = int.from_bytes(kept.read_bytes()[4:8], "little")
    assert flags == 3  # PEP 552: it names the hash of its source, to be checked
    before = kept.read_bytes()
    assert start(module).stdout == "one\none\n"
    assert kept.read_bytes() == before
    edit(module)
    plain = [sys.executable, "-P", "-c", "import gpt2forge.words"]
    environment = {**os.environ, "PYTHONPATH": str(module.parents[1])}
    done = subprocess.run(plain, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "two\n"


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, None], ids=["empty", "zeros", "cut"])
def test_damaged_byte_code_is_made_again(module: Path, damage: bytes | None) -> None:
    start(module)
    kept = Path(cache_from_source(str(module)))
    whole = kept.read_bytes()
    kept.write_bytes(whole[:20] if damage is None else damage)
    assert start(module).stdout == "one\none\n"
    assert kept.read_bytes() == whole


def test_no_byte_code_is_written_where_python_shall_write_none(module: Path) -> None:
    assert start(module, PYTHONDONTWRITEBYTECODE="1").stdout == "one\none\n"
    assert not (module.parent / "__pycache__").exists()


def test_source_that_is_not_the_one_in_the_key_ends_the_process(module: Path) -> None:
    named = digest(module)
    assert start(module, **{DIGESTS: named}).returncode == 0
    edit(module)
    done = start(module, **{DIGESTS: named})
    assert (done.returncode, done.stdout) == (CHANGED, "")
    assert done.stderr == f"{module}: changed after the key was made\n"
