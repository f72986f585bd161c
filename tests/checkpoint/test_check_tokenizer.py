"""A tokenizer that is converted wrongly is noticed, whatever is wrong with it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from tokenizers import Tokenizer, models, pre_tokenizers

from gpt2forge.checkpoint.check_tokenizer import check_text, check_tokenizer
from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from gpt2forge.checkpoint.hard_texts import HARD_TEXTS
from gpt2forge.checkpoint.source_texts import open_huggingface, open_openai
from gpt2forge.checkpoint.source_tokenizer import SourceTokenizer, make_from_vocabulary
from gpt2forge.checkpoint.tf1.openai_encoder import OpenAIEncoder
from gpt2forge.checkpoint.tf1.openai_vocabulary import read_openai_vocabulary
from gpt2forge.errors import UserError
from tests.checkpoint.huggingface_writer import make_model, make_tokenizer, write_huggingface

NANO = Path(__file__).parents[2] / "examples/nano"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = write_huggingface(tmp_path / "in", make_model(vocab_size=262))
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tokenizer.add_tokens(["COVID"])
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def openai() -> SourceTokenizer:
    return make_from_vocabulary(read_openai_vocabulary(NANO))


def drop_spaces(values: dict[str, Any]) -> None:
    values["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{"type": "Whitespace"}, values["pre_tokenizer"]],
    }


FAULTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a space before the first word": lambda values: values["pre_tokenizer"].update(add_prefix_space=True),
    "no merges": lambda values: values["model"].update(merges=[]),
    "a lost added token": lambda values: values["added_tokens"].pop(),
    "an added token that is special": lambda values: values["added_tokens"][-1].update(special=True),
    "an added token that eats spaces": lambda values: values["added_tokens"][-1].update(lstrip=True),
    "a normalizer": lambda values: values.update(normalizer={"type": "NFC"}),
    "lost spaces": drop_spaces,
    "another decoder": lambda values: values.update(decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_conversion_fails_and_names_the_text(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    from gpt2forge.checkpoint.huggingface import huggingface_tokenizer as reader

    right = reader.read_tokenizer_files

    def read_wrongly(folder: Path, names: set[str]) -> SourceTokenizer:
        found = right(folder, names)
        values = json.loads(found.text)
        FAULTS[fault](values)
        return SourceTokenizer(json.dumps(values), found.ids, found.added, found.merges, found.roles)

    (tmp_path / "right").mkdir()
    convert_checkpoint(source, tmp_path / "right")
    monkeypatch.setattr(reader, "read_tokenizer_files", read_wrongly)
    (tmp_path / "wrong").mkdir()
    with pytest.raises(UserError, match=r"the tokenizer cannot be converted exactly: .* transformers"):
        convert_checkpoint(source, tmp_path / "wrong")


def test_wrong_ids_of_a_long_text_are_placed(source: Path) -> None:
    own = open_huggingface(source)
    assert own is not None
    values = json.loads((source / "tokenizer.json").read_text())
    drop_spaces(values)
    text = "plain words " * 50 + "then 12"
    ours = Tokenizer.from_file(str(source / "tokenizer.json"))
    check_text(own, ours, source, text)
    values["model"]["merges"] = []
    with pytest.raises(UserError, match=r"token \d+ of the text, near `.*`, is another for transformers"):
        check_text(own, Tokenizer.from_str(json.dumps(values)), source, text)


def test_openai_encoder_says_what_the_converted_tokenizer_says(openai: SourceTokenizer) -> None:
    own = open_openai(dict(openai.ids), openai.merges or (), dict(openai.added))
    assert own is not None
    check_tokenizer(own, openai.text, NANO)
    text = (NANO / "heldout.txt").read_text()[:20_000]
    check_text(own, Tokenizer.from_str(openai.text), NANO, text)


def test_openai_encoder_is_that_of_tiktoken(openai: SourceTokenizer, tmp_path: Path) -> None:
    from gpt2forge.checkpoint.write_tokenizer import write_tokenizer
    from tests.checkpoint.encoders import make_tiktoken

    write_tokenizer(openai, 256, tmp_path)
    other = make_tiktoken(tmp_path)
    encoder = OpenAIEncoder(openai.ids, openai.merges or (), openai.added)
    for text in HARD_TEXTS:
        ids = encoder.encode(text)
        assert ids == other.encode(text, allowed_special="all")
        assert encoder.decode(ids, False) == text


def write_words(folder: Path, **config: Any) -> None:
    """Put a tokenizer of whole words in place of the checkpoint's; a word that it lacks is an error."""
    words = Tokenizer(models.WordLevel({"e4": 0, "e5": 1, "a": 2}, unk_token="nope"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.save(str(folder / "tokenizer.json"))
    values = {"tokenizer_class": "PreTrainedTokenizerFast", **config}
    (folder / "tokenizer_config.json").write_text(json.dumps(values))


def test_texts_that_neither_can_encode_are_no_difference(source: Path, tmp_path: Path) -> None:
    write_words(source)
    (tmp_path / "out").mkdir()
    convert_checkpoint(source, tmp_path / "out")
    assert Tokenizer.from_file(str(tmp_path / "out/tokenizer.json")).encode("e5 e4").ids == [1, 0]


def test_role_that_only_the_class_knows_is_named(source: Path, tmp_path: Path) -> None:
    change = json.loads((source / "tokenizer_config.json").read_text()) | {"tokenizer_class": "RobertaTokenizerFast"}
    kept = {key: value for key, value in change.items() if not key.endswith("_token")}
    (source / "tokenizer_config.json").write_text(json.dumps(kept))
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match=r"converted exactly: .*transformers"):
        convert_checkpoint(source, tmp_path / "out")


def test_check_needs_no_pytorch(source: Path, tmp_path: Path) -> None:
    """transformers imports PyTorch where it finds it, which takes longer than the conversion of a small model."""
    (tmp_path / "out").mkdir()
    code = f"""
import sys
from pathlib import Path
from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
convert_checkpoint(Path({str(source)!r}), Path({str(tmp_path / "out")!r}))
assert "transformers" in sys.modules and "torch" not in sys.modules
import torch
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
