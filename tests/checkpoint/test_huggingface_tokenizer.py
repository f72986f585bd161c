"""Reading the tokenizer of a Hugging Face directory of new and old versions of transformers."""

import json
from pathlib import Path
from typing import Any

import pytest
from gpt2forge.checkpoint.huggingface.huggingface_vocabulary import read_huggingface_vocabulary

from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.tf1.openai_vocabulary import read_openai_vocabulary
from gpt2forge.checkpoint.vocabulary import END_OF_TEXT, Added, Vocabulary
from gpt2forge.errors import UserError
from tests.checkpoint.huggingface_writer import make_model, make_tokenizer, split_tokenizer, write_huggingface
from tests.checkpoint.tiny import DATA


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_huggingface(tmp_path / "tiny", make_model())


def load(folder: Path) -> Vocabulary:
    return read_huggingface_vocabulary(find_checkpoint(folder))


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        load(folder)
    return str(error.value)


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | values))


def test_tokenizer_json_says_what_openai_files_say(tiny: Path) -> None:
    assert load(tiny) == read_openai_vocabulary(DATA / "openai")


def test_vocab_and_merges_say_the_same(tiny: Path) -> None:
    expected = load(tiny)
    split_tokenizer(tiny)
    assert find_checkpoint(tiny).files == (
        "config.json", "generation_config.json", "merges.txt", "model.safetensors", "tokenizer_config.json", "vocab.json",
    )  # fmt: skip
    assert load(tiny) == expected


def test_tokens_added_for_fine_tuning_are_kept(tiny: Path) -> None:
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
    tokenizer.chat_template = "{{ messages }}"
    tokenizer.save_pretrained(tiny)
    found = load(tiny)
    assert found.added == (Added(0, END_OF_TEXT), Added(260, "<|pad|>"))
    assert found.roles["pad_token"] == "<|pad|>"
    assert found.size == 261


def test_tokens_added_by_old_versions_are_kept(tiny: Path) -> None:
    split_tokenizer(tiny)
    change(tiny / "added_tokens.json", **{"<|pad|>": 260})
    change(tiny / "special_tokens_map.json", pad_token={"content": "<|pad|>"})
    assert load(tiny).added == (Added(0, END_OF_TEXT), Added(260, "<|pad|>"))
    assert load(tiny).roles["pad_token"] == "<|pad|>"


def test_role_of_an_unknown_token_is_refused(tiny: Path) -> None:
    change(tiny / "tokenizer_config.json", eos_token="<eos>")
    assert (
        refusal(tiny) == f"{tiny}: the tokenizer's eos_token `<eos>` is not one of its tokens; save the tokenizer again"
    )


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"normalizer": {"type": "NFC"}}, "`normalizer` is `{'type': 'NFC'}`"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "`pre_tokenizer.type` is `Whitespace`"),
        ({"pre_tokenizer": None}, "`pre_tokenizer.type` is `None`"),
        (
            {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}},
            "`pre_tokenizer.add_prefix_space` is `True`",
        ),
        ({"post_processor": {"type": "RobertaProcessing"}}, "`post_processor.type` is `RobertaProcessing`"),
        ({"post_processor": {"type": "TemplateProcessing", "single": []}}, "`post_processor.single` is `[]`"),
        ({"model": {"type": "WordPiece"}}, "`model.type` is `WordPiece`"),
        ({"model": {"type": "BPE", "byte_fallback": True}}, "`model.byte_fallback` is `True`"),
    ],
)
def test_other_tokenizer_is_refused_by_what_differs(tiny: Path, values: dict[str, Any], fault: str) -> None:
    path = tiny / "tokenizer.json"
    change(path, **values)
    assert refusal(tiny) == f"{path}: {fault}, so it is not GPT-2's byte-level BPE"


@pytest.mark.parametrize("row", [None, {}, {"id": -1, "content": "x"}, {"id": 3, "content": ""}, {"id": "3"}])
def test_added_token_that_is_none_is_refused(tiny: Path, row: object) -> None:
    path = tiny / "tokenizer.json"
    change(path, added_tokens=[row])
    assert refusal(tiny) == f"{path}: the added token `{row}` has no id and content"


def test_only_the_files_of_the_checkpoint_are_read(tiny: Path) -> None:
    found = find_checkpoint(tiny)
    (tiny / "special_tokens_map.json").write_text("not JSON")
    assert "special_tokens_map.json" not in found.files
    assert read_huggingface_vocabulary(found).size == 260
