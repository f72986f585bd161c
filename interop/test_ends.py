"""Hosts end a text at any of the tokens that end it, and run to the limit where none does."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from interop.hosts import HOSTS
from interop.prompts import PROMPTS
from interop.reference import continue_prompts
from tests.workshop import ROOT, Workshop

NEW = 16
STOPPING = [host for host in HOSTS if host != "plain"]
"""The hosts that end a text by themselves."""


@pytest.fixture(scope="module")
def expected(workshop: Workshop) -> list[list[int]]:
    """Return the tokens after each prompt where none ends a text."""
    return [each.tokens for each in continue_prompts(workshop.build("nano-cpu-fp32"), PROMPTS, NEW)]


def write_source(folder: Path, ends: Sequence[int]) -> None:
    """Write nano as a Hugging Face directory whose files name these ends."""
    folder.mkdir()
    convert_checkpoint(ROOT / "examples/nano", folder)
    for name in ("config.json", "generation_config.json"):
        values = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(values | {"bos_token_id": None, "eos_token_id": list(ends) or None}))


def build(workshop: Workshop, source: Path) -> Path:
    workshop.run("build", "nano-cpu-fp32", "--name", source.name, "--set", f"source.checkpoint={source.name}")
    return workshop.folder / "build" / source.name


@pytest.fixture(scope="module")
def ends(expected: list[list[int]]) -> list[int]:
    return [expected[0][5], expected[1][7]]


@pytest.fixture(scope="module")
def ending(workshop: Workshop, ends: list[int]) -> Path:
    source = workshop.folder / "ending"
    write_source(source, ends)
    return build(workshop, source)


@pytest.mark.parametrize("host", STOPPING)
def test_text_ends_at_any_of_several_tokens(
    ending: Path, ends: list[int], expected: list[list[int]], host: str
) -> None:
    (answer,) = HOSTS[host](host, [ending], PROMPTS, NEW)
    for tokens, alone in zip(expected, answer.alone, strict=True):
        stop = min((tokens.index(end) for end in ends if end in tokens), default=NEW)
        assert [token for token in alone if token not in ends] == tokens[:stop]


def test_text_without_an_end_runs_to_the_limit_in_genai(workshop: Workshop, expected: list[list[int]]) -> None:
    source = workshop.folder / "endless"
    write_source(source, [])
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        (source / name).unlink()
    for path in (source / "tokenizer.json", source / "vocab.json"):
        path.write_text(path.read_text().replace("<|endoftext|>", "<end>"))
    (answer,) = HOSTS["genai"]("genai", [build(workshop, source)], PROMPTS, NEW)
    assert answer.alone == expected
