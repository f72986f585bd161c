"""The tokenizer's files give the ids of OpenAI's encoder, whatever format they came from."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import ByteLevelBPETokenizer, Tokenizer
from transformers import AutoTokenizer

from gpt2forge.checkpoint.source_tokenizer import make_from_vocabulary
from gpt2forge.checkpoint.tf1.openai_vocabulary import read_openai_vocabulary
from gpt2forge.checkpoint.vocabulary import END_OF_TEXT, Added, Vocabulary, list_default_roles
from gpt2forge.checkpoint.write_tokenizer import write_tokenizer
from gpt2forge.errors import UserError
from tests.checkpoint.tiny import DATA

NANO = Path(__file__).parents[2] / "examples/nano"
TEXTS = (
    "def __init__(self, name: str) -> None:\n    self.name = name\t# it's what they'll've done\n\n\n",
    "Größe, naïve café: 日本語のテキスト, русский, עברית, 👩‍👩‍👧‍👦 é vs é",
    " \u00a0 \u3000\u2028x\r\n\x00\x7f\u0085 ½ ² Ⅷ ٣",
    "",
    "   ",
)


def pretrained(folder: Path) -> AutoTokenizer:
    # AutoTokenizer looks at config.json for the kind of model.
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(make_from_vocabulary(read_openai_vocabulary(NANO)), 256, folder)
    return folder


@pytest.fixture(scope="module")
def reference() -> ByteLevelBPETokenizer:
    """Return the tokenizer that the library tokenizers makes of OpenAI's two files."""
    return ByteLevelBPETokenizer(str(NANO / "encoder.json"), str(NANO / "vocab.bpe"))


@pytest.mark.parametrize("text", TEXTS)
def test_auto_tokenizer_gives_the_ids_of_byte_level_bpe(
    written: Path, reference: ByteLevelBPETokenizer, text: str
) -> None:
    tokenizer = pretrained(written)
    assert tokenizer(text).input_ids == reference.encode(text).ids
    assert tokenizer.decode(tokenizer(text).input_ids) == text


@given(st.text())
def test_any_text_gives_the_ids_of_byte_level_bpe(written: Path, reference: ByteLevelBPETokenizer, text: str) -> None:
    tokenizer = Tokenizer.from_file(str(written / "tokenizer.json"))
    if END_OF_TEXT not in text:
        assert tokenizer.encode(text).ids == reference.encode(text).ids


def test_end_of_text_is_one_token_wherever_its_id_lies(written: Path, tmp_path: Path) -> None:
    write_tokenizer(make_from_vocabulary(read_openai_vocabulary(DATA / "openai")), 8, tmp_path)
    for folder, number in ((written, 4095), (tmp_path, 0)):
        tokenizer = pretrained(folder)
        ids = tokenizer(f"a{END_OF_TEXT}b").input_ids
        assert ids[1:-1] == [number] == [tokenizer.eos_token_id]
        assert len(tokenizer) == len(json.loads((folder / "vocab.json").read_text()))
        assert tokenizer.decode(ids, skip_special_tokens=True) == "ab"


def test_auto_tokenizer_without_tokenizer_json_gives_the_same_ids(written: Path, tmp_path: Path) -> None:
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"):
        (tmp_path / name).write_bytes((written / name).read_bytes())
    assert [pretrained(tmp_path)(text).input_ids for text in TEXTS] == [
        pretrained(written)(text).input_ids for text in TEXTS
    ]


def test_files_are_the_same_every_time(written: Path, tmp_path: Path) -> None:
    write_tokenizer(make_from_vocabulary(read_openai_vocabulary(NANO)), 256, tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (written / path.name).read_bytes()


def test_added_token_keeps_its_id_or_is_refused() -> None:
    plain = read_openai_vocabulary(DATA / "openai")
    end = Added(0, END_OF_TEXT)
    behind = Vocabulary(plain.ids, plain.merges, (end, Added(260, "<|pad|>")), list_default_roles(plain.ids))
    assert Tokenizer.from_str(make_from_vocabulary(behind).text).encode("a<|pad|>").ids[1:] == [260]
    beyond = Vocabulary(plain.ids, plain.merges, (end, Added(262, "<|pad|>")), list_default_roles(plain.ids))
    with pytest.raises(UserError) as error:
        make_from_vocabulary(beyond)
    assert (
        str(error.value)
        == "the tokenizer's added token `<|pad|>` cannot keep its id 262; number added tokens without gaps"
    )
