"""Addresses are parsed strictly, and a path that looks like one leads to it."""

from pathlib import Path

import pytest

from gpt2forge.errors import UserError
from gpt2forge.fetch.address import HubAddress, OpenaiAddress, parse_address, suggest_address

COMMIT = "607a30d783dfa663caf39e06633721c8d4cfcd7e"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hf://openai-community/gpt2", HubAddress("openai-community/gpt2")),
        ("hf://me/my.model_1@v1.0", HubAddress("me/my.model_1", "v1.0")),
        ("hf://me/tiny@refs/pr/1", HubAddress("me/tiny", "refs/pr/1")),
        (f"hf://me/tiny@{COMMIT}", HubAddress("me/tiny", COMMIT)),
        ("openai://1558M", OpenaiAddress("1558M")),
        ("checkpoints/124M", None),
        ("hf:/me/tiny", None),
    ],
)
def test_address_is_parsed_and_written_back(text: str, address: HubAddress | OpenaiAddress | None) -> None:
    assert parse_address(text) == address
    assert address is None or str(address) == text


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("hf://gpt2", "did you mean `hf://openai-community/gpt2`?"),
        ("hf://me/tiny/model", "write `hf://owner/name`"),
        ("hf://me/tiny@", "write `hf://owner/name`"),
        ("hf://me/tiny@../../etc", "write `hf://owner/name`"),
        ("hf://../x", "write `hf://owner/name`"),
        ("hf://me/tiny\n", "write `hf://owner/name`"),
        ("openai://1.5B", "OpenAI published `openai://124M`, `openai://355M`, `openai://774M`, `openai://1558M`"),
    ],
)
def test_address_that_is_none_is_refused_with_one_that_is(text: str, fix: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_address(text)
    assert fix in str(caught.value) and repr(text)[1:-1] in str(caught.value)


def test_only_a_commit_is_fixed() -> None:
    assert HubAddress("me/tiny", COMMIT).is_fixed and OpenaiAddress("124M").is_fixed
    assert not HubAddress("me/tiny").is_fixed and not HubAddress("me/tiny", COMMIT[:7]).is_fixed


def test_path_that_looks_like_an_address_suggests_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints/mine").mkdir(parents=True)
    assert suggest_address("openai-community/gpt2") == "; to fetch it, write `hf://openai-community/gpt2`"
    assert suggest_address("gpt2-xl") == "; to fetch it, write `hf://openai-community/gpt2-xl`"
    assert suggest_address("355M") == "; to fetch it, write `openai://355M`"
    page = "https://huggingface.co/distilbert/distilgpt2/tree/main"
    assert suggest_address(page) == "; to fetch it, write `hf://distilbert/distilgpt2@main`"
    for text in ("hf:openai-community/gpt2", "hf:/openai-community/gpt2", "huggingface.co/openai-community/gpt2"):
        assert suggest_address(text) == "; to fetch it, write `hf://openai-community/gpt2`"
    for path in ("models/124M", "hf://me/tiny", "checkpoints/mine", "checkpoints/mien", "mine", "a/b/c", "../x/y"):
        assert suggest_address(path) == "", path
