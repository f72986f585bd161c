"""Hosts that are told nothing write text as the package says."""

from pathlib import Path

import pytest

from gpt2forge.api import load
from interop.hosts import HOSTS
from interop.prompts import PROMPTS
from tests.workshop import Workshop

NEW = 8
PENALTY = 1.3
SETTINGS = ("temperature=0", f"repetition_penalty={PENALTY}", f"max_tokens={NEW}")
READING = [host for host in HOSTS if host != "plain"]
"""The hosts that read the settings of a package."""


@pytest.fixture(scope="module")
def package(workshop: Workshop) -> Path:
    changes = [word for setting in SETTINGS for word in ("--set", f"generation.{setting}")]
    workshop.run("build", "nano-cpu-fp32", "--name", "settled", "--skip", "verify,benchmark", *changes)
    return workshop.folder / "build/settled"


@pytest.fixture(scope="module")
def expected(package: Path) -> list[list[int]]:
    """Return what our own runtime writes without options, which is not what the likeliest tokens alone give."""
    model = load(package)
    written = [list(model.generate(prompt).tokens) for prompt in PROMPTS]
    assert [len(tokens) for tokens in written] == [NEW] * len(PROMPTS)
    assert written != [list(model.generate(prompt, repetition_penalty=1.0).tokens) for prompt in PROMPTS]
    return written


@pytest.mark.parametrize("host", READING)
def test_text_is_ours_without_options(package: Path, expected: list[list[int]], host: str) -> None:
    (answer,) = HOSTS[host](host, [package], PROMPTS, None)
    # genai's files have no number of new tokens: it writes until the context is full.
    assert [tokens[:NEW] for tokens in answer.alone] == expected
    assert host == "genai" or [len(tokens) for tokens in answer.alone] == [NEW] * len(PROMPTS)
