"""`gpt2forge generate` with built recipes."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpt2forge.cli.generate_command import read_prompt
from gpt2forge.errors import UserError
from gpt2forge.runtime.model import DEFAULT_NEW_TOKENS
from tests.workshop import Workshop

pytestmark = pytest.mark.slow

PROMPT = "def __init__(self, "


def test_text_is_plausible_code_and_greedy_text_is_always_the_same(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    texts = {workshop.run("generate", "nano-cpu-int8", "-p", PROMPT, "-n", "40").stdout for _ in range(2)}
    (text,) = texts
    assert text.startswith(PROMPT)
    assert "self." in text
    assert text.endswith("\n")


def test_seed_decides_what_is_drawn(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    words = ("generate", "nano-cpu-int8", "-p", PROMPT, "-n", "30", "-t", "0.9", "--top-k", "40", "--top-p", "0.95")
    texts = [workshop.run(*words, "--seed", seed).stdout for seed in ("1", "1", "2")]
    assert texts[0] == texts[1] != texts[2]


def test_json_has_what_was_added(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    found = json.loads(workshop.run("generate", "nano-cpu-int8", "-p", PROMPT, "-n", "8", "--json").stdout)
    assert (found["prompt"], found["tokens"]) == (PROMPT, 8)
    assert found["text"]


def test_prompt_comes_from_standard_input(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    assert workshop.run("generate", "nano-cpu-int8", "-p", "-", "-n", "1", stdin="import o").stdout.startswith(
        "import o"
    )


def test_text_streams(workshop: Workshop) -> None:
    """The text arrives in several pieces, not at the end."""
    workshop.build("nano-cpu-int8")
    command = [sys.executable, "-m", "gpt2forge", "generate", "nano-cpu-int8", "-p", PROMPT, "-n", "200"]
    with subprocess.Popen(command, cwd=workshop.folder, stdout=subprocess.PIPE) as process:
        assert process.stdout
        pieces = 0
        while os.read(process.stdout.fileno(), 1 << 16):
            pieces += 1
            time.sleep(0.001)
    assert pieces > 3


def test_prompt_that_fills_the_context_is_one_line(workshop: Workshop) -> None:
    workshop.build("nano-cpu-int8")
    done = workshop.run("generate", "nano-cpu-int8", "-p", "x = 1\n" * 300, code=1)
    assert done.stderr.startswith("error: the prompt's ")
    assert done.stderr.endswith("; shorten the prompt\n")

    assert done.stdout == ""


@pytest.mark.parametrize(
    ("prompt", "stdin", "where"), [("a\udcff", b"", "the prompt"), ("-", b"caf\xe9", "standard input")]
)
def test_prompt_that_is_not_text_is_one_line(workshop: Workshop, prompt: str, stdin: bytes, where: str) -> None:
    workshop.build("nano-cpu-int8")
    command = [sys.executable, "-m", "gpt2forge", "generate", "nano-cpu-int8", "-p", prompt]
    done = subprocess.run(command, cwd=workshop.folder, input=stdin, capture_output=True, check=False)
    place = 1 if stdin == b"" else 3
    assert done.stderr.decode() == f"error: {where}: is not UTF-8 text at byte {place}; convert it first\n"
    assert done.returncode == 1


def test_standard_input_that_never_ends_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/zero").open() as zeros:
        monkeypatch.setattr(sys, "stdin", zeros)
        with pytest.raises(UserError, match="has more than 4194304 bytes; shorten the prompt"):
            read_prompt("-")


def test_path_of_a_directory_means_that_directory(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build("nano-cpu-int8")
    shipped = tmp_path / "nano-cpu-int8"
    workshop.run("copy", "nano-cpu-int8", str(shipped))
    (shipped / "tokenizer.json").unlink()
    done = workshop.run("generate", str(shipped), "-p", "x", code=1)
    assert done.stderr.startswith(f"error: {shipped}/tokenizer.json: ")


def test_recipe_that_is_not_built_says_what_to_run(workshop: Workshop) -> None:
    done = workshop.run("generate", "355m-cpu-int8", "-p", "x", code=1)
    assert done.stderr == "error: `355m-cpu-int8` is not built; run `gpt2forge build 355m-cpu-int8`\n"


def test_every_nano_recipe_writes_text(workshop: Workshop) -> None:
    for recipe in ("nano-cpu-fp32", "nano-cpu-int4", "nano-vnni-int8"):
        workshop.build(recipe)
        text = workshop.run("generate", recipe, "-p", PROMPT, "-n", "20").stdout
        assert text.startswith(PROMPT)
        assert re.search(r"\b(self|name)\b", text[len(PROMPT) :])


def test_variant_is_built_and_writes_text(workshop: Workshop) -> None:
    assert workshop.build("nano-cpu@int8-32").is_symlink()
    for reference in ("nano-cpu@int8-32", "recipes/nano-cpu.yaml@int8-32", "nano-c*@int8-32"):
        text = workshop.run("generate", reference, "-p", PROMPT, "-n", "20").stdout
        assert text.startswith(PROMPT)
    done = workshop.run("generate", "nano-cpu", "-p", "x", code=1)
    variants = ("fp32", "int8-32", "int8-128", "channel", "int4-32", "mixed", "fitted", "tuned")
    names = ", ".join(f"`nano-cpu@{variant}`" for variant in variants)
    assert done.stderr == f"error: `nano-cpu`: selects several recipes, and one is needed; there are {names}\n"
    done = workshop.run("generate", "nano-cpu@int8-33", "-p", "x", code=1)
    assert done.stderr.startswith("error: `nano-cpu@int8-33`: `recipes/nano-cpu.yaml` has no variant `int8-33`; did")


def test_help_names_the_usual_number_of_tokens(workshop: Workshop) -> None:
    assert f"Default: {DEFAULT_NEW_TOKENS}," in workshop.run("generate", "--help").stdout
