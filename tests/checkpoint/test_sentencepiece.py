"""A vocabulary that sentencepiece trained gives the ids of the class that reads it in transformers."""

import json
from binascii import b2a_base64
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("sentencepiece")

import sentencepiece
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from gpt2forge.checkpoint.convert_checkpoint import convert_checkpoint
from gpt2forge.checkpoint.detect import find_checkpoint
from gpt2forge.checkpoint.huggingface import sentencepiece_tokenizer
from gpt2forge.checkpoint.huggingface.charsmap import find_in_model
from gpt2forge.errors import UserError
from tests.checkpoint.huggingface_writer import make_model

TEXTS = ("", "吾輩は猫である。名前はまだ無い。", "  two  spaces ", "ＡＢＣ①é", "a</s>b[PAD]<s>", "\n\t👍")
RINNA = {  # rinna/japanese-gpt2-medium
    **{"eos_token": "</s>", "unk_token": "<unk>", "bos_token": "<s>", "pad_token": "[PAD]", "cls_token": "[CLS]"},
    **{"sep_token": "[SEP]", "mask_token": "[MASK]", "extra_ids": 0, "additional_special_tokens": []},
    **{"do_lower_case": False, "sp_model_kwargs": {}, "tokenizer_class": "T5Tokenizer"},
}
CLASSES = {
    "T5Tokenizer": ("spiece.model", RINNA),
    "AlbertTokenizer": ("spiece.model", {}),
    "XLNetTokenizer": ("spiece.model", {}),
    "LlamaTokenizer": ("tokenizer.model", {}),
    "CamembertTokenizer": ("sentencepiece.bpe.model", {}),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a vocabulary as rinna's was, and write a GPT-2 without a tokenizer beside it."""
    folder = tmp_path_factory.mktemp("rinna")
    corpus = folder / "corpus.txt"
    corpus.write_text("吾輩は猫である。名前はまだ無い。\nhello world, this is a test\n" * 30)
    for kind in ("unigram", "bpe"):
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus),
            model_prefix=str(folder / kind),
            model_type=kind,
            byte_fallback=kind == "bpe",
            vocab_size=320 if kind == "bpe" else 60,
            hard_vocab_limit=False,
            user_defined_symbols=["[PAD]", "[CLS]", "[SEP]", "[MASK]"],
            minloglevel=2,
        )
    make_model(vocab_size=400).save_pretrained(folder)
    return folder


def write(checkpoint: Path, folder: Path, name: str, **config: Any) -> Path:
    """Write the checkpoint with its vocabulary under a name."""
    folder.mkdir()
    for file in ("config.json", "generation_config.json", "model.safetensors"):
        (folder / file).hardlink_to(checkpoint / file)
    (folder / name).hardlink_to(checkpoint / f"{'bpe' if name == 'tokenizer.model' else 'unigram'}.model")
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("name", CLASSES)
def test_ids_are_those_of_transformers(checkpoint: Path, tmp_path: Path, name: str) -> None:
    file, config = CLASSES[name]
    folder = write(checkpoint, tmp_path / "in", file, **{"tokenizer_class": name, **config})
    assert file in find_checkpoint(folder).files
    expected, out = AutoTokenizer.from_pretrained(folder), tmp_path / "out"
    out.mkdir()
    convert_checkpoint(folder, out)
    plain, found = Tokenizer.from_file(str(out / "tokenizer.json")), AutoTokenizer.from_pretrained(out)
    for text in TEXTS:
        ids = expected(text).input_ids
        assert plain.encode(text).ids == found(text).input_ids == ids, text
        assert plain.decode(ids, skip_special_tokens=False) == expected.decode(ids)
    assert found.special_tokens_map == expected.special_tokens_map


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        convert_checkpoint(folder, folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_class_must_be_named(checkpoint: Path, tmp_path: Path) -> None:
    folder = write(checkpoint, tmp_path / "in", "spiece.model")
    assert "`tokenizer_class` in tokenizer_config.json must name its class" in refusal(folder)


def test_damaged_vocabulary_is_one_line(checkpoint: Path, tmp_path: Path) -> None:
    folder = write(checkpoint, tmp_path / "in", "spiece.model", **RINNA)
    (folder / "spiece.model").unlink()
    (folder / "spiece.model").write_bytes((checkpoint / "unigram.model").read_bytes()[:900])
    assert refusal(folder).startswith(f"{folder / 'spiece.model'}: ")


def test_table_of_characters_cannot_name_more_memory_than_it_has(checkpoint: Path, tmp_path: Path) -> None:
    """tokenizers takes what the first four bytes say before it looks."""
    folder = write(checkpoint, tmp_path / "in", "spiece.model", **RINNA)
    whole = (checkpoint / "unigram.model").read_bytes()
    table = next(find_in_model(whole))
    (folder / "spiece.model").unlink()
    (folder / "spiece.model").write_bytes(whole.replace(table, b"\xff" * 4 + table[4:]))
    assert refusal(folder) == (
        f"{folder / 'spiece.model'}: its `precompiled_charsmap` is cut off; is the file complete?"
    )

    (folder / "spiece.model").unlink()
    saved = write(checkpoint, tmp_path / "saved", "spiece.model", **RINNA)
    AutoTokenizer.from_pretrained(saved).save_pretrained(folder)
    convert_checkpoint(folder, tmp_path)
    values = json.loads((folder / "tokenizer.json").read_text())
    hurt = json.dumps(values).replace(b2a_base64(table, newline=False).decode()[:4], "////")
    (folder / "tokenizer.json").write_text(hurt)
    assert refusal(folder) == f"{folder}: the tokenizer's `precompiled_charsmap` is cut off; save it again"


def test_without_the_libraries_it_says_what_to_install(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(checkpoint, tmp_path / "in", "spiece.model", **RINNA)
    monkeypatch.setattr(sentencepiece_tokenizer, "find_spec", lambda name: None)
    assert refusal(folder) == (
        f"{folder / 'spiece.model'}: is read with transformers and sentencepiece, which are not installed: "
        "pip install 'gpt2forge[sentencepiece]'"
    )
