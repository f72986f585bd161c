"""The byte code that an installation writes."""

import os
import py_compile
import shutil
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path

from gpt2forge.checked_import import CHECKED, HEADER
from tests.workshop import ROOT
from tools.install import compile_checked


def test_byte_code_names_the_hash_of_its_source_in_place_of_its_time(tmp_path: Path) -> None:
    path = tmp_path / "units.py"
    shutil.copy(ROOT / "gpt2forge/units.py", path)
    py_compile.compile(str(path), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
    os.utime(path, (1, 1))
    compile_checked(Path(sys.executable), tmp_path)
    header = Path(cache_from_source(str(path))).read_bytes()[:HEADER]
    assert header == MAGIC_NUMBER + CHECKED + source_hash(path.read_bytes())
