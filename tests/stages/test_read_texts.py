"""Of a text only the bytes that its tokens need are read, and the key covers the same bytes."""

from pathlib import Path

import pytest

from gpt2forge.errors import UserError
from gpt2forge.plan.source import Source
from gpt2forge.stages.read_texts import count_bytes, read_text
from gpt2forge.store.stat_cache import StatCache

TOKENS = 100
MOST = count_bytes(TOKENS)


def digest(path: Path, folder: Path) -> str:
    return Source(path, most=MOST).read(StatCache(folder), lambda *_: None).digest


def test_endless_text_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "text"
    with path.open("wb") as file:
        file.truncate(1 << 42)
    assert len(read_text(path, TOKENS)) == MOST


def test_character_at_the_limit_is_left_out_and_not_an_error(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"a" * (MOST - 1) + "é".encode() * 10)
    assert read_text(path, TOKENS) == "a" * (MOST - 1)
    path.write_bytes(b"a" * 10 + "é".encode()[:1])
    with pytest.raises(UserError, match="is not UTF-8 text at byte 10"):
        read_text(path, TOKENS)


def test_digest_is_of_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"a" * (2 * MOST))
    first = digest(path, tmp_path / "cache")
    path.write_bytes(b"a" * MOST + b"b" * MOST)
    assert digest(path, tmp_path / "cache") == first
    path.write_bytes(b"a" * MOST)
    assert digest(path, tmp_path / "cache") == first
    path.write_bytes(b"a" * (MOST - 1) + b"b" * MOST)
    assert digest(path, tmp_path / "cache") != first


def test_more_tokens_read_more_of_a_text_up_to_a_limit() -> None:
    assert count_bytes(10) < count_bytes(10_000) < count_bytes(10**12) == count_bytes(10**18)
