"""The published tokenizer gives OpenAI's ids: those that tiktoken gives from the same files."""

import random
import shutil
import time
from pathlib import Path

import pytest
from tiktoken import Encoding
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from gpt2forge.runtime.text import open_stream, read_tokenizer
from tests.checkpoint.encoders import END_OF_TEXT, make_tiktoken
from tests.checkpoint.fuzz import SPACES, make_texts
from tests.workshop import ROOT, Workshop

COUNT = 4_000
LONG = 300_000  # bytes
SECONDS = 10  # processor time for a long text; it takes 0.3 s, and many minutes if time grew with the square


@pytest.fixture(scope="module")
def published(workshop: Workshop) -> Path:
    return workshop.build("nano-cpu-int8")


@pytest.fixture(scope="module")
def tokenizer(published: Path) -> Tokenizer:
    return read_tokenizer(published)


@pytest.fixture(scope="module")
def openai(published: Path) -> Encoding:
    return make_tiktoken(published)


def spell(tokenizer: Tokenizer, tokens: list[int]) -> str:
    words = open_stream(tokenizer)
    return "".join([*(words.push(token) for token in tokens), words.finish()])


def test_ids_are_those_of_tiktoken_and_lead_back_to_the_text(tokenizer: Tokenizer, openai: Encoding) -> None:
    for text in make_texts(COUNT, seed=1):
        ids = tokenizer.encode(text).ids
        assert ids == openai.encode_ordinary(text), ascii(text)
        assert tokenizer.decode(ids) == spell(tokenizer, ids) == text


def test_every_kind_of_space_between_every_other(tokenizer: Tokenizer, openai: Encoding) -> None:
    for first in SPACES:
        for second in SPACES:
            text = f"a{first}{second}b{second}{first}"
            assert tokenizer.encode(text).ids == openai.encode_ordinary(text), ascii(text)


def test_transformers_gives_the_same_ids_with_and_without_tokenizer_json(
    published: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    for name in ("config.json", "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copyfile(published / name, plain / name)
    texts = [*make_texts(500, seed=2), *(text for text in insert_end(200, seed=3))]
    ids = [tokenizer.encode(text).ids for text in texts]
    for folder in (published, plain):
        assert AutoTokenizer.from_pretrained(folder)(texts).input_ids == ids


def insert_end(count: int, seed: int) -> list[str]:
    """Return texts with whole and broken end-of-text tokens in them."""
    draw, texts = random.Random(seed), []
    for text in make_texts(count, seed):
        place = draw.randint(0, len(text))
        end = draw.choice([END_OF_TEXT, END_OF_TEXT * 2, f" {END_OF_TEXT} ", f"<|{END_OF_TEXT}|>", END_OF_TEXT[:-1]])
        texts.append(text[:place] + end + text[place:])
    return texts


def test_end_of_text_in_a_text_is_the_token_as_in_transformers(tokenizer: Tokenizer, openai: Encoding) -> None:
    """Check our choice. OpenAI's own encoder spells the token out, and so does ours with `encode_special_tokens`."""
    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.encode_special_tokens = True
    for text in insert_end(1000, seed=4):
        ids = tokenizer.encode(text).ids
        assert ids == openai.encode(text, allowed_special="all"), ascii(text)
        assert spell(tokenizer, ids) == text
        assert plain.encode(text).ids == openai.encode_ordinary(text), ascii(text)


def test_any_ids_are_decoded_as_openai_does(tokenizer: Tokenizer, openai: Encoding) -> None:
    """Check that invalid bytes become U+FFFD, one for each longest part of a character."""
    draw, count = random.Random(5), tokenizer.get_vocab_size()
    few = list(range(256))  # single bytes: most are no text
    for _ in range(COUNT):
        ids = [draw.choice(few) if draw.random() < 0.7 else draw.randrange(count) for _ in range(draw.randint(0, 12))]
        text = openai.decode(ids, errors="replace")
        assert spell(tokenizer, ids) == text
        assert tokenizer.decode(ids, skip_special_tokens=False) == text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unit", "compared"),
    [
        ((ROOT / "examples/nano/heldout.txt").read_text(), LONG),
        *((unit, LONG) for unit in ("a", " x", "1", ",", "日", "👩‍👩‍👧‍👦")),
        *((" ", 50_000), ("\n", 50_000)),  # tiktoken's pattern overflows the stack on a megabyte of spaces
    ],
    ids=["code", "letter", "words", "digit", "sign", "ideograph", "emoji", "spaces", "line ends"],
)
def test_long_text_takes_time_that_grows_with_its_length(
    tokenizer: Tokenizer, openai: Encoding, unit: str, compared: int
) -> None:
    text = (unit * (LONG // len(unit.encode()) + 1))[:LONG]
    started = time.process_time()
    ids = tokenizer.encode(text).ids
    assert time.process_time() - started < SECONDS
    assert spell(tokenizer, ids) == text
    part = text[:compared]
    assert tokenizer.encode(part).ids == openai.encode_ordinary(part)
