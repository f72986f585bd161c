"""The conversions of one size are measured from each format, and leave nothing behind."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from bench.formats import measure_size
from bench.plan import Plan
from bench.shapes import NANO
from bench.tables import tabulate_formats

EXAMPLE = Path(__file__).parents[2] / "examples/nano"


@pytest.mark.slow
def test_memory_of_each_format_is_measured(tmp_path: Path) -> None:
    names = ["4 shards of model.safetensors", "pytorch_model.bin"]  # every writer is tried by the tests of the readers
    found = measure_size(Plan("nano", NANO, EXAMPLE, tmp_path), names)
    assert list(found) == ["TensorFlow 1", "model.safetensors", *names]
    assert all(10e6 < each["peak_memory_bytes"] < 1e9 for each in found.values())
    assert EXAMPLE.is_dir() and list((tmp_path / "formats").iterdir()) == []
    assert tabulate_formats({"nano": found}).rows[0][0] == "nano, TensorFlow 1"
