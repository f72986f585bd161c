"""The commands of the tutorial run one after the other, in an empty folder beside the clone."""

import re
import shlex
from pathlib import Path

import pytest

from tests.workshop import ROOT, Workshop

PAGE = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    gpt2forge (.+)$", PAGE, re.MULTILINE)
UNMEASURED = ("--skip", "verify,benchmark")  # other tests measure; this takes seconds


@pytest.mark.slow
def test_commands_of_the_tutorial_lead_from_a_checkpoint_to_a_folder_to_ship(tmp_path: Path) -> None:
    (tmp_path / "gpt2forge").symlink_to(ROOT)
    (tmp_path / "mine").mkdir()
    shop = Workshop(tmp_path / "mine")
    for command in COMMANDS:
        words = shlex.split(command)
        assert shop.run(*words, *(UNMEASURED if words[0] in ("build", "compare") else ())).stdout, command
    assert (shop.folder / "ship/nano/model.onnx").is_file()


def test_recipe_of_the_page_is_what_init_writes(tmp_path: Path) -> None:
    (tmp_path / "gpt2forge").symlink_to(ROOT)
    (tmp_path / "mine").mkdir()
    shop = Workshop(tmp_path / "mine")
    shop.run("init", "../gpt2forge/examples/nano")
    written = (shop.folder / "recipes/nano-cpu-int8.yaml").read_text(encoding="utf-8").splitlines()
    shown = [line for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    assert len(shown) == 9
    assert [line for line in shown if line not in written] == []
