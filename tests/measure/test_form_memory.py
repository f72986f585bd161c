"""The memory that sessions hold for weights."""

from pathlib import Path

import pytest

from gpt2forge.measure import form_memory
from gpt2forge.measure.form_memory import count_stored, measure_in
from gpt2forge.quantize.forms import FORMS

pytestmark = pytest.mark.slow


def test_small_blocks_hold_more_memory_than_the_file_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form_memory, "COUNT", 1)
    small, large = (measure_in(tmp_path, FORMS[name]) for name in ("4x16", "4x128"))
    assert 0.5 < large < 0.75 < small < 1.3  # beside 0.53 and 0.75 bytes in the file
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "stored"), [("8x64", 128 * 7), ("8xchannel", 100 * 7), (None, 100 * 7)])
def test_short_last_blocks_are_padded(name: str | None, stored: int) -> None:
    assert count_stored((100, 7), FORMS[name] if name else None) == stored
