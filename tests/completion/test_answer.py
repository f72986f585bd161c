"""What completes a command line: commands, options, recipes, variants and stages; never an error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpt2forge.cli.completion_table import PATH, make_table
from gpt2forge.cli.program import program
from gpt2forge.completion.answer import answer, print_answer
from gpt2forge.stages.all_stages import MEASURING, STAGES

STAGE_NAMES = [stage.name for stage in STAGES]


def test_table_is_of_the_present_commands() -> None:
    """`make docs` writes it."""
    assert json.loads(PATH.read_text()) == make_table(program)


def test_commands_and_their_commands_come_first(here: Path) -> None:
    assert set(answer([""])) == set(program.commands)
    assert list(answer(["bu"])) == ["build"]
    assert set(answer(["store", ""])) == {"ls", "verify", "gc", "forget", "push", "pull"}
    assert list(answer(["recipe", "s"])) == ["show"]


@pytest.mark.parametrize("command", ["build", "plan", "why", "diff", "check", "compare", "generate", "copy", "list"])
def test_recipes_come_from_their_files(here: Path, command: str) -> None:
    assert sorted(answer([command, "nano"])) == ["nano-cpu", "nano-int8"]


def test_results_are_offered_where_they_are_read(here: Path) -> None:
    assert set(answer(["generate", ""])) == {"nano-cpu", "nano-int8", "other", "own-result"}
    assert "own-result" not in set(answer(["build", ""]))


def test_variants_are_offered_behind_the_name(here: Path) -> None:
    assert list(answer(["build", "nano-cpu@int8"])) == ["nano-cpu@int8-32", "nano-cpu@int8-64"]
    assert list(answer(["build", "other", "nano-cpu@int4"])) == ["nano-cpu@int4"]
    assert list(answer(["build", "other@"])) == list(answer(["build", "gone@x"])) == []


def test_stages_are_offered_where_they_stand(here: Path) -> None:
    assert list(answer(["why", "other", ""])) == STAGE_NAMES
    assert list(answer(["why", "other", "convert", ""])) == []
    assert list(answer(["build", "other", "--until", "conv"])) == ["convert"]
    assert list(answer(["build", "--rerun=conv"])) == ["--rerun=convert"]
    assert list(answer(["build", "--skip", ""])) == list(MEASURING)
    assert list(answer(["build", "--skip", "verify,b"])) == ["verify,benchmark"]


def test_options_are_those_of_the_command(here: Path) -> None:
    assert "--keep-going" in list(answer(["build", "other", "--"]))
    assert "--keep-going" not in list(answer(["plan", "--"]))
    assert list(answer(["build", "--jobs", ""])) == list(answer(["build", "--set", "x"])) == []
    assert set(answer(["build", "--quiet", "oth"])) == {"other"}


def test_paths_are_left_to_the_shell(here: Path) -> None:
    assert list(answer(["build", "recipes/o"])) == [":files"]
    assert list(answer(["inspect", "x"])) == list(answer(["build", "--store", ""])) == [":folders"]
    assert list(answer(["init", ""])) == [":files"]
    assert list(answer(["completion", ""])) == ["bash", "fish", "zsh"]


@pytest.mark.parametrize(
    "words", [["nothing", "x"], ["build", "broken@"], ["store", "nothing", ""], [], ["build", "\0@"], ["--x", "--y="]]
)
def test_there_is_never_an_error(here: Path, words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    (here / "recipes/broken.yaml").write_text("a: [\n")
    print_answer(words)
    assert capfd.readouterr().err == ""


def test_folder_without_recipes_has_no_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(answer(["build", ""])) == []


def test_name_with_an_escape_is_left_out(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "recipes/n\x1b[31m.yaml").touch()
    print_answer(["build", "n"])
    assert capfd.readouterr().out == "nano-cpu\nnano-int8\n"


def test_names_cost_no_import_of_the_command_line(here: Path) -> None:
    """Tell which modules a tab loads."""
    program = "import sys; from gpt2forge.main import main; main(); print(*sys.modules, file=sys.stderr)"
    command = [sys.executable, "-c", program, "__complete", "build", "n"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "nano-cpu\nnano-int8\n"
    loaded = done.stderr.split()
    assert [name for name in ("click", "rich", "yaml", "pydantic", "numpy", "pathlib") if name in loaded] == []
