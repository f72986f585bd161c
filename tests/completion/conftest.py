"""A folder to complete names in."""

from pathlib import Path

import pytest

RECIPE = "name: {name}\nsource: {{checkpoint: x}}\ntarget: {{device: cpu}}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with three recipes, one of which has variants, and a result without a recipe."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes/base").mkdir(parents=True)
    (tmp_path / "build/own-result").mkdir(parents=True)
    (tmp_path / "build/.x.stamp").touch()
    for name in ("nano-cpu", "nano-int8", "other"):
        matrix = "matrix: {int8-32: {}, int8-64: {}, int4: {}}\n" if name == "nano-cpu" else ""
        (tmp_path / f"recipes/{name}.yaml").write_text(RECIPE.format(name=name) + matrix)
    return tmp_path
