"""The notebooks run from the first cell to the last, and begin and end as Jupyter's format wants them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workshop import ROOT, Workshop, copy_workshop, shorten_recipes

NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))


@pytest.fixture(scope="module")
def reader(measured_once: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A working directory in which recipes measure less text, in fewer rounds."""
    shop = copy_workshop(measured_once, tmp_path_factory.mktemp("notebooks") / "here")
    shorten_recipes(shop)
    recipe = shop.folder / "recipes/nano-cpu-int4.yaml"  # little text says little of int4
    recipe.write_text(recipe.read_text(encoding="utf-8").replace(": 2%", ": 6%"), encoding="utf-8")
    return shop


def read_code(notebook: Path) -> str:
    """Return the cells of code, one after the other."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_from_its_first_cell_to_its_last(notebook: Path, reader: Workshop) -> None:
    pytest.importorskip("torch")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    command = [sys.executable, "-c", read_code(notebook)]
    done = subprocess.run(command, cwd=reader.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_with_the_outputs_of_one_whole_run(notebook: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert not any(output["output_type"] == "error" for output in outputs)
    assert str(ROOT) not in notebook.read_text(encoding="utf-8")
